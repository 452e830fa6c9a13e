// POST <path>/reauthentication, and the claim auth_time that it makes new.
import type { FastifyInstance } from 'fastify'
import { test, type Test } from 'tap'
import { memoryStore, type DualTokenOptions } from '../../lib/index.ts'
import { bearer, createApp } from '../support/app.ts'
import { ACCESS, carry, cookiesOf, linesOf, OWN_PAGE, REFRESH } from '../support/cookies.ts'
import { createSessionApp, createToldStore, FAILURES, outcomeOf, PATH, type SessionApp, type SessionAppOptions } from '../support/session-app.ts'
import { ACCESS_LIFETIME, accessToken, claimsIn, NOW, REFRESH_LIFETIME, refreshToken } from '../support/tokens.ts'

const URL = `${PATH}/reauthentication`
const GOOD = { password: 'good' }

/** The memory store, without the method that not every store has. */
function createPlainStore () {
  const { reauthenticate, ...store } = memoryStore()
  return store
}

async function createGuarded (t: Test, options: SessionAppOptions = {}) {
  const made = await createSessionApp(t, {
    routes: { login: ({ password, user_id: id = 7 }) => password === 'good' ? { user_id: id as number, role: 'member' } : null },
    ...options
  })
  const prove = async (token: string, payload: object = GOOD) => await made.app.inject({ method: 'POST', url: URL, headers: bearer(token), payload })
  return { ...made, prove }
}

function authTimeOf (token: string): unknown {
  return claimsIn(token).auth_time
}

test('with sessions, access tokens say when the user signed in, and a refresh keeps it; refresh tokens do not say it', async t => {
  for (const rotate of [true, false]) {
    const { signIn, renew, clock } = await createGuarded(t, { sessions: { rotate } })
    const pair = await signIn()
    t.strictSame([authTimeOf(pair.token), authTimeOf(pair.refresh_token)], [NOW, undefined])
    clock.advance(3600)
    const renewed = (await renew(pair.refresh_token)).json()
    t.match(claimsIn(renewed.token), { iat: NOW + 3600, auth_time: NOW })
    t.equal(authTimeOf(renewed.refresh_token ?? pair.refresh_token), undefined)
  }
})

test('without sessions no token says it, unless authTime is on: then both do, and a refresh keeps it', async t => {
  const { app, clock } = await createApp(t, { authTime: true })
  const pair = (await app.inject({ method: 'POST', url: PATH, payload: GOOD })).json()
  t.strictSame([authTimeOf(pair.token), authTimeOf(pair.refresh_token)], [NOW, NOW])
  clock.advance(3600)
  const renew = async (token: string) => (await app.inject({ method: 'PUT', url: PATH, headers: bearer(token) })).json()
  t.match(claimsIn((await renew(pair.refresh_token)).token), { iat: NOW + 3600, auth_time: NOW })
  for (const moment of [undefined, null, 'now', true]) {
    t.equal(authTimeOf((await renew(refreshToken({ auth_time: moment }))).token), undefined, `a refresh token that says ${String(moment)}`)
  }

  for (const options of [{}, { authTime: false }]) {
    const { app } = await createApp(t, options)
    const reply = (await app.inject({ method: 'POST', url: PATH, payload: GOOD })).json()
    for (const token of [reply.token, reply.refresh_token]) t.notOk('auth_time' in claimsIn(token))
  }
  const { signIn } = await createGuarded(t, { authTime: false })
  t.notOk('auth_time' in claimsIn((await signIn()).token), 'authTime: false holds with sessions, too')
})

test('a session that a store kept before it knew of that moment goes on, and its tokens do not say it', async t => {
  const told = createToldStore()
  const { signIn, renew } = await createGuarded(t, { told })
  for (const authenticatedAt of [undefined, null, NaN, 0]) {
    told.instead.set('rotate', async attempt => ({ ...await told.inner.rotate(attempt), authenticatedAt }))
    const reply = await renew((await signIn()).refresh_token)
    t.equal(reply.statusCode, 201)
    t.notOk('auth_time' in claimsIn(reply.json().token), String(authenticatedAt))
  }
})

test('auth_time is a reserved claim exactly where the plugin writes it', async t => {
  for (const [options, status] of [[{}, 201], [{ authTime: true }, 500], [{ sessions: { store: memoryStore() } }, 500]] as const) {
    const { app } = await createApp(t, { ...options, routes: { login: () => ({ user_id: 7, auth_time: 1 }) } })
    const reply = await app.inject({ method: 'POST', url: PATH, payload: {} })
    t.equal(reply.statusCode, status)
    if (status === 500) t.equal(reply.json().message, 'A user must not have the reserved claim auth_time.')
  }
  await t.rejects(createApp(t, { authTime: true, userIdClaim: 'auth_time' }), { code: 'FST_DUAL_TOKEN_OPTION_INVALID', message: /must not be the reserved claim auth_time/ })
})

test('credentials given again make a new access token whose auth_time is now, and the session goes on with it', async t => {
  const prepare = (app: FastifyInstance) => app.get('/danger', { preHandler: app.dualToken.guard({ maxAge: '10m' }) }, async () => 'done')
  const { signIn, renew, prove, me, clock, events, app } = await createGuarded(t, { prepare })
  const danger = async (token: string) => outcomeOf(await app.inject({ url: '/danger', headers: bearer(token) }))
  const first = await signIn()
  t.equal(await danger(first.token), '200')
  clock.advance(3600)
  t.equal(await danger(first.token), 'ACCESS_NOT_FRESH')
  events.length = 0

  const reply = await prove(first.token)
  t.equal(reply.statusCode, 201)
  t.equal(reply.headers['cache-control'], 'no-store')
  t.strictSame(Object.keys(reply.json()), ['token', 'token_type', 'expires_in'])
  const { token } = reply.json()
  t.match(claimsIn(token), { user_id: 7, role: 'member', refresh: false, iat: NOW + 3600, exp: NOW + 3600 + ACCESS_LIFETIME, auth_time: NOW + 3600, sid: claimsIn(first.token).sid })
  t.match(events, [{ type: 'reauthenticated', sid: claimsIn(token).sid, userId: 7, ip: '127.0.0.1', reason: null, sinceRotation: null }])
  t.equal(await danger(token), '200')
  t.strictSame([await me(token), await me(first.token)], ['200', '200'], 'neither token has become invalid')

  clock.advance(300)
  const renewed = (await renew(first.refresh_token)).json()
  t.match(claimsIn(renewed.token), { auth_time: NOW + 3600, gen: 1 })
  t.equal(await danger(renewed.token), '200')
  clock.advance(100)
  const again = (await renew(renewed.refresh_token)).json()
  t.match(claimsIn(again.token), { auth_time: NOW + 3600, gen: 2 })
  clock.advance(201)
  t.equal(await danger(again.token), 'ACCESS_NOT_FRESH')
})

test('it neither confirms a generation nor looks like a theft, whatever was rotated meanwhile', async t => {
  const { signIn, renew, prove, me, clock, asked } = await createGuarded(t)
  const first = await signIn()
  const { token } = (await prove(first.token)).json()
  let current = first.refresh_token
  for (let round = 0; round < 3; round++) {
    clock.advance(60)
    current = (await renew(current)).json().refresh_token
    asked()
    t.equal(await me(token), '200')
    t.strictSame(asked(), [], 'it asks the store for nothing')
  }
  // A reply that is lost, and the recovery from it.
  clock.advance(60)
  await renew(current)
  clock.advance(60)
  t.equal((await renew(current)).statusCode, 201)
  t.equal(await me(token), '200')
})

test('the route asks for a valid access token first, then for credentials of the same user', async t => {
  const { signIn, app, prove, events, asked } = await createGuarded(t)
  const { token, refresh_token: refreshed } = await signIn()
  events.length = 0
  asked()
  const cases: Array<[string, Record<string, string>, object, string]> = [
    ['nobody', {}, GOOD, 'ACCESS_MISSING'],
    ['a refresh token', bearer(refreshed), GOOD, 'ACCESS_IS_REFRESH'],
    ['a token that is none', bearer('x'), GOOD, 'ACCESS_INVALID'],
    ['a wrong password', bearer(token), { password: 'bad' }, 'LOGIN_REFUSED'],
    ['the credentials of another user', bearer(token), { password: 'good', user_id: 8 }, 'LOGIN_REFUSED'],
    ['the same digits as text are another user', bearer(token), { password: 'good', user_id: '7' }, 'LOGIN_REFUSED']
  ]
  for (const [name, headers, payload, outcome] of cases) {
    const reply = await app.inject({ method: 'POST', url: URL, headers, payload })
    t.equal(outcomeOf(reply), outcome, name)
    if (outcome === 'LOGIN_REFUSED') t.equal(reply.statusCode, 401)
  }
  t.strictSame([asked(), events], [[], []], 'the store has not been asked')
  t.equal((await prove(token)).statusCode, 201)
})

test('its body is that of a sign-in: the same schema, the same limits, JSON alone', async t => {
  const { app, signIn } = await createGuarded(t, {
    routes: { body: { type: 'object', required: ['password'], properties: { password: { type: 'string' } } }, login: () => ({ user_id: 7 }) }
  })
  const { token } = await signIn()
  for (const [payload, type] of [
    ['{}', 'application/json'], ['[]', 'application/json'], ['', 'application/json'], ['{', 'application/json'],
    ['password=good', 'application/x-www-form-urlencoded'], [`{"password":"${'x'.repeat(17_000)}"}`, 'application/json']
  ] as const) {
    const [one, other] = await Promise.all([PATH, URL].map(url => app.inject({ method: 'POST', url, payload, headers: { 'content-type': type, ...bearer(token) } })))
    t.ok(one!.statusCode >= 400 && one!.statusCode < 500)
    t.strictSame([other!.statusCode, other!.body], [one!.statusCode, one!.body], payload.slice(0, 20))
  }
  const { app: plain } = await createApp(t, { authTime: true })
  t.equal((await plain.inject({ method: 'POST', url: URL, payload: '[]', headers: { 'content-type': 'application/json', ...bearer(accessToken()) } })).statusCode, 400)
})

test('options passed on to the ready routes, and routes.reply, apply to it', async t => {
  const seen: string[] = []
  const { prove, signIn } = await createGuarded(t, {
    routes: {
      login: () => ({ user_id: 7 }),
      reply: tokens => ({ shaped: tokens }),
      onRequest: async request => { seen.push(`${request.method} ${request.url} ${(request.routeOptions.config as { limit?: number }).limit}`) },
      config: { limit: 5 } as never
    }
  })
  const { shaped } = await signIn() as unknown as { shaped: { token: string } }
  const reply = await prove(shaped.token)
  t.equal(reply.statusCode, 201)
  t.match(claimsIn(reply.json().shaped.token), { auth_time: NOW })
  t.strictSame(seen, [`POST ${PATH} 5`, `POST ${URL} 5`])
})

test('the session of another user, one that has ended and one that has expired are not made fresh', async t => {
  const { app, signIn, prove, me, clock, events } = await createGuarded(t)
  const { token } = await signIn()
  await app.dualToken.revokeSession(String(claimsIn(token).sid))
  t.equal(outcomeOf(await prove(token)), 'ACCESS_REVOKED')

  const { token: late, refresh_token: refreshed } = await signIn()
  clock.set(NOW + REFRESH_LIFETIME - 60)
  const { token: last } = (await app.inject({ method: 'PUT', url: PATH, headers: bearer(refreshed) })).json()
  clock.advance(61)
  events.length = 0
  t.equal(await me(last), '200', 'the access token outlives the session')
  const reply = await prove(last)
  t.equal(outcomeOf(reply), 'ACCESS_REVOKED')
  t.equal(reply.headers['www-authenticate'], 'Bearer error="invalid_token", error_description="The session was ended"')
  t.match(events, [{ type: 'refused', userId: 7, reason: 'unknown' }])
  t.ok(late)
})

test('a session that ends while its user gives the credentials is not made fresh', async t => {
  const told = createToldStore()
  let during: () => Promise<unknown> = async () => {}
  const { app, signIn, prove } = await createGuarded(t, { told, routes: { login: async () => { await during(); return { user_id: 7 } } } })
  const { token } = await signIn()
  const sid = String(claimsIn(token).sid)
  during = async () => await app.dualToken.revokeSession(sid)
  t.equal(outcomeOf(await prove(token)), 'ACCESS_REVOKED')

  during = async () => {}
  const { token: other } = await signIn()
  during = async () => await app.dualToken.revokeUser(7)
  t.equal(outcomeOf(await prove(other)), 'ACCESS_REVOKED')

  // The store has lost the end of the session, but this process knows of it.
  during = async () => {}
  const { token: third } = await signIn()
  told.instead.set('revoke', async () => true)
  during = async () => await app.dualToken.revokeSession(String(claimsIn(third).sid))
  t.equal(outcomeOf(await prove(third)), 'ACCESS_REVOKED')
})

test('when the store is down it answers 503, and the same token works later', async t => {
  const told = createToldStore()
  const { signIn, prove } = await createGuarded(t, { told })
  const { token } = await signIn()
  for (const [name, fails] of Object.entries(FAILURES)) {
    told.instead.set('reauthenticate', fails)
    const reply = await prove(token)
    t.equal(outcomeOf(reply), 'STORE_UNAVAILABLE', name)
    t.equal(reply.headers['retry-after'], '1')
    told.instead.clear()
    t.equal((await prove(token)).statusCode, 201)
  }
})

test('the route exists where tokens say when, and where the store can keep a new moment', async t => {
  const cases: Array<[Partial<DualTokenOptions>, boolean]> = [
    [{}, false], [{ authTime: true }, true], [{ authTime: false }, false],
    [{ sessions: { store: memoryStore() } }, true], [{ sessions: { store: memoryStore() }, authTime: false }, false],
    [{ sessions: { store: createPlainStore() } }, false]
  ]
  for (const [options, exists] of cases) {
    const { app } = await createApp(t, options)
    const reply = await app.inject({ method: 'POST', url: URL, payload: GOOD })
    t.equal(reply.statusCode, exists ? 401 : 404)
  }
  const { app } = await createApp(t, { authTime: true, routes: { path: '/auth/', login: () => null } })
  t.equal((await app.inject({ method: 'POST', url: '/auth/reauthentication', payload: {} })).statusCode, 401)
})

test('without sessions it works, too, but a refresh goes back to when the user signed in', async t => {
  const { app, clock } = await createApp(t, { authTime: true })
  const pair = (await app.inject({ method: 'POST', url: PATH, payload: GOOD })).json()
  clock.advance(3600)
  const reply = await app.inject({ method: 'POST', url: URL, headers: bearer(pair.token), payload: GOOD })
  t.equal(reply.statusCode, 201)
  t.strictSame(Object.keys(reply.json()), ['token', 'token_type', 'expires_in'])
  t.equal(authTimeOf(reply.json().token), NOW + 3600)
  const renewed = (await app.inject({ method: 'PUT', url: PATH, headers: bearer(pair.refresh_token) })).json()
  t.equal(authTimeOf(renewed.token), NOW)
  for (const payload of [{ password: 'bad' }, {}]) {
    t.equal(outcomeOf(await app.inject({ method: 'POST', url: URL, headers: bearer(pair.token), payload })), 'LOGIN_REFUSED')
  }
})

for (const sessions of [true, false]) {
  test(`a browser whose access token is in a cookie gets a new cookie, as long as its refresh token lives, ${sessions ? 'with' : 'without'} sessions`, async t => {
    const { app, clock } = await createApp(t, { authTime: true, cookies: { access: true }, ...(sessions && { sessions: { store: memoryStore() } }) })
    const signedIn = await app.inject({ method: 'POST', url: PATH, payload: GOOD, headers: OWN_PAGE })
    const cookies = cookiesOf(signedIn)
    clock.advance(3600)
    const ask = async (headers: Record<string, string>) => await app.inject({ method: 'POST', url: URL, payload: GOOD, headers })

    const reply = await ask({ ...carry(cookies), ...OWN_PAGE })
    t.equal(reply.statusCode, 201)
    t.strictSame(reply.json(), { token_type: 'Bearer', expires_in: ACCESS_LIFETIME })
    const { [ACCESS]: renewed, ...others } = cookiesOf(reply)
    t.strictSame(others, {}, 'the refresh token stays')
    t.equal(authTimeOf(renewed!), NOW + 3600)
    t.match(linesOf(reply)[0], `Max-Age=${REFRESH_LIFETIME - 3600};`)
    t.equal((await app.inject({ url: '/me', headers: carry({ ...cookies, [ACCESS]: renewed! }) })).statusCode, 200)

    const alone = await ask({ ...carry({ [ACCESS]: cookies[ACCESS]! }), ...OWN_PAGE })
    t.match(linesOf(alone)[0], `Max-Age=${ACCESS_LIFETIME};`, 'without a refresh token it lives as long as its token')
    t.equal(outcomeOf(await ask(carry(cookies))), 'CROSS_ORIGIN')
    t.equal(outcomeOf(await ask({ ...carry(cookies), 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' })), 'CROSS_ORIGIN')

    const byHeader = await ask(bearer(cookies[ACCESS]!))
    t.strictSame([Object.keys(byHeader.json()), linesOf(byHeader)], [['token', 'token_type', 'expires_in'], []])
  })
}

test('with cookies for the refresh token alone the new access token is in the reply', async t => {
  const { app } = await createApp(t, { authTime: true, cookies: true })
  const signedIn = await app.inject({ method: 'POST', url: PATH, payload: GOOD, headers: OWN_PAGE })
  const reply = await app.inject({ method: 'POST', url: URL, payload: GOOD, headers: { ...bearer(signedIn.json().token), ...carry({ [REFRESH]: cookiesOf(signedIn)[REFRESH]! }), ...OWN_PAGE } })
  t.equal(reply.statusCode, 201)
  t.strictSame([typeof reply.json().token, linesOf(reply)], ['string', []])
})

test('from code, issueTokens with a session makes that session fresh', async t => {
  const { app, signIn, renew, clock, events } = await createGuarded(t)
  const { token, refresh_token: refreshed } = await signIn()
  const session = String(claimsIn(token).sid)
  clock.advance(3600)
  events.length = 0
  const { issueTokens } = app.dualToken
  const made = await issueTokens({ user_id: 7, role: 'admin' }, { session, ip: '192.0.2.1' })
  t.strictSame(Object.keys(made), ['token', 'token_type', 'expires_in'])
  t.match(claimsIn(made.token), { user_id: 7, role: 'admin', sid: session, auth_time: NOW + 3600 })
  t.match(events, [{ type: 'reauthenticated', sid: session, userId: 7, ip: '192.0.2.1' }])
  t.equal(authTimeOf((await renew(refreshed)).json().token), NOW + 3600)
  t.ok(await issueTokens({ user_id: 7 }, { session, needRefreshToken: false }))
  t.ok((await issueTokens({ user_id: 7 }, { session: undefined } as never) as { refresh_token?: string }).refresh_token, 'undefined is absent')

  await t.rejects(issueTokens({ user_id: 8 }, { session }), { code: 'FST_DUAL_TOKEN_SESSION_UNKNOWN', statusCode: 404 }, 'of another user')
  await t.rejects(issueTokens({ user_id: 7 }, { session: 'x'.repeat(22) }), { code: 'FST_DUAL_TOKEN_SESSION_UNKNOWN' }, 'unknown')
  await t.rejects(issueTokens({ user_id: 0 }, { session }), { code: 'FST_DUAL_TOKEN_USER_INVALID' })
  await app.dualToken.revokeSession(session)
  await t.rejects(issueTokens({ user_id: 7 }, { session }), { code: 'FST_DUAL_TOKEN_SESSION_UNKNOWN' }, 'ended')
})

test('claims that do not fit a token leave the session as it was', async t => {
  const { app, signIn, asked } = await createGuarded(t)
  const session = String(claimsIn((await signIn()).token).sid)
  asked()
  await t.rejects(app.dualToken.issueTokens({ user_id: 7, text: 'x'.repeat(4096) }, { session }), { code: 'FST_DUAL_TOKEN_USER_INVALID' })
  t.strictSame(asked(), [])
})

test('the mistakes of issueTokens with a session are named', async t => {
  const { app } = await createGuarded(t)
  const session = 'x'.repeat(22)
  const cases: Array<[SessionApp['app'], object, string]> = [
    [app, { session, label: 'desk' }, 'Option label of issueTokens with session is not known.'],
    [app, { session, startedAt: 1 }, 'Option startedAt of issueTokens with session is not known.'],
    [app, { session, needRefreshToken: true }, 'Option needRefreshToken must not be true beside session.'],
    [app, { session: 'x' }, 'Option session must be the id of a session.'],
    [app, { session: null }, 'Option session must be the id of a session.'],
    [(await createApp(t, { authTime: true })).app, { session }, 'Option sessions is required for the session of issueTokens.'],
    [(await createGuarded(t, { authTime: false })).app, { session }, 'Option session of issueTokens needs authTime, and a session store with the method reauthenticate.'],
    [(await createGuarded(t, { told: createToldStore(createPlainStore()) })).app, { session }, 'Option session of issueTokens needs authTime, and a session store with the method reauthenticate.']
  ]
  for (const [app, options, message] of cases) {
    await t.rejects(app.dualToken.issueTokens({ user_id: 7 }, options as never), { code: 'FST_DUAL_TOKEN_OPTION_INVALID', message })
  }
})
