import { test } from 'tap'
import { createSessionApp, createToldStore, FAILURES, outcomeOf } from '../support/session-app.ts'
import { claimsIn, NOW, REFRESH_LIFETIME } from '../support/tokens.ts'

test('the store gets everything it needs to decide, and only the hash of the nonce', async t => {
  const { calls, signIn, renew, asked } = await createSessionApp(t, { sessions: { grace: 5, recovery: 60, sliding: true, maxLifetime: '30d' } })
  const { refresh_token: refreshed } = await signIn()
  const { nonceHash } = calls[0]![1]
  asked()
  await renew(refreshed)
  t.strictSame(calls, [['rotate', {
    sessionId: claimsIn(refreshed).sid,
    userId: 7,
    generation: 0,
    nonceHash,
    rotate: true,
    grace: 5000,
    recovery: 60_000,
    sliding: { lifetime: REFRESH_LIFETIME * 1000, maxLifetime: 2_592_000_000 },
    clockTolerance: 0,
    jkt: null,
    now: NOW * 1000,
    revocationTtl: 7_260_000,
    ip: '127.0.0.1',
    userAgent: 'lightMyRequest'
  }]])
})

test('a refresh calls the store once', async t => {
  const { signIn, renew, asked } = await createSessionApp(t)
  const { refresh_token: refreshed } = await signIn()
  asked()
  await renew(refreshed)
  t.strictSame(asked(), ['rotate'])
})

test('the successor carries the generation, the times and the end that the store returns', async t => {
  const { instead, signIn, renew } = await createSessionApp(t)
  const { refresh_token: refreshed } = await signIn()
  const { sid, n } = claimsIn(refreshed)
  instead.set('rotate', async () => ({
    outcome: 'repeated', generation: 5, issuedAt: (NOW - 7) * 1000 + 900, expiresAt: (NOW + 60) * 1000 + 900, sinceRotation: 7000
  }))
  const next = (await renew(refreshed)).json()
  t.match(claimsIn(next.refresh_token), { sid, gen: 5, n, iat: NOW - 7, exp: NOW + 60 })
  t.match(claimsIn(next.token), { sid, gen: 5, iat: NOW, n: undefined })
})

test('each outcome other than a grant has its code', async t => {
  for (const [outcome, code] of [
    ['reused', 'REFRESH_REUSED'], ['revoked', 'REFRESH_REVOKED'], ['expired', 'REFRESH_EXPIRED'], ['unknown', 'REFRESH_REVOKED']
  ] as const) {
    const { instead, signIn, renew, me } = await createSessionApp(t)
    const { token, refresh_token: refreshed } = await signIn()
    instead.set('rotate', async () => ({ outcome, sinceRotation: null }))
    const reply = await renew(refreshed)
    t.equal(reply.statusCode, 403)
    t.equal(outcomeOf(reply), code)
    t.notMatch(reply.body, 'token"')
    t.equal(await me(token), outcome === 'reused' ? 'ACCESS_REVOKED' : '200', 'a theft is known here at once')
  }
})

test('while the store fails a refresh is unavailable, and the same token works afterwards', async t => {
  for (const [name, fail] of Object.entries(FAILURES)) {
    const { instead, signIn, renew, events } = await createSessionApp(t)
    const { refresh_token: refreshed } = await signIn()
    events.length = 0
    instead.set('rotate', fail)
    const reply = await renew(refreshed)
    t.strictSame(reply.json(), { statusCode: 503, code: 'FST_DUAL_TOKEN_STORE_UNAVAILABLE', error: 'Service Unavailable', message: 'Try again later.' }, name)
    t.match(reply.headers, { 'retry-after': '1', 'cache-control': 'no-store' })
    t.strictSame(events, [])
    instead.clear()
    t.equal(outcomeOf(await renew(refreshed)), '201', name)
  }
})

test('a retry repairs a rotation whose answer came too late', async t => {
  const told = createToldStore()
  const { clock, signIn, renew } = await createSessionApp(t, { told })
  const { refresh_token: refreshed } = await signIn()
  told.instead.set('rotate', async (...values) => {
    await Reflect.apply(told.inner.rotate, told.inner, values)
    await new Promise(() => {})
  })
  t.equal(outcomeOf(await renew(refreshed)), 'STORE_UNAVAILABLE')
  told.instead.clear()
  t.equal(claimsIn((await renew(refreshed)).json().refresh_token).gen, 1, 'within grace, by the same successor')
  clock.advance(3600)
  t.equal(claimsIn((await renew(refreshed)).json().refresh_token).gen, 2, 'later, by another one')
})

test('a call delayed on its way to the store does not end the session: the same token works on retry', async t => {
  const { instead, signIn, renew, me } = await createSessionApp(t)
  const { token, refresh_token: refreshed } = await signIn()
  instead.set('rotate', async () => ({ outcome: 'late', sinceRotation: 60_000 }))
  const reply = await renew(refreshed)
  t.equal(reply.statusCode, 503)
  t.equal(outcomeOf(reply), 'STORE_UNAVAILABLE')
  t.equal(reply.headers['retry-after'], '1')
  instead.delete('rotate')
  t.equal(await me(token), '200')
  t.equal(outcomeOf(await renew(refreshed)), '201')
})
