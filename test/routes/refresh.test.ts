import { test } from 'tap'
import type { DualTokenUser } from '../../lib/index.ts'
import { bearer } from '../support/app.ts'
import { createSessionApp, createToldStore, FAILURES, outcomeOf, PATH } from '../support/session-app.ts'
import { ACCESS_LIFETIME, claimsIn, NOW, REFRESH_LIFETIME } from '../support/tokens.ts'

const login = () => ({ user_id: 7 })

test('a refresh loads the user before it rotates the session', async t => {
  const told = createToldStore()
  const order: string[] = []
  const { signIn, renew } = await createSessionApp(t, {
    told,
    routes: {
      login,
      loadUser: userId => {
        order.push(...told.asked(), 'loadUser')
        return { user_id: userId }
      }
    }
  })
  const { refresh_token: refreshed } = await signIn()
  told.asked()
  t.equal((await renew(refreshed)).statusCode, 201)
  t.strictSame([...order, ...told.asked()], ['loadUser', 'rotate'])
})

test('a session in the map of revoked ones is refused before any call', async t => {
  let loads = 0
  const { app, signIn, renew, asked } = await createSessionApp(t, { routes: { login, loadUser: userId => ({ user_id: userId, loads: ++loads }) } })
  const { refresh_token: refreshed } = await signIn()
  await app.dualToken.revokeSession(String(claimsIn(refreshed).sid))
  asked()
  t.equal(outcomeOf(await renew(refreshed)), 'REFRESH_REVOKED')
  t.equal(loads, 0)
  t.notOk(asked().includes('rotate'))
})

test('a session revoked during a refresh gets no token', async t => {
  const told = createToldStore()
  const { app, signIn, renew } = await createSessionApp(t, { told })
  const { refresh_token: refreshed } = await signIn()
  const sid = String(claimsIn(refreshed).sid)
  told.instead.set('rotate', async attempt => {
    const rotation = await rotate(attempt)
    await app.dualToken.revokeSession(sid)
    return rotation
  })
  const rotate = told.inner.rotate.bind(told.inner)
  const reply = await renew(refreshed)
  t.equal(outcomeOf(reply), 'REFRESH_REVOKED')
  t.notMatch(reply.body, /token"/)
})

test('a loadUser that fails leaves the refresh token valid', async t => {
  const users: Array<() => unknown> = [
    () => { throw new Error('no connection') },
    async () => { throw new Error('no connection') },
    () => ({ user_id: 8 }),
    () => ({ user_id: '7' }),
    () => ({}),
    () => ({ user_id: 7, sid: 'x' })
  ]
  let answer: () => unknown = () => ({ user_id: 7 })
  const { signIn, renew, asked } = await createSessionApp(t, { routes: { login, loadUser: () => answer() as DualTokenUser } })
  const { refresh_token: refreshed } = await signIn()
  asked()
  for (const fail of users) {
    answer = fail
    t.equal((await renew(refreshed)).statusCode, 500)
  }
  t.strictSame(asked(), [], 'the store was not asked')
  answer = () => ({ user_id: 7 })
  const { refresh_token: next } = (await renew(refreshed)).json()
  t.equal(claimsIn(next).gen, 1)
})

test('when the user is gone, the session ends', async t => {
  for (const nobody of [null, undefined, false] as const) {
    let gone = false
    const { signIn, renew, me, events } = await createSessionApp(t, { routes: { login, loadUser: userId => gone ? nobody : { user_id: userId } } })
    const { token, refresh_token: refreshed } = await signIn()
    const other = await signIn()
    gone = true
    events.length = 0
    t.equal(outcomeOf(await renew(refreshed)), 'REFRESH_USER_GONE')
    t.strictSame(events.splice(0), [{
      type: 'revoked', sid: claimsIn(token).sid, userId: 7, ip: '127.0.0.1', reason: 'user_gone', sinceRotation: null
    }])
    gone = false
    t.equal(outcomeOf(await renew(refreshed)), 'REFRESH_REVOKED')
    t.equal(await me(token), 'ACCESS_REVOKED')
    t.equal(await me(other.token), '200')
  }
})

test('when the user is gone and the store cannot end the session, the refresh answers 503, never a false refusal', async t => {
  for (const [name, fail] of Object.entries(FAILURES)) {
    let gone = true
    const { signIn, renew, instead } = await createSessionApp(t, { routes: { login, loadUser: userId => gone ? null : { user_id: userId } } })
    const { refresh_token: refreshed } = await signIn()
    instead.set('revoke', fail)
    t.equal(outcomeOf(await renew(refreshed)), 'STORE_UNAVAILABLE', name)
    instead.clear()
    gone = false
    t.equal(outcomeOf(await renew(refreshed)), '201', name)
  }
})

test('a refreshed token carries the claims that loadUser returns now', async t => {
  const { signIn, renew } = await createSessionApp(t, { routes: { login: () => ({ user_id: 7, role: 'admin' }), loadUser: userId => ({ user_id: userId, role: 'guest' }) } })
  const next = (await renew((await signIn()).refresh_token)).json()
  for (const token of [next.token, next.refresh_token]) t.match(claimsIn(token), { user_id: 7, role: 'guest' })
})

test('a repeated refresh gets the same refresh token, and a fresh access token', async t => {
  const { clock, signIn, renew } = await createSessionApp(t)
  const { refresh_token: refreshed } = await signIn()
  clock.advance(1.5)
  const first = (await renew(refreshed)).json()
  t.match(claimsIn(first.token), { iat: NOW + 1, exp: NOW + 1 + ACCESS_LIFETIME, gen: 1 })
  clock.advance(9)
  for (const presented of [refreshed, first.refresh_token]) {
    const again = (await renew(presented)).json()
    t.equal(again.refresh_token, first.refresh_token)
    t.match(claimsIn(again.token), { iat: NOW + 10, exp: NOW + 10 + ACCESS_LIFETIME, gen: 1 })
  }
})

test('fifty refreshes of one token at once end with one successor', async t => {
  const { signIn, renew } = await createSessionApp(t)
  const { refresh_token: refreshed } = await signIn()
  const replies = await Promise.all(Array.from({ length: 50 }, () => renew(refreshed)))
  t.ok(replies.every(({ statusCode }) => statusCode === 201))
  t.equal(new Set(replies.map(reply => reply.json().refresh_token)).size, 1)
})

test('with rotate: false the refresh token stays, and can be revoked', async t => {
  const { app, clock, signIn, renew, me } = await createSessionApp(t, { sessions: { rotate: false } })
  const { token, refresh_token: refreshed } = await signIn()
  for (let day = 1; day < 14; day++) {
    clock.advance(86_400)
    const reply = await renew(refreshed)
    t.equal(reply.statusCode, 201)
    t.strictSame(Object.keys(reply.json()), ['token', 'token_type', 'expires_in'])
    t.match(claimsIn(reply.json().token), { iat: NOW + day * 86_400, sid: claimsIn(token).sid, gen: 0 })
  }
  const last = (await renew(refreshed)).json()
  await app.inject({ method: 'DELETE', url: PATH, headers: bearer(refreshed) })
  t.equal(await me(last.token), 'ACCESS_REVOKED')
  t.equal(outcomeOf(await renew(refreshed)), 'REFRESH_REVOKED')
})

test('a session ends at a fixed time after sign-in', async t => {
  const { clock, signIn, renew } = await createSessionApp(t)
  let { refresh_token: refreshed } = await signIn()
  for (let day = 1; day < 14; day++) {
    clock.advance(86_400)
    refreshed = (await renew(refreshed)).json().refresh_token
    t.equal(claimsIn(refreshed).exp, NOW + REFRESH_LIFETIME)
  }
  clock.set(NOW + REFRESH_LIFETIME - 1)
  refreshed = (await renew(refreshed)).json().refresh_token
  clock.set(NOW + REFRESH_LIFETIME)
  t.equal(outcomeOf(await renew(refreshed)), 'REFRESH_EXPIRED')
})

test('clockTolerance prolongs a session by exactly that time', async t => {
  const { clock, signIn, renew } = await createSessionApp(t, { clockTolerance: 60 })
  const { refresh_token: refreshed } = await signIn()
  clock.set(NOW + REFRESH_LIFETIME + 59)
  const next = (await renew(refreshed)).json()
  t.equal(claimsIn(next.refresh_token).exp, NOW + REFRESH_LIFETIME)
  clock.set(NOW + REFRESH_LIFETIME + 60)
  t.equal(outcomeOf(await renew(next.refresh_token)), 'REFRESH_EXPIRED')
})

test('the access token of a refresh within the clock tolerance can be ended to its last moment', async t => {
  const { app, clock, inner, signIn, renew, me } = await createSessionApp(t, { clockTolerance: 60 })
  const { refresh_token: refreshed } = await signIn()
  clock.advance(REFRESH_LIFETIME + 59)
  const { token } = (await renew(refreshed)).json()
  clock.advance(ACCESS_LIFETIME + 59)
  await inner.revokedSince(null, { now: clock.now(), revocationTtl: 0 })
  t.equal(await me(token), '200', 'the store has forgotten what it may, and the token is good')
  t.equal(await app.dualToken.revokeUser(7), 1)
  t.equal(await me(token), 'ACCESS_REVOKED')
})

test('a sliding session is renewed by each refresh, until its absolute end', async t => {
  const { clock, signIn, renew } = await createSessionApp(t, { sessions: { sliding: true, maxLifetime: '30d' } })
  let { refresh_token: refreshed } = await signIn()
  for (const [day, end] of [[13, 27], [26, 30], [29, 30]] as const) {
    clock.set(NOW + day * 86_400)
    refreshed = (await renew(refreshed)).json().refresh_token
    t.match(claimsIn(refreshed), { iat: NOW + day * 86_400, exp: NOW + end * 86_400 })
  }
  clock.set(NOW + 30 * 86_400)
  t.equal(outcomeOf(await renew(refreshed)), 'REFRESH_EXPIRED')
})

test('a sliding session without refreshes ends like any other', async t => {
  const { clock, signIn, renew } = await createSessionApp(t, { sessions: { sliding: true } })
  const { refresh_token: refreshed } = await signIn()
  clock.advance(REFRESH_LIFETIME)
  t.equal(outcomeOf(await renew(refreshed)), 'REFRESH_EXPIRED')
})
