import Fastify, { type FastifyInstance, type InjectOptions } from 'fastify'
import { test } from 'tap'
import { dualToken, memoryStore, redisStore } from '../../lib/index.ts'
import { bearer, createClock } from '../support/app.ts'
import { openRedis, withoutRedis } from '../support/redis.ts'
import { createSessionApp, createToldStore, lacking, outcomeOf, PATH } from '../support/session-app.ts'
import { ACCESS_LIFETIME, claimsIn, mint, NOW, OTHER_SECRET, REFRESH_LIFETIME, SECRET } from '../support/tokens.ts'

const SESSIONS = `${PATH}/sessions`

/** A login that takes the user's id as it is sent. */
const anybody = ({ id }: Record<string, unknown>) => ({ user_id: id as string | number })

async function signInAs (app: FastifyInstance, id: string | number, options: InjectOptions = {}) {
  return (await app.inject({ method: 'POST', url: PATH, payload: { id }, ...options })).json()
}

async function list (app: FastifyInstance, token: string, url = SESSIONS) {
  return (await app.inject({ url, headers: bearer(token) })).json().sessions
}

test('POST answers a pair of a new session, PUT its next pair', async t => {
  const { app, clock, signIn, renew } = await createSessionApp(t)
  const reply = await app.inject({ method: 'POST', url: PATH, payload: { password: 'good' } })
  t.equal(reply.statusCode, 201)
  t.equal(reply.headers['cache-control'], 'no-store')
  const pair = reply.json()
  t.strictSame(Object.keys(pair).sort(), ['expires_in', 'refresh_token', 'token', 'token_type'])

  const access = claimsIn(pair.token)
  t.strictSame(access, { user_id: 7, role: 'member', refresh: false, iat: NOW, exp: NOW + ACCESS_LIFETIME, auth_time: NOW, sid: access.sid, gen: 0 })
  const refresh = claimsIn(pair.refresh_token)
  t.strictSame(refresh, { user_id: 7, role: 'member', refresh: true, iat: NOW, exp: NOW + REFRESH_LIFETIME, sid: access.sid, gen: 0, n: refresh.n })
  t.match(access.sid, /^[\w-]{22}$/)
  t.match(refresh.n, /^[\w-]{22}$/)
  t.not(access.sid, refresh.n)

  clock.advance(60)
  const renewed = await renew(pair.refresh_token)
  t.equal(renewed.statusCode, 201)
  t.equal(renewed.headers['cache-control'], 'no-store')
  const next = renewed.json()
  t.strictSame(Object.keys(next).sort(), Object.keys(pair).sort())
  const moment = NOW + 60
  t.strictSame(claimsIn(next.token), { user_id: 7, refresh: false, iat: moment, exp: moment + ACCESS_LIFETIME, auth_time: NOW, sid: access.sid, gen: 1 })
  t.strictSame(claimsIn(next.refresh_token), { user_id: 7, refresh: true, iat: moment, exp: refresh.exp, sid: access.sid, gen: 1, n: refresh.n })

  const other = claimsIn((await signIn()).refresh_token)
  t.not(other.sid, refresh.sid)
  t.not(other.n, refresh.n)
})

test('PUT distinguishes a used-up token, a token of an ended session, and garbage', async t => {
  const { clock, signIn, renew, app } = await createSessionApp(t)
  t.equal(outcomeOf(await app.inject({ method: 'PUT', url: PATH })), 'REFRESH_MISSING')
  t.equal(outcomeOf(await renew('x')), 'REFRESH_INVALID')

  const { token, refresh_token: refreshed } = await signIn()
  t.equal(outcomeOf(await renew(token)), 'REFRESH_IS_ACCESS')
  const second = (await renew(refreshed)).json()
  clock.advance(11)
  await renew(second.refresh_token)
  const stolen = await renew(refreshed)
  t.strictSame(stolen.json(), { statusCode: 403, code: 'FST_DUAL_TOKEN_REFRESH_REUSED', error: 'Forbidden', message: 'Wrong Token' })
  t.equal(stolen.headers['cache-control'], 'no-store')
  t.equal(outcomeOf(await renew(refreshed)), 'REFRESH_REVOKED')
  t.equal(outcomeOf(await renew(second.refresh_token)), 'REFRESH_REVOKED')
})

for (const place of ['memory', 'Redis'] as const) {
  test(`clockTolerance holds for a refresh, too, with sessions in ${place}`, { skip: place === 'Redis' && withoutRedis }, async t => {
    const redis = place === 'Redis' ? await openRedis(t) : null
    const createStore = () => redis === null ? memoryStore() : redisStore(redis.client, { prefix: redis.prefix })
    for (const [clockTolerance, late, outcome] of [[0, -1, '201'], [0, 0, 'REFRESH_EXPIRED'], [30, 10, '201'], [30, 29, '201'], [30, 30, 'REFRESH_EXPIRED']] as const) {
      for (const rotate of [true, false]) {
        const { signIn, renew, clock } = await createSessionApp(t, { told: createToldStore(createStore()), clockTolerance, sessions: { rotate, storeTimeout: 5 } })
        const { refresh_token: refreshed } = await signIn()
        clock.advance(REFRESH_LIFETIME + late)
        t.equal(outcomeOf(await renew(refreshed)), outcome, `tolerance ${clockTolerance}, ${late} s late`)
      }
    }
  })
}

test('DELETE with either token ends its session with 204, even repeatedly', async t => {
  for (const name of ['token', 'refresh_token'] as const) {
    const { app, signIn, renew, me } = await createSessionApp(t)
    const pair = await signIn()
    const other = await signIn()
    t.equal(await me(pair.token), '200')
    for (const time of ['first', 'second']) {
      const reply = await app.inject({ method: 'DELETE', url: PATH, headers: bearer(pair[name]) })
      t.strictSame([reply.statusCode, reply.body, reply.headers['cache-control']], [204, '', 'no-store'], `${name}, the ${time} time`)
    }
    t.equal(await me(pair.token), 'ACCESS_REVOKED')
    t.equal(outcomeOf(await renew(pair.refresh_token)), 'REFRESH_REVOKED')
    t.equal(await me(other.token), '200', 'another session of the user lives on')
    t.equal(outcomeOf(await renew(other.refresh_token)), '201')
  }
})

test('an expired token may still sign out', async t => {
  const { app, clock, signIn, renew } = await createSessionApp(t)
  const { token, refresh_token: refreshed } = await signIn()
  clock.advance(ACCESS_LIFETIME)
  t.equal(outcomeOf(await app.inject({ method: 'DELETE', url: PATH, headers: bearer(token) })), '204')
  t.equal(outcomeOf(await renew(refreshed)), 'REFRESH_REVOKED')
  clock.advance(REFRESH_LIFETIME * 2)
  t.equal(outcomeOf(await app.inject({ method: 'DELETE', url: PATH, headers: bearer(refreshed) })), '204')
})

test('an invalid token ends nothing', async t => {
  const { app, signIn, me, asked } = await createSessionApp(t, { issuer: 'us' })
  const { token } = await signIn()
  asked()
  const claims = claimsIn(token)
  const cases: Array<[string, string, string]> = [
    ['forged', mint(claims, OTHER_SECRET), 'ACCESS_INVALID'],
    ['of another issuer', mint({ ...claims, iss: 'them' }), 'ACCESS_INVALID'],
    ['without a session', mint({ ...claims, sid: undefined }), 'ACCESS_INVALID'],
    ['without a kind', mint({ ...claims, refresh: undefined }), 'ACCESS_INVALID'],
    ['without an end', mint({ ...claims, exp: undefined }), 'ACCESS_INVALID'],
    ['malformed', 'x', 'ACCESS_INVALID'],
    ['missing', '', 'ACCESS_MISSING']
  ]
  for (const [name, bad, code] of cases) {
    const reply = await app.inject({ method: 'DELETE', url: PATH, headers: bearer(bad) })
    t.equal(outcomeOf(reply), code, name)
    t.equal(reply.statusCode, 401)
    t.match(reply.headers, { 'www-authenticate': /^Bearer/, 'cache-control': 'no-store' })
  }
  t.strictSame(asked(), [])
  t.equal(await me(token), '200')
})

test('GET lists the live sessions of the caller, most recently used first, with times in ISO 8601', async t => {
  const { app, clock, signIn, renew } = await createSessionApp(t)
  const first = await signIn()
  clock.advance(60)
  const second = (await app.inject({
    method: 'POST', url: PATH, payload: { password: 'good' }, headers: { 'user-agent': 'phone' }, remoteAddress: '192.0.2.7'
  })).json()
  const ended = await signIn()
  await app.inject({ method: 'DELETE', url: PATH, headers: bearer(ended.token) })

  const reply = await app.inject({ url: SESSIONS, headers: bearer(first.token) })
  t.strictSame([reply.statusCode, reply.headers['cache-control']], [200, 'no-store'])
  const at = (seconds: number) => new Date((NOW + seconds) * 1000).toISOString()
  const [phone, desk] = [
    {
      id: claimsIn(second.token).sid,
      created_at: at(60),
      last_used_at: at(60),
      expires_at: at(60 + REFRESH_LIFETIME),
      ip: '192.0.2.7',
      user_agent: 'phone',
      label: null,
      current: false
    },
    {
      id: claimsIn(first.token).sid,
      created_at: at(0),
      last_used_at: at(0),
      expires_at: at(REFRESH_LIFETIME),
      ip: '127.0.0.1',
      user_agent: 'lightMyRequest',
      label: null,
      current: true
    }
  ]
  t.strictSame(reply.json(), { sessions: [phone, desk] })

  clock.advance(60)
  await renew(first.refresh_token)
  t.strictSame(await list(app, second.token), [
    { ...desk, last_used_at: at(120), current: false }, { ...phone, current: true }
  ])
})

test('DELETE one of the caller\'s sessions ends it and no other', async t => {
  const { app, signIn, me } = await createSessionApp(t)
  const [here, there] = [await signIn(), await signIn()]
  const end = (token: string, of: string) =>
    app.inject({ method: 'DELETE', url: `${SESSIONS}/${claimsIn(of).sid}`, headers: bearer(token) })

  const reply = await end(here.token, there.token)
  t.strictSame([reply.statusCode, reply.body, reply.headers['cache-control']], [204, '', 'no-store'])
  t.equal(await me(there.token), 'ACCESS_REVOKED')
  t.equal(await me(here.token), '200')
  t.equal(outcomeOf(await end(here.token, there.token)), 'SESSION_UNKNOWN', 'it is not there any more')
  t.equal(outcomeOf(await end(here.token, here.token)), '204', 'this one, too')
  t.equal(await me(here.token), 'ACCESS_REVOKED')
})

test('the session of another user, an unknown session and a malformed id all give 404', async t => {
  const { app, me } = await createSessionApp(t, { routes: { login: anybody } })
  const own = await signInAs(app, 7)
  const text = await signInAs(app, '7')
  const other = await signInAs(app, 8)
  const ids = [claimsIn(other.token).sid, claimsIn(text.token).sid, 'A'.repeat(22), 'x', 'A'.repeat(23), '%00', 'constructor', `${claimsIn(own.token).sid}%20`]
  for (const id of ids) {
    const reply = await app.inject({ method: 'DELETE', url: `${SESSIONS}/${id}`, headers: bearer(own.token) })
    t.strictSame(reply.json(), { statusCode: 404, code: 'FST_DUAL_TOKEN_SESSION_UNKNOWN', error: 'Not Found', message: 'No such session.' }, String(id))
    t.equal(reply.headers['cache-control'], 'no-store')
  }
  for (const { token } of [own, text, other]) t.equal(await me(token), '200')
})

test('DELETE all ends every session of the caller at once, this one included, and no other', async t => {
  const { app, me, renew } = await createSessionApp(t, { routes: { login: anybody } })
  const [here, there, text, other] = [await signInAs(app, 7), await signInAs(app, 7), await signInAs(app, '7'), await signInAs(app, 8)]
  const reply = await app.inject({ method: 'DELETE', url: SESSIONS, headers: bearer(here.token) })
  t.strictSame([reply.statusCode, reply.body, reply.headers['cache-control']], [204, '', 'no-store'])
  for (const { token, refresh_token: refreshed } of [here, there]) {
    t.equal(await me(token), 'ACCESS_REVOKED')
    t.equal(outcomeOf(await renew(refreshed)), 'REFRESH_REVOKED')
  }
  for (const { token } of [text, other]) t.equal(await me(token), '200')
  t.equal(await me((await signInAs(app, 7)).token), '200', 'and the user signs in again at once')
})

test('DELETE all ends the session of the token itself, whatever the store has lost of it', async t => {
  const told = createToldStore()
  const { app, me, events } = await createSessionApp(t, { told })
  const { token } = (await app.inject({ method: 'POST', url: PATH, payload: { password: 'good' } })).json()
  told.instead.set('revokeUser', async () => [])
  events.length = 0
  const reply = await app.inject({ method: 'DELETE', url: SESSIONS, headers: bearer(token) })
  t.equal(reply.statusCode, 204)
  t.equal(await me(token), 'ACCESS_REVOKED')
  const { sid } = claimsIn(token)
  t.match(events, [{ type: 'revoked', sid, userId: 7, reason: 'all_ended' }])
  t.ok((await told.inner.revokedSince(null, { now: 0, revocationTtl: 1 })).sessionIds.includes(String(sid)), 'the feed tells of it')
})

test('the users 7 and \'7\' list their own sessions', async t => {
  const { app } = await createSessionApp(t, { routes: { login: anybody } })
  const [number, text] = [await signInAs(app, 7), await signInAs(app, '7')]
  for (const { token } of [number, text]) t.match(await list(app, token), [{ id: claimsIn(token).sid, current: true }])
})

test('only an access token of a live session opens the list', async t => {
  const { app, clock, signIn, asked } = await createSessionApp(t)
  const { token, refresh_token: refreshed } = await signIn()
  const ended = await signIn()
  await app.inject({ method: 'DELETE', url: PATH, headers: bearer(ended.token) })
  asked()
  const targets: InjectOptions[] = [
    { url: SESSIONS }, { method: 'DELETE', url: SESSIONS }, { method: 'DELETE', url: `${SESSIONS}/${claimsIn(token).sid}` }
  ]
  for (const target of targets) {
    const outcome = async (headers: Record<string, string>) => outcomeOf(await app.inject({ ...target, headers }))
    t.equal(await outcome({}), 'ACCESS_MISSING')
    t.equal(await outcome(bearer('x')), 'ACCESS_INVALID')
    t.equal(await outcome(bearer(refreshed)), 'ACCESS_IS_REFRESH')
    t.equal(await outcome(bearer(ended.token)), 'ACCESS_REVOKED')
  }
  clock.advance(ACCESS_LIFETIME)
  for (const target of targets) t.equal(outcomeOf(await app.inject({ ...target, headers: bearer(token) })), 'ACCESS_EXPIRED')
  t.strictSame(asked(), [])
})

test('PUT and DELETE read and discard any body', async t => {
  const { app, signIn } = await createSessionApp(t)
  const bodies: Array<Pick<InjectOptions, 'payload' | 'headers'>> = [
    { payload: '', headers: { 'content-type': 'application/json' } },
    { payload: '{', headers: { 'content-type': 'application/json' } },
    { payload: 'a=b', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
    { payload: '\0\xff', headers: { 'content-type': 'no type at all' } },
    { payload: '<a/>', headers: {} }
  ]
  for (const { payload, headers } of bodies) {
    const pair = await signIn()
    const { sid } = claimsIn((await signIn()).token)
    const send = async (method: 'PUT' | 'DELETE', url: string, token: string) =>
      (await app.inject({ method, url, headers: { ...headers, ...bearer(token) }, payload: payload! })).statusCode
    t.equal(await send('PUT', PATH, pair.refresh_token), 201)
    t.equal(await send('DELETE', `${SESSIONS}/${sid}`, pair.token), 204)
    t.equal(await send('DELETE', PATH, pair.token), 204)
    t.equal(await send('DELETE', SESSIONS, (await signIn()).token), 204)
  }
  const tooLong = { payload: 'x'.repeat(16 * 1024 + 1), headers: bearer((await signIn()).token) }
  t.equal((await app.inject({ method: 'DELETE', url: PATH, ...tooLong })).statusCode, 413)
})

test('the ip of a session is request.ip, so that trustProxy is honoured', async t => {
  for (const trustProxy of [false, true]) {
    const app = Fastify({ trustProxy })
    t.teardown(() => app.close())
    await app.register(dualToken, { secret: SECRET, now: createClock().now, routes: { login: anybody }, sessions: { store: memoryStore() } })
    const { token, refresh_token: refreshed } = await signInAs(app, 7, { headers: { 'x-forwarded-for': '203.0.113.9' } })
    t.match(await list(app, token), [{ ip: trustProxy ? '203.0.113.9' : '127.0.0.1' }])
    await app.inject({ method: 'PUT', url: PATH, headers: { ...bearer(refreshed), 'x-forwarded-for': '198.51.100.4' } })
    t.match(await list(app, token), [{ ip: trustProxy ? '198.51.100.4' : '127.0.0.1' }], 'and updated at a refresh')
  }
})

test('a user agent is cut at 256 characters, and a missing one is null', async t => {
  const { app, clock } = await createSessionApp(t, { routes: { login: anybody } })
  const { token, refresh_token: refreshed } = await signInAs(app, 7, { headers: { 'user-agent': 'a'.repeat(257) } })
  t.match(await list(app, token), [{ user_agent: 'a'.repeat(256) }])
  clock.advance(1)
  await app.inject({ method: 'PUT', url: PATH, headers: { ...bearer(refreshed), 'user-agent': '' } })
  t.match(await list(app, token), [{ user_agent: null }])
})

test('the session routes are below the configured path', async t => {
  for (const [path, sessions] of [['/', '/sessions'], ['/v1/auth', '/v1/auth/sessions'], ['/auth/', '/auth/sessions'], ['/:id/auth', '/me/auth/sessions']] as const) {
    const { app } = await createSessionApp(t, { routes: { path, login: anybody } })
    const url = path.replace(':id', 'me')
    const [here, there] = [await signInAs(app, 7, { url }), await signInAs(app, 7, { url })]
    t.equal((await list(app, here.token, sessions)).length, 2, path)
    const end = async (target: string) => (await app.inject({ method: 'DELETE', url: target, headers: bearer(here.token) })).statusCode
    t.equal(await end(`${sessions}/${claimsIn(there.token).sid}`), 204, path)
    t.equal(await end(url), 204, path)
  }
})

test('HEAD answers as GET does, without the body', async t => {
  const { app, signIn } = await createSessionApp(t)
  const { token } = await signIn()
  const reply = await app.inject({ method: 'HEAD', url: SESSIONS, headers: bearer(token) })
  t.strictSame([reply.statusCode, reply.body, reply.headers['cache-control']], [200, '', 'no-store'])
  t.equal((await app.inject({ method: 'HEAD', url: SESSIONS })).statusCode, 401)
})

test('passed-on options reach each session route, a preHandler after the guard', async t => {
  const seen: string[] = []
  const { app } = await createSessionApp(t, {
    routes: {
      login: anybody,
      config: { limit: 5 } as object,
      tags: ['auth'],
      onRequest: (request, _reply, done) => {
        seen.push(`onRequest ${request.method} ${request.routeOptions.url}`)
        done()
      },
      preHandler: async request => {
        seen.push(`preHandler ${request.method} ${(request.routeOptions.config as { limit?: number }).limit} ${(request.routeOptions.schema as { tags?: string[] }).tags}`)
      }
    }
  })
  const { token } = await signInAs(app, 7)
  const targets: InjectOptions[] = [
    { url: SESSIONS }, { method: 'DELETE', url: `${SESSIONS}/x` }, { method: 'DELETE', url: PATH }, { method: 'DELETE', url: SESSIONS }
  ]
  seen.length = 0
  for (const target of targets) await app.inject(target)
  t.strictSame(seen.splice(0), [
    `onRequest GET ${SESSIONS}`, `onRequest DELETE ${SESSIONS}/:id`, `onRequest DELETE ${PATH}`, 'preHandler DELETE 5 auth', `onRequest DELETE ${SESSIONS}`
  ], 'a guard that refuses lets nothing after it run; sign-out has none')
  for (const target of targets.toReversed()) await app.inject({ ...target, headers: bearer(token) })
  t.equal(seen.filter(line => line.startsWith('preHandler')).length, 2, 'the session is ended by then')
})

test('writing to request.user gives no access to the sessions of others', async t => {
  const { app, me } = await createSessionApp(t, {
    routes: {
      login: anybody,
      preHandler: async request => { request.user = { user_id: 8, refresh: false, exp: NOW + 60, sid: 'A'.repeat(22), gen: 0 } }
    }
  })
  const [own, victim] = [await signInAs(app, 7), await signInAs(app, 8)]
  t.match(await list(app, own.token), [{ id: claimsIn(own.token).sid }])
  await app.inject({ method: 'DELETE', url: SESSIONS, headers: bearer(own.token) })
  t.equal(await me(victim.token), '200')
  t.equal(await me(own.token), 'ACCESS_REVOKED')
})

test('DELETE all except the current session ends every other one of the caller, and nobody else\'s', async t => {
  const { app, me, renew, events } = await createSessionApp(t, { routes: { login: anybody } })
  const [here, there, third, text, other] = [
    await signInAs(app, 7), await signInAs(app, 7), await signInAs(app, 7), await signInAs(app, '7'), await signInAs(app, 8)
  ]
  events.length = 0
  const reply = await app.inject({ method: 'DELETE', url: `${SESSIONS}?except=current&since=today`, headers: bearer(here.token) })
  t.strictSame([reply.statusCode, reply.body, reply.headers['cache-control']], [204, '', 'no-store'])
  t.match(events.map(({ type, sid, reason }) => [type, sid, reason]).sort(), [there, third].map(({ token }) => ['revoked', claimsIn(token).sid, 'all_ended']).sort())
  for (const { token, refresh_token: refreshed } of [there, third]) {
    t.equal(await me(token), 'ACCESS_REVOKED')
    t.equal(outcomeOf(await renew(refreshed)), 'REFRESH_REVOKED')
  }
  for (const { token, refresh_token: refreshed } of [here, text, other]) {
    t.equal(await me(token), '200')
    t.equal(outcomeOf(await renew(refreshed)), '201')
  }
})

test('another value of except is refused as Fastify refuses it by a schema, and nothing is ended', async t => {
  const { app, me, signIn, asked } = await createSessionApp(t)
  const plain = Fastify()
  t.teardown(() => plain.close())
  plain.delete('/', { schema: { querystring: { type: 'object', properties: { except: { type: 'string', enum: ['current'] } } } } }, async () => 'done')
  const { token } = await signIn()
  asked()
  for (const query of ['except=', 'except', 'except=Current', 'except=all', `except=${claimsIn(token).sid}`, 'except=current%20', 'except=__proto__']) {
    const reply = await app.inject({ method: 'DELETE', url: `${SESSIONS}?${query}`, headers: bearer(token) })
    t.strictSame([reply.statusCode, reply.json()], [400, (await plain.inject({ method: 'DELETE', url: `/?${query}` })).json()], query)
    t.equal(reply.headers['cache-control'], 'no-store')
  }
  const twice = await app.inject({ method: 'DELETE', url: `${SESSIONS}?except=current&except=current`, headers: bearer(token) })
  t.match([twice.statusCode, twice.json().code], [400, 'FST_ERR_VALIDATION'])
  t.strictSame(asked(), [])
  t.equal(await me(token), '200')
})

test('the refusal of a query has the shape that the application gives to errors of validation', async t => {
  const { app, signIn } = await createSessionApp(t, {
    routes: {
      login: () => ({ user_id: 7 }),
      preValidation: async (_request, reply) => { reply.header('x-own', 'first') },
      schemaErrorFormatter: ([error], context) => Object.assign(new Error(`${context}: ${error!.keyword} ${error!.instancePath}`), { statusCode: 422, code: 'OWN' })
    }
  })
  const { token } = await signIn()
  const reply = await app.inject({ method: 'DELETE', url: `${SESSIONS}?except=x`, headers: bearer(token) })
  t.match([reply.statusCode, reply.json(), reply.headers['x-own']], [422, { code: 'OWN', message: 'querystring: enum /except' }, 'first'])
})

test('with a store that spares no session, except is refused, and nothing is ended', async t => {
  const { app, me, signIn, asked } = await createSessionApp(t, { told: createToldStore(lacking('except')) })
  const { token } = await signIn()
  asked()
  const reply = await app.inject({ method: 'DELETE', url: `${SESSIONS}?except=current`, headers: bearer(token) })
  t.match([reply.statusCode, reply.json().code], [400, 'FST_ERR_VALIDATION'])
  t.strictSame(asked(), [])
  t.equal(outcomeOf(await app.inject({ method: 'DELETE', url: SESSIONS, headers: bearer(token) })), '204')
  t.equal(await me(token), 'ACCESS_REVOKED')
})
