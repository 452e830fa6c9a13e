import { Type } from '@sinclair/typebox'
import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest, type InjectOptions, type preHandlerHookHandler } from 'fastify'
import { test, type Test } from 'tap'
import { defineRoutes, dualToken, memoryStore, type DualTokenRoutes, type DualTokenUser } from '../../lib/index.ts'
import { bearer, createApp, createClock, type App } from '../support/app.ts'
import { ACCESS_LIFETIME, accessClaims, accessToken, claimsIn, NOW, refreshClaims, refreshToken, SECRET } from '../support/tokens.ts'

const PATH = '/authorizations'

type Outcome = [status: number, code: unknown]

function post (app: FastifyInstance, options: InjectOptions = {}) {
  return app.inject({ method: 'POST', url: PATH, payload: {}, ...options })
}

function put (app: FastifyInstance, options: InjectOptions = {}) {
  return app.inject({ method: 'PUT', url: PATH, headers: bearer(refreshToken()), ...options })
}

async function outcomeOf (reply: ReturnType<typeof post>): Promise<Outcome> {
  const { statusCode, ...rest } = await reply
  return [statusCode, rest.json().code]
}

/** A server whose `login` or `loadUser` does as told. */
async function createWith (t: Parameters<typeof createApp>[0], routes: Partial<DualTokenRoutes>): Promise<App> {
  return createApp(t, { routes: { login: () => ({ user_id: 7 }), ...routes } })
}

test('without the option, there are no routes', async t => {
  for (const routes of [undefined, false] as const) {
    const app = Fastify()
    t.teardown(() => app.close())
    await app.register(dualToken, { secret: SECRET, ...(routes === false && { routes }) })
    for (const method of ['POST', 'PUT', 'GET', 'DELETE'] as const) {
      t.equal((await app.inject({ method, url: PATH })).statusCode, 404, method)
    }
  }
})

test('there are no other routes than POST and PUT', async t => {
  const { app } = await createApp(t)
  for (const method of ['GET', 'HEAD', 'DELETE', 'PATCH', 'OPTIONS'] as const) {
    t.equal((await app.inject({ method, url: PATH })).statusCode, 404, method)
  }
})

test('the routes are at path, below the prefix of the context', async t => {
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(async context => {
    await context.register(dualToken, { secret: SECRET, now: createClock().now, routes: { path: '/session', login: () => ({ user_id: 7 }) } })
  }, { prefix: '/v1' })
  t.equal((await post(app, { url: '/v1/session' })).statusCode, 201)
  t.equal((await put(app, { url: '/v1/session' })).statusCode, 201)
  for (const url of ['/session', PATH, `/v1${PATH}`]) t.equal((await post(app, { url })).statusCode, 404, url)
})

test('every reply of a ready route carries Cache-Control: no-store, whatever went wrong and wherever', async t => {
  const json = { 'content-type': 'application/json' }
  const cases: Array<[number, InjectOptions]> = [
    [201, { method: 'POST', url: '/authorizations', payload: { password: 'good' } }],
    [401, { method: 'POST', url: '/authorizations', payload: { password: 'bad' } }],
    [400, { method: 'POST', url: '/authorizations', payload: [] }],
    [400, { method: 'POST', url: '/authorizations', payload: '{', headers: json }],
    [413, { method: 'POST', url: '/authorizations', payload: { password: 'x'.repeat(20_000) } }],
    [415, { method: 'POST', url: '/authorizations', payload: 'a=b', headers: { 'content-type': 'application/x-www-form-urlencoded' } }],
    [500, { method: 'POST', url: '/authorizations', payload: { password: 'breaks' } }],
    [403, { method: 'PUT', url: '/authorizations' }],
    [413, { method: 'PUT', url: '/authorizations', payload: 'x'.repeat(20_000), headers: bearer(refreshToken()) }],
    [429, { method: 'POST', url: '/authorizations', payload: {}, headers: { 'x-limited': '1' } }],
    [401, { method: 'DELETE', url: '/authorizations' }],
    [401, { method: 'GET', url: '/authorizations/sessions' }],
    [401, { method: 'HEAD', url: '/authorizations/sessions' }],
    [401, { method: 'DELETE', url: '/authorizations/sessions/x' }],
    [401, { method: 'DELETE', url: '/authorizations/sessions' }]
  ]
  const { app } = await createApp(t, {
    sessions: { store: memoryStore() },
    routes: {
      async login ({ password }) {
        if (password === 'breaks') throw new Error('no database')
        return password === 'good' ? { user_id: 7 } : null
      },
      async onSend (_request, reply) { reply.header('x-own', 'kept') }
    }
  })
  app.addHook('onRequest', async request => {
    if (request.headers['x-limited'] === '1') throw Object.assign(new Error('slow down'), { statusCode: 429 })
  })
  for (const [status, request] of cases) {
    const reply = await app.inject(request)
    t.strictSame([reply.statusCode, reply.headers['cache-control'], reply.headers['x-own']], [status, 'no-store', 'kept'], `${request.method} ${request.url} ${status}`)
  }
  t.equal((await app.inject('/open')).headers['cache-control'], undefined)
})

test('Cache-Control: no-store stays on a reply, whatever a hook of the application does', async t => {
  async function fail (): Promise<never> { throw new Error('broken') }
  async function store (_request: unknown, reply: FastifyReply): Promise<void> { reply.header('cache-control', 'public') }
  const login: DualTokenRoutes['login'] = () => ({ user_id: 7 })
  const cases: Array<[name: string, status: number, routes: DualTokenRoutes, prepare?: (app: FastifyInstance) => unknown]> = [
    ['its onSend of every route breaks', 500, { login }, app => app.addHook('onSend', fail)],
    ['its onSend of the ready routes breaks', 500, { login, onSend: fail }],
    ['its onSend of the ready routes says otherwise', 201, { login, onSend: [store] }],
    ['its onRequest of the ready routes breaks', 500, { login, onRequest: fail }],
    ['its onRequest of the ready routes says otherwise', 201, { login, onRequest: [store] }],
    ['its error handler breaks', 500, { login: fail }, app => app.setErrorHandler(() => { throw new Error('again') })],
    ['its login throws another header', 418, { login () { throw Object.assign(new Error(), { statusCode: 418, headers: { 'cache-control': 'public' } }) } }]
  ]
  for (const [name, status, routes, prepare] of cases) {
    const app = Fastify()
    t.teardown(() => app.close())
    prepare?.(app)
    await app.register(dualToken, { secret: SECRET, routes })
    const reply = await post(app)
    t.strictSame([reply.statusCode, reply.headers['cache-control']], [status, 'no-store'], name)
  }
})

test('token replies carry Cache-Control: no-store and nothing that is not documented', async t => {
  const { app } = await createApp(t)
  const signedIn = await post(app, { payload: { password: 'good' } })
  const renewed = await put(app)
  for (const reply of [signedIn, renewed]) {
    t.equal(reply.headers['cache-control'], 'no-store')
    t.match(reply.headers['content-type'], /^application\/json\b/)
  }
  const { token, refresh_token: refreshed, ...rest } = signedIn.json()
  t.strictSame(claimsIn(token), accessClaims({ role: 'member' }))
  t.strictSame(claimsIn(refreshed), refreshClaims({ role: 'member' }))
  t.strictSame(rest, { token_type: 'Bearer', expires_in: ACCESS_LIFETIME })
  t.strictSame(renewed.json(), { token: accessToken(), token_type: 'Bearer', expires_in: ACCESS_LIFETIME })
})

test('login gets the body and the request, and its user is carried in both tokens', async t => {
  const seen: unknown[] = []
  const { app } = await createWith(t, {
    login (body, request) {
      seen.push(body, request.headers['x-device'])
      return { user_id: 'u-1', role: 'member' }
    }
  })
  const reply = await post(app, { payload: { name: 'demo', password: 'p' }, headers: { 'x-device': 'phone' } })
  t.strictSame(seen, [{ name: 'demo', password: 'p' }, 'phone'])
  for (const token of [reply.json().token, reply.json().refresh_token]) {
    t.match(claimsIn(token), { user_id: 'u-1', role: 'member' })
  }
})

test('login and loadUser may be sync or async', async t => {
  for (const user of [{ user_id: 7 }, Promise.resolve({ user_id: 7 })]) {
    const { app } = await createWith(t, { login: () => user, loadUser: () => user })
    t.equal((await post(app)).statusCode, 201)
    t.equal((await put(app)).statusCode, 201)
  }
})

test('null, false and undefined mean no user: login is refused, and so is the refresh', async t => {
  for (const nobody of [null, false, undefined] as const) {
    for (const answer of [() => nobody, async () => nobody]) {
      const { app } = await createWith(t, { login: answer, loadUser: answer })
      const refused = await post(app)
      t.strictSame(refused.json(), {
        statusCode: 401, code: 'FST_DUAL_TOKEN_LOGIN_REFUSED', error: 'Unauthorized', message: 'Invalid credentials.'
      })
      t.match(refused.headers, { 'www-authenticate': 'Bearer', 'cache-control': 'no-store' })

      const gone = await put(app)
      t.strictSame(gone.json(), {
        statusCode: 403, code: 'FST_DUAL_TOKEN_REFRESH_USER_GONE', error: 'Forbidden', message: 'Wrong Token'
      })
      t.equal(gone.headers['cache-control'], 'no-store')
    }
  }
})

test('errors of login and loadUser reach the error handler of the application', async t => {
  class DatabaseDown extends Error {
    statusCode = 503
  }
  const failures = [
    () => { throw new DatabaseDown('no connection') },
    async () => { throw new DatabaseDown('no connection') }
  ]
  for (const fail of failures) {
    for (const first of ['handler', 'plugin']) {
      const app = Fastify()
      t.teardown(() => app.close())
      const register = () => app.register(dualToken, { secret: SECRET, now: createClock().now, routes: { login: fail, loadUser: fail } })
      const caught: unknown[] = []
      if (first === 'plugin') register()
      app.setErrorHandler((error, _request, reply) => {
        caught.push(error)
        reply.code(503).send('busy')
      })
      if (first === 'handler') await register()

      for (const reply of [await post(app), await put(app)]) t.strictSame([reply.statusCode, reply.body], [503, 'busy'])
      t.ok(caught.every(error => error instanceof DatabaseDown))
      t.equal(caught.length, 2)
    }
  }
})

test('an invalid user is a programming error: 500 USER_INVALID', async t => {
  const users: unknown[] = [
    true, 7, 'demo', '', 0, [], [{ user_id: 7 }], {}, { id: 7 }, { user_id: 0 }, { user_id: '' }, { user_id: null }, { user_id: 2 ** 53 },
    { user_id: 7n }, { user_id: 7, text: 'x'.repeat(5000) },
    ...['exp', 'iat', 'nbf', 'iss', 'aud', 'jti', 'refresh', 'sid', 'gen', 'n'].map(name => ({ user_id: 7, [name]: 1 })),
    JSON.parse('{"user_id":7,"__proto__":{"refresh":true}}')
  ]
  for (const user of users) {
    const answer = () => user as DualTokenUser
    const { app } = await createWith(t, { login: answer, loadUser: answer })
    t.strictSame(await outcomeOf(post(app)), [500, 'FST_DUAL_TOKEN_USER_INVALID'])
    t.strictSame(await outcomeOf(put(app)), [500, 'FST_DUAL_TOKEN_USER_INVALID'])
  }
})

test('extra claims cannot reach the prototype of what handlers see', async t => {
  const { app } = await createWith(t, {
    login: () => ({ user_id: 7, constructor: { prototype: { admin: true } }, hasOwnProperty: 'gone', toString: null })
  })
  app.get('/look', async ({ user }) => ({ user, admin: (({} as { admin?: boolean })).admin ?? false }))
  const { token } = (await post(app)).json()
  t.match((await app.inject({ url: '/look', headers: bearer(token) })).json(), {
    user: { user_id: 7, constructor: { prototype: { admin: true } }, hasOwnProperty: 'gone', toString: null }, admin: false
  })
})

test('loadUser gets the id as it was issued, and the request', async t => {
  for (const id of [7, '7', -1, 'ü']) {
    const seen: unknown[] = []
    const { app } = await createWith(t, {
      loadUser (userId, request) {
        seen.push(userId, request?.method)
        return { user_id: userId }
      }
    })
    const reply = await put(app, { headers: bearer(refreshToken({ user_id: id })) })
    t.strictSame(seen, [id, 'PUT'])
    t.equal(claimsIn(reply.json().token).user_id, id)
  }
})

test('loadUser cannot return another user', async t => {
  for (const id of [8, '7']) {
    const { app } = await createWith(t, { loadUser: () => ({ user_id: id }) })
    t.strictSame(await outcomeOf(put(app)), [500, 'FST_DUAL_TOKEN_USER_INVALID'])
  }
})

test('a refresh uses the verdict of the guard, not request.user', async t => {
  const { app } = await createWith(t, {
    onRequest: async (request: FastifyRequest) => { request.user = { user_id: 1, refresh: true, exp: NOW + 60 } }
  })
  t.equal(claimsIn((await put(app)).json().token).user_id, 7)
  t.strictSame(await outcomeOf(put(app, { headers: {} })), [403, 'FST_DUAL_TOKEN_REFRESH_MISSING'])
})

test('PUT lets refresh tokens pass and nothing else', async t => {
  const { app } = await createApp(t)
  const cases: Array<[Record<string, string>, string]> = [
    [{}, 'MISSING'],
    [bearer('x'), 'INVALID'],
    [bearer(refreshToken({ exp: NOW })), 'EXPIRED'],
    [bearer(accessToken()), 'IS_ACCESS']
  ]
  for (const [headers, kind] of cases) t.strictSame(await outcomeOf(put(app, { headers })), [403, `FST_DUAL_TOKEN_REFRESH_${kind}`])
})

test('with userIdClaim, tokens carry the id under that name', async t => {
  const { app } = await createApp(t, { userIdClaim: 'sub', routes: { login: () => ({ sub: 'u-1', user_id: 1 }) } })
  const { token, refresh_token: refreshed } = (await post(app)).json()
  t.match(claimsIn(token), { sub: 'u-1', user_id: 1 })
  const renewed = await put(app, { headers: bearer(refreshed) })
  t.strictSame(claimsIn(renewed.json().token), { sub: 'u-1', refresh: false, iat: NOW, exp: NOW + ACCESS_LIFETIME })
})

test('credentials are validated by the body schema', async t => {
  let calls = 0
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(dualToken, {
    secret: SECRET,
    routes: defineRoutes({
      body: Type.Object({ username: Type.String({ minLength: 1 }), password: Type.String() }, { additionalProperties: false }),
      login ({ username, password }) {
        calls++
        return password === 'good' ? { user_id: username } : null
      }
    })
  })
  for (const payload of [{}, { username: 'demo' }, { username: '', password: 'good' }, { username: {}, password: 'good' }, [], [{}]]) {
    t.strictSame(await outcomeOf(post(app, { payload })), [400, 'FST_ERR_VALIDATION'], JSON.stringify(payload))
  }
  t.equal(calls, 0)
  t.equal((await post(app, { payload: { username: 'demo', password: 'good', admin: true } })).statusCode, 201)
  t.strictSame(await outcomeOf(post(app, { payload: { username: 'demo', password: 'bad' } })), [401, 'FST_DUAL_TOKEN_LOGIN_REFUSED'])
})

test('POST accepts a JSON object, and answers 400 to other JSON', async t => {
  const { app } = await createWith(t, {})
  for (const type of ['application/json', 'application/json; charset=utf-8', 'Application/JSON', 'application/json;charset="UTF-8"']) {
    t.equal((await post(app, { payload: '{"a":1}', headers: { 'content-type': type } })).statusCode, 201, type)
  }
  const json = { 'content-type': 'application/json' }
  for (const payload of [
    '', ' ', '{', 'null', '7', '"text"', '[]', '[{}]', 'undefined', '{"a":1}}', '{"__proto__":{"a":1}}', '{"constructor":{"prototype":{}}}'
  ]) {
    t.equal((await post(app, { payload, headers: json })).statusCode, 400, payload)
  }
  t.equal((await app.inject({ method: 'POST', url: PATH })).statusCode, 400, 'no body at all')
})

test('POST answers 415 to every other media type', async t => {
  const { app } = await createWith(t, {})
  for (const type of [
    'text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/jsonp', 'application/json-patch+json',
    'application/vnd.api+json', 'text/json', 'application/octet-stream', 'application/', 'json', '*/*', ','
  ]) {
    const reply = await post(app, { payload: '{"a":1}', headers: { 'content-type': type } })
    t.equal(reply.statusCode, 415, type)
  }
})

test('PUT discards whatever body it gets', async t => {
  const { app } = await createApp(t)
  const cases: Array<[string | undefined, string | undefined]> = [
    [undefined, undefined], ['', 'application/json'], [undefined, 'application/json'], ['{', 'application/json'], ['{"a":1}', 'application/json'],
    ['null', 'application/json'], ['a=b', 'application/x-www-form-urlencoded'], ['text', 'text/plain'], ['--x', 'multipart/form-data; boundary=x'],
    ['\u0000\u00ff', 'application/octet-stream'], ['garbage', 'gar bage'], ['garbage', ','], ['', '*/*'], ['{"__proto__":1}', undefined]
  ]
  for (const [payload, type] of cases) {
    const reply = await put(app, {
      ...(payload !== undefined && { payload }),
      headers: { ...bearer(refreshToken()), ...(type !== undefined && { 'content-type': type }) }
    })
    t.equal(reply.statusCode, 201, `${JSON.stringify(payload)} as ${type}`)
  }
})

test('bodies of more than 16 KiB are answered with 413', async t => {
  const { app } = await createWith(t, {})
  const bodyOf = (bytes: number) => JSON.stringify({ a: 'x'.repeat(bytes - 8) })
  const headers = { ...bearer(refreshToken()), 'content-type': 'application/json' }
  for (const send of [post, put]) {
    t.equal((await send(app, { payload: bodyOf(16_384), headers })).statusCode, 201)
    t.strictSame(await outcomeOf(send(app, { payload: bodyOf(16_385), headers })), [413, 'FST_ERR_CTP_BODY_TOO_LARGE'])
  }
})

test('the parsers of the application are left alone, and do not reach the routes', async t => {
  const app = Fastify()
  t.teardown(() => app.close())
  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) => done(null, { form: body }))
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, { any: body }))
  await app.register(dualToken, { secret: SECRET, now: createClock().now, routes: { login: () => ({ user_id: 7 }) } })
  app.post('/echo', async request => request.body)

  const form = { payload: 'a=b', headers: { ...bearer(refreshToken()), 'content-type': 'application/x-www-form-urlencoded' } }
  t.strictSame((await app.inject({ method: 'POST', url: '/echo', ...form })).json(), { form: 'a=b' })
  t.strictSame((await app.inject({ method: 'POST', url: '/echo', payload: 'x', headers: { 'content-type': 'text/x' } })).json(), { any: 'x' })
  t.strictSame((await app.inject({ method: 'POST', url: '/echo', payload: { a: 1 } })).json(), { a: 1 })
  t.equal((await post(app, form)).statusCode, 415)
  t.equal((await put(app, form)).statusCode, 201)
})

test('options of a Fastify route are passed on to both routes', async t => {
  const seen: string[] = []
  const note = (name: string): preHandlerHookHandler => (request, _reply, done) => {
    seen.push(`${name} ${request.method}`)
    done()
  }
  const app = Fastify()
  t.teardown(() => app.close())
  const registered: unknown[] = []
  app.addHook('onRoute', ({ method, schema, config }) => { registered.push({ method, schema, config }) })
  await app.register(dualToken, {
    secret: SECRET,
    now: createClock().now,
    routes: {
      login: () => ({ user_id: 7 }),
      config: { rateLimit: { max: 5 } } as object,
      tags: ['auth'],
      schema: { summary: 'Tokens' },
      onRequest: note('onRequest'),
      preValidation: [note('preValidation')],
      preHandler: [note('first'), note('second')],
      onResponse: async ({ method }) => { seen.push(`onResponse ${method}`) }
    }
  })
  const described = { schema: { tags: ['auth'], summary: 'Tokens' }, config: { rateLimit: { max: 5 } } }
  t.match(registered, [{ method: 'POST', ...described }, { method: 'PUT', ...described }])

  const steps = (method: string) => ['onRequest', 'preValidation', 'first', 'second', 'onResponse'].map(name => `${name} ${method}`)
  t.equal((await post(app)).statusCode, 201)
  t.strictSame(seen.splice(0), steps('POST'))
  t.equal((await put(app)).statusCode, 201)
  t.strictSame(seen.splice(0), steps('PUT'))
})

test('a preHandler or a list of them is passed on, and runs after the guard of PUT', async t => {
  let calls = 0
  const { app } = await createWith(t, {
    preHandler (_request, _reply, done) {
      calls++
      done()
    }
  })
  t.equal((await put(app)).statusCode, 201)
  t.equal((await put(app, { headers: {} })).statusCode, 403)
  t.equal(calls, 1)
})

test('an onRequest hook can limit the rate of sign-ins', async t => {
  let left = 2
  let calls = 0
  const { app } = await createWith(t, {
    login () {
      calls++
      return null
    },
    onRequest (_request, reply, done) {
      if (left-- > 0) done()
      else reply.code(429).header('retry-after', '60').send({ statusCode: 429 })
    }
  })
  const statuses = []
  for (let i = 0; i < 4; i++) statuses.push((await post(app)).statusCode)
  t.strictSame(statuses, [401, 401, 429, 429])
  t.equal(calls, 2)
})

test('bodyLimit and errorHandler can be passed on', async t => {
  const { app } = await createWith(t, {
    bodyLimit: 20,
    errorHandler: (error, _request, reply) => { reply.code(400).send({ code: `own ${error.code}` }) }
  })
  t.strictSame(await outcomeOf(post(app, { payload: { a: 'x'.repeat(30) } })), [400, 'own FST_ERR_CTP_BODY_TOO_LARGE'])
  t.strictSame(await outcomeOf(put(app, { headers: {} })), [400, 'own FST_DUAL_TOKEN_REFRESH_MISSING'])
})

test('an error handler reaches the ready routes when it was set before they were registered', async t => {
  for (const before of [true, false]) {
    const app = Fastify()
    t.teardown(() => app.close())
    const set = () => { app.setErrorHandler<FastifyError>((error, _request, reply) => { reply.code(400).send({ code: `own ${error.code}` }) }) }
    if (before) set()
    await app.register(dualToken, { secret: SECRET, routes: { login: () => null } })
    if (!before) set()
    app.get('/me', { preHandler: app.loginRequired }, async () => 'in')
    t.strictSame(await outcomeOf(post(app)), before ? [400, 'own FST_DUAL_TOKEN_LOGIN_REFUSED'] : [401, 'FST_DUAL_TOKEN_LOGIN_REFUSED'])
    t.strictSame(await outcomeOf(app.inject('/me')), [400, 'own FST_DUAL_TOKEN_ACCESS_MISSING'])
  }
})

/** As Zod's compilers do: another kind of schema than their own they do not understand. */
interface Foreign { parse (data: unknown): unknown }
function createForeignApp (t: Test): FastifyInstance {
  const app = Fastify()
  t.teardown(() => app.close())
  app.setValidatorCompiler<Foreign>(({ schema }) => data => ({ value: schema.parse(data) }))
  app.setSerializerCompiler<Foreign>(({ schema }) => data => JSON.stringify(schema.parse(data)))
  return app
}

test('the ready routes use the compilers of the application only for its own body schema', async t => {
  const routes: DualTokenRoutes = { login: ({ password }) => password === 'good' ? { user_id: 7 } : null }
  const body: Foreign = { parse: data => ({ password: (data as { secret: string }).secret }) }
  const sessions = { store: memoryStore() }
  const cases = [[routes, { password: 'good' }], [{ ...routes, body }, { secret: 'good' }], [{ ...routes, body: Object.assign(() => {}, body) }, { secret: 'good' }]] as const
  for (const [given, credentials] of cases) {
    const app = createForeignApp(t)
    await app.register(dualToken, { secret: SECRET, routes: given, sessions })
    const pair = (await post(app, { payload: credentials })).json()
    const renewed = await put(app, { headers: bearer(pair.refresh_token) })
    t.equal(renewed.statusCode, 201)
    t.equal((await app.inject({ url: `${PATH}/sessions`, headers: bearer(pair.token) })).json().sessions.length, 1)
    t.equal((await app.inject({ method: 'DELETE', url: PATH, headers: bearer(pair.token) })).statusCode, 204)
  }
})

test('without a body schema, anything but an object is refused as with one', async t => {
  const seen: unknown[] = []
  const replies = await Promise.all([{}, { body: { type: 'object' } }].map(async more => {
    const { app } = await createWith(t, {
      ...more,
      preValidation: async request => { if (request.body === 7) request.body = { a: 1 } },
      errorHandler (error, _request, reply) {
        seen.push([error.message, error.code, error.validation, error.validationContext])
        reply.send(error)
      }
    })
    const payloads = ['[]', 'null', '"text"', '7']
    return await Promise.all(payloads.map(async payload => {
      const { statusCode, body } = await post(app, { payload, headers: { 'content-type': 'application/json' } })
      return [statusCode, statusCode === 400 && body]
    }))
  }))
  t.strictSame(replies[0], replies[1])
  t.strictSame(replies[0]!.map(([status]) => status), [400, 400, 400, 201])
  t.equal(seen.length, 6)
  for (const error of seen) t.strictSame(error, seen[0])
})

test('a schemaErrorFormatter is called, with a body schema and without', async t => {
  for (const more of [{}, { body: { type: 'object' } }]) {
    const { app } = await createWith(t, {
      ...more,
      schemaErrorFormatter: ([first], dataVar) => Object.assign(new Error(`${dataVar}: ${first!.keyword}`), { statusCode: 422 })
    })
    t.match((await post(app, { payload: [] })).json(), { statusCode: 422, message: 'body: type', code: 'FST_ERR_VALIDATION' })
  }
})

test('the options are never written to, from boot to the last request', async t => {
  const onRequest = Object.freeze([Object.freeze<preHandlerHookHandler>((_request, _reply, done) => done())]) as preHandlerHookHandler[]
  const routes = Object.freeze<DualTokenRoutes>({
    login: () => ({ user_id: 7 }),
    loadUser: userId => Object.freeze({ user_id: userId }),
    body: Object.freeze({ type: 'object', properties: Object.freeze({ a: Object.freeze({ type: 'string', default: 'b' }) }) }),
    config: Object.freeze({ rateLimit: Object.freeze({ max: 5 }) }) as object,
    tags: Object.freeze(['auth']) as string[],
    schema: Object.freeze({ summary: 'Tokens', headers: Object.freeze({ type: 'object', properties: Object.freeze({}) }) }),
    constraints: Object.freeze({}),
    onRequest,
    preHandler: onRequest
  })
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(dualToken, Object.freeze({ secret: Object.freeze([SECRET]), now: createClock().now, routes }))
  t.equal((await post(app)).statusCode, 201)
  t.equal((await put(app)).statusCode, 201)
})
