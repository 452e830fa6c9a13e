import { test } from 'tap'
import type { DualTokenUser } from '../../lib/index.ts'
import { createSessionApp, createToldStore, FAILURES, lacking } from '../support/session-app.ts'
import { ACCESS_LIFETIME, accessToken, claimsIn, mint, NOW, OTHER_SECRET, REFRESH_LIFETIME, refreshToken } from '../support/tokens.ts'

test('refreshTokens exchanges a refresh token as PUT does', async t => {
  const { app, clock } = await createSessionApp(t)
  const { dualToken } = app
  const pair = await dualToken.issueTokens({ user_id: 7 }, { ip: '192.0.2.1', userAgent: 'cli' })
  clock.advance(60)
  const next = await dualToken.refreshTokens(pair.refresh_token, { ip: '192.0.2.2' })
  t.match(claimsIn(next.token), { user_id: 7, iat: NOW + 60, gen: 1 })
  t.match(claimsIn((next as typeof pair).refresh_token), { user_id: 7, gen: 1 })
  t.match(await dualToken.listSessions(7), [{ ip: '192.0.2.2', userAgent: null }])
})

test('refreshTokens calls the given loadUser, or that of the routes without a request', async t => {
  const seen: unknown[] = []
  const { app } = await createSessionApp(t, {
    routes: {
      login: () => null,
      loadUser: (userId, request) => {
        seen.push(['of the routes', userId, request])
        return { user_id: userId, from: 'routes' }
      }
    }
  })
  const { dualToken } = app
  const pair = await dualToken.issueTokens({ user_id: 7 })
  t.match(claimsIn((await dualToken.refreshTokens(pair.refresh_token)).token), { from: 'routes' })
  const loadUser = (userId: string | number, request: unknown): DualTokenUser => {
    seen.push(['its own', userId, request])
    return { user_id: userId, from: 'call' }
  }
  t.match(claimsIn((await dualToken.refreshTokens(pair.refresh_token, { loadUser })).token), { from: 'call' })
  t.strictSame(seen, [['of the routes', 7, undefined], ['its own', 7, undefined]])
})

test('refreshTokens works without the routes', async t => {
  const { app } = await createSessionApp(t, { routes: false })
  const { refresh_token: refreshed } = await app.dualToken.issueTokens({ user_id: 7, role: 'member' })
  const { token } = await app.dualToken.refreshTokens(refreshed)
  t.strictSame(claimsIn(token).role, undefined, 'the id alone is carried over')
})

test('refreshTokens rejects with the code that says why', async t => {
  const { app, clock, instead } = await createSessionApp(t, { sessions: { rotate: true } })
  const { dualToken } = app
  const rejects = async (token: unknown, suffix: string, options = {}) => await t.rejects(
    dualToken.refreshTokens(token as string, options), { code: `FST_DUAL_TOKEN_${suffix}` }, suffix)

  const pair = await dualToken.issueTokens({ user_id: 7 })
  for (const bad of [undefined, null, 7, '', 'x', refreshToken(), mint(claimsIn(pair.refresh_token), OTHER_SECRET), `Bearer ${pair.refresh_token}`]) {
    await rejects(bad, 'REFRESH_INVALID')
  }
  await rejects(pair.token, 'REFRESH_IS_ACCESS')
  await rejects(pair.refresh_token, 'USER_INVALID', { loadUser: () => ({ user_id: 8 }) })
  for (const fail of Object.values(FAILURES)) {
    instead.set('rotate', fail)
    await rejects(pair.refresh_token, 'STORE_UNAVAILABLE')
  }
  instead.clear()
  await rejects(pair.refresh_token, 'REFRESH_USER_GONE', { loadUser: () => null })
  await rejects(pair.refresh_token, 'REFRESH_REVOKED')

  const other = await dualToken.issueTokens({ user_id: 7 })
  clock.advance(11)
  const next = await dualToken.refreshTokens(other.refresh_token)
  clock.advance(11)
  await dualToken.refreshTokens((next as typeof other).refresh_token)
  await rejects(other.refresh_token, 'REFRESH_REUSED')

  const last = await dualToken.issueTokens({ user_id: 7 })
  clock.advance(REFRESH_LIFETIME)
  await rejects(last.refresh_token, 'REFRESH_EXPIRED')
})

test('verifyToken refuses a token of an ended session', async t => {
  const { app, clock } = await createSessionApp(t)
  const { dualToken } = app
  const pair = await dualToken.issueTokens({ user_id: 7 })
  t.match(dualToken.verifyToken(pair.token), { user_id: 7, refresh: false, sid: /^[\w-]{22}$/, gen: 0 })
  t.match(dualToken.verifyToken(pair.refresh_token), { user_id: 7, refresh: true, n: /^[\w-]{22}$/ })
  t.throws(() => dualToken.verifyToken(accessToken()), { code: 'FST_DUAL_TOKEN_ACCESS_INVALID', cause: { message: 'session' } })

  await dualToken.revokeSession(claimsIn(pair.token).sid as string)
  for (const token of [pair.token, pair.refresh_token]) {
    t.throws(() => dualToken.verifyToken(token), { code: 'FST_DUAL_TOKEN_ACCESS_REVOKED', statusCode: 401, cause: { message: 'session ended' } })
  }
  clock.advance(ACCESS_LIFETIME)
  t.throws(() => dualToken.verifyToken(pair.token), { code: 'FST_DUAL_TOKEN_ACCESS_EXPIRED' })
})

test('listSessions returns the public members of sessions, most recently used first', async t => {
  const { app, clock } = await createSessionApp(t)
  const { dualToken } = app
  const ids: unknown[] = []
  for (const userAgent of ['first', 'second', 'third']) {
    ids.unshift(claimsIn((await dualToken.issueTokens({ user_id: 7 }, { userAgent })).token).sid)
    clock.advance(60)
  }
  const sessions = await dualToken.listSessions(7)
  t.strictSame(sessions.map(({ id }) => id), ids)
  const createdAt = (NOW + 120) * 1000
  t.strictSame(sessions[0], {
    id: ids[0], userId: 7, createdAt, lastUsedAt: createdAt, expiresAt: createdAt + REFRESH_LIFETIME * 1000, ip: null, userAgent: 'third', label: null
  })
  t.strictSame(await dualToken.listSessions('7'), [])
})

test('sessions used at the same moment are listed by their age', async t => {
  const { app, clock } = await createSessionApp(t)
  const { dualToken } = app
  const old = await dualToken.issueTokens({ user_id: 7 })
  clock.advance(60)
  const young = await dualToken.issueTokens({ user_id: 7 })
  await dualToken.refreshTokens(old.refresh_token)
  t.strictSame((await dualToken.listSessions(7)).map(({ id }) => id), [claimsIn(young.token).sid, claimsIn(old.token).sid])
})

test('revokeSession ends a session, even repeatedly, and returns false for a malformed id', async t => {
  const { app, me, asked } = await createSessionApp(t)
  const { token } = await app.dualToken.issueTokens({ user_id: 7 })
  const sid = claimsIn(token).sid as string
  for (let i = 0; i < 2; i++) t.equal(await app.dualToken.revokeSession(sid), true)
  t.equal(await me(token), 'ACCESS_REVOKED')
  asked()
  for (const id of ['', 'x', `${sid}x`, token, undefined, null, 7, {}, [sid]]) t.equal(await app.dualToken.revokeSession(id as string), false)
  t.strictSame(asked(), [])
})

test('revokeUser ends all sessions of one user, and returns their number', async t => {
  const { app, me } = await createSessionApp(t)
  const { issueTokens, revokeUser } = app.dualToken
  const tokens = [(await issueTokens({ user_id: 7 })).token, (await issueTokens({ user_id: 7 })).token]
  const other = (await issueTokens({ user_id: '7' })).token
  t.equal(await revokeUser(7), 2)
  for (const token of tokens) t.equal(await me(token), 'ACCESS_REVOKED')
  t.equal(await me(other), '200')
  t.equal(await revokeUser(7), 0)
})

test('while the store fails, every call that needs it rejects, and works afterwards', async t => {
  const { app, instead, me } = await createSessionApp(t)
  const { issueTokens, listSessions, revokeSession, revokeUser } = app.dualToken
  const { token } = await issueTokens({ user_id: 7 })
  const sid = claimsIn(token).sid as string
  const unavailable = { code: 'FST_DUAL_TOKEN_STORE_UNAVAILABLE', statusCode: 503, headers: { 'retry-after': '1' } }
  for (const [name, fail] of Object.entries(FAILURES)) {
    for (const method of ['create', 'list', 'revoke', 'revokeUser'] as const) instead.set(method, fail)
    await t.rejects(issueTokens({ user_id: 7 }), unavailable, name)
    await t.rejects(listSessions(7), unavailable, name)
    await t.rejects(revokeSession(sid), unavailable, name)
    await t.rejects(revokeUser(7), unavailable, name)
    t.equal(await me(token), '200', 'what was not revoked works')
    instead.clear()
  }
  t.match(await listSessions(7), [{ id: sid }])
  t.equal(await revokeUser(7), 1)
})

test('a sign-in by the application is refused when its startedAt is before revokeUser', async t => {
  const { app } = await createSessionApp(t)
  const { issueTokens, listSessions, revokeUser } = app.dualToken
  // The store measures from its own reading of the clock, some microseconds later.
  const startedAt = performance.now() - 1
  await revokeUser(7)
  await t.rejects(issueTokens({ user_id: 7 }, { startedAt }), { code: 'FST_DUAL_TOKEN_LOGIN_REFUSED' })
  t.strictSame(await listSessions(7), [])
  t.ok(await issueTokens({ user_id: 7 }), 'one that begins now is not')
  for (const moment of [Date.now(), Infinity, NaN, null, '5']) {
    await t.rejects(issueTokens({ user_id: 7 }, { startedAt: moment as number }), { code: 'FST_DUAL_TOKEN_OPTION_INVALID' }, String(moment))
  }
})

test('an invalid user id is refused, instead of matching no session', async t => {
  const { app, asked } = await createSessionApp(t)
  asked()
  for (const id of [undefined, null, '', 0, NaN, 2 ** 53, {}, { user_id: 7 }, [7], true]) {
    await t.rejects(app.dualToken.revokeUser(id as number), { code: 'FST_DUAL_TOKEN_USER_INVALID' })
    await t.rejects(app.dualToken.listSessions(id as number), { code: 'FST_DUAL_TOKEN_USER_INVALID' })
  }
  t.strictSame(asked(), [])
})

test('revokeUser spares the session it is told to, and refuses sign-ins that began before all the same', async t => {
  const { app, me } = await createSessionApp(t)
  const { issueTokens, revokeUser } = app.dualToken
  const [here, there] = [await issueTokens({ user_id: 7 }), await issueTokens({ user_id: 7 })]
  const startedAt = performance.now()
  const except = claimsIn(here.token).sid as string
  t.equal(await revokeUser(7, { except }), 1)
  t.equal(await me(here.token), '200')
  t.equal(await me(there.token), 'ACCESS_REVOKED')
  await t.rejects(issueTokens({ user_id: 7 }, { startedAt }), { code: 'FST_DUAL_TOKEN_LOGIN_REFUSED' })

  const other = await issueTokens({ user_id: 8 })
  t.equal(await revokeUser(7, { except: claimsIn(other.token).sid as string }), 1, 'the session of another user spares nothing')
  t.equal(await me(other.token), '200')
  t.equal(await revokeUser(8, { except: undefined }), 1)
})

test('what revokeUser is to spare is the id of a session, and the store can spare it', async t => {
  const { app, asked } = await createSessionApp(t)
  for (const except of [null, '', 'current', 7, {}]) {
    await t.rejects(app.dualToken.revokeUser(7, { except: except as string }), {
      code: 'FST_DUAL_TOKEN_OPTION_INVALID', message: 'Option except must be the id of a session.'
    })
  }
  t.strictSame(asked(), [])
  const other = await createSessionApp(t, { told: createToldStore(lacking('except')) })
  await t.rejects(other.app.dualToken.revokeUser(7, { except: 'A'.repeat(22) }), {
    message: "Option except of revokeUser needs a session store with the duty 'except', which this one does not name."
  })
  t.strictSame(other.asked(), [])
})

test('an id of a database is taken as JSON carries it, by whatever takes an id', async t => {
  class ObjectId {
    readonly bytes = Buffer.from('65f0c1d2e3a4b5c6d7e8f901', 'hex')
    toJSON (): string { return this.bytes.toString('hex') }
  }
  const hex = new ObjectId().toJSON()
  const seen: unknown[] = []
  const { app, signIn, renew, me } = await createSessionApp(t, {
    routes: {
      login: () => ({ user_id: new ObjectId() }),
      loadUser (userId) {
        seen.push(userId)
        return { user_id: new ObjectId(), role: 'member' }
      }
    }
  })
  const { listSessions, revokeUser } = app.dualToken
  const pair = await signIn()
  t.equal(claimsIn(pair.token).user_id, hex)
  const next = (await renew(pair.refresh_token)).json()
  t.match(claimsIn(next.token), { user_id: hex, role: 'member' })
  t.strictSame(seen, [hex], 'loadUser is asked for the id as the token has it')
  for (const id of [new ObjectId(), hex]) t.match(await listSessions(id), [{ userId: hex }])
  t.equal(await revokeUser(new ObjectId()), 1)
  t.equal(await me(next.token), 'ACCESS_REVOKED')
})

test('a BigInt is refused with a sentence that says what to do', async t => {
  const { app } = await createSessionApp(t, { routes: { login: () => null, loadUser: () => ({ user_id: 7n as unknown as number }) } })
  const { issueTokens, listSessions, refreshTokens, revokeUser } = app.dualToken
  const sentence = { code: 'FST_DUAL_TOKEN_USER_INVALID', message: /pass a BigInt as a string/ }
  const id = 7n as unknown as number
  await t.rejects(issueTokens({ user_id: id }), sentence)
  await t.rejects(listSessions(id), sentence)
  await t.rejects(revokeUser(id), sentence)
  const { refresh_token: refreshed } = await issueTokens({ user_id: '7' })
  await t.rejects(refreshTokens(refreshed), sentence)
})
