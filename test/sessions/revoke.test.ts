import { test } from 'tap'
import { bearer } from '../support/app.ts'
import { createSessionApp, createToldStore, FAILURES, outcomeOf, PATH } from '../support/session-app.ts'
import { claimsIn, NOW } from '../support/tokens.ts'

const context = { now: NOW * 1000, revocationTtl: 7_260_000 }

test('revoke passes the expected user to the store, and whether the session must exist', async t => {
  const { app, signIn, asked, calls } = await createSessionApp(t)
  const { token } = await signIn()
  const sessionId = claimsIn(token).sid as string
  asked()
  await app.inject({ method: 'DELETE', url: `${PATH}/sessions/${'A'.repeat(22)}`, headers: bearer(token) })
  await app.dualToken.revokeSession(sessionId)
  await app.inject({ method: 'DELETE', url: PATH, headers: bearer(token) })
  await app.dualToken.revokeUser(7)
  t.strictSame(calls, [
    ['revoke', { sessionId: 'A'.repeat(22), userId: 7, mustExist: true, ...context }],
    ['revoke', { sessionId, mustExist: false, ...context }],
    ['revoke', { sessionId, userId: 7, mustExist: false, ...context }],
    ['revokeUser', { userId: 7, ...context }]
  ])
})

test('while the store fails, sign-out reports no success, and works afterwards', async t => {
  for (const [name, fail] of Object.entries(FAILURES)) {
    const { app, instead, signIn, me, events } = await createSessionApp(t)
    const { token, refresh_token: refreshed } = await signIn()
    events.length = 0
    for (const method of ['revoke', 'revokeUser', 'list'] as const) instead.set(method, fail)
    const targets = [
      { method: 'DELETE', url: PATH }, { method: 'DELETE', url: `${PATH}/sessions` },
      { method: 'DELETE', url: `${PATH}/sessions/${claimsIn(token).sid}` }, { method: 'GET', url: `${PATH}/sessions` }
    ] as const
    for (const target of targets) {
      const reply = await app.inject({ ...target, headers: bearer(token) })
      t.equal(outcomeOf(reply), 'STORE_UNAVAILABLE', name)
      t.match(reply.headers, { 'retry-after': '1', 'cache-control': 'no-store' })
    }
    t.equal(await me(token), '200')
    t.strictSame(events, [])
    instead.clear()
    t.equal(outcomeOf(await app.inject({ method: 'DELETE', url: PATH, headers: bearer(refreshed) })), '204', name)
    t.equal(await me(token), 'ACCESS_REVOKED')
  }
})

test('a revocation that ran, but whose answer came too late, stands', async t => {
  const told = createToldStore()
  const { app, signIn, renew } = await createSessionApp(t, { told })
  const { token, refresh_token: refreshed } = await signIn()
  told.instead.set('revoke', async (...values) => {
    await Reflect.apply(told.inner.revoke, told.inner, values)
    await new Promise(() => {})
  })
  t.equal(outcomeOf(await app.inject({ method: 'DELETE', url: PATH, headers: bearer(token) })), 'STORE_UNAVAILABLE')
  t.equal(outcomeOf(await renew(refreshed)), 'REFRESH_REVOKED')
  told.instead.clear()
  t.equal(outcomeOf(await app.inject({ method: 'DELETE', url: PATH, headers: bearer(token) })), '204')
})

test('when the store ends no session, this process ends none either', async t => {
  const { app, instead, signIn, me, events } = await createSessionApp(t)
  const { token } = await signIn()
  events.length = 0
  instead.set('revoke', async () => false)
  t.equal(await app.dualToken.revokeSession(claimsIn(token).sid as string), false)
  t.equal(await me(token), '200')
  t.strictSame(events, [])
})
