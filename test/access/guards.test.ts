import fastifyAuth from '@fastify/auth'
import swagger from '@fastify/swagger'
import Fastify, { type FastifyInstance, type InjectOptions, type onRequestHookHandler, type preHandlerHookHandler } from 'fastify'
import { test, type Test } from 'tap'
import { dualToken, loginRequired, memoryStore, refreshRequired, withDualToken } from '../../lib/index.ts'
import { bearer, createApp, createClock } from '../support/app.ts'
import { accessToken, mint, NOW, OTHER_SECRET, refreshToken, SECRET } from '../support/tokens.ts'

const answer = async () => 'in'

/** What each kind of caller gets from a guarded route: `in`, or the end of the error's code. */
async function outcomes (app: FastifyInstance, route: InjectOptions | string): Promise<string[]> {
  const options = typeof route === 'string' ? { url: route } : route
  const found = []
  for (const headers of [{}, bearer(accessToken()), bearer(refreshToken())]) {
    const reply = await app.inject({ ...options, headers })
    found.push(reply.statusCode === 200 ? 'in' : String(reply.json().code).replace('FST_DUAL_TOKEN_', ''))
  }
  return found
}

const FOR_ACCESS = ['ACCESS_MISSING', 'in', 'ACCESS_IS_REFRESH']
const FOR_REFRESH = ['REFRESH_MISSING', 'REFRESH_IS_ACCESS', 'in']

async function createBare (t: Test): Promise<FastifyInstance> {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(dualToken, { secret: SECRET, now: createClock().now })
  return app
}

test('each reason has its code, and all codes of one status their one message', async t => {
  const { app } = await createApp(t)
  const cases: Array<[string, string, Record<string, string>]> = [
    ['MISSING', 'no token', {}],
    ['MISSING', 'another scheme', { authorization: 'Basic eA==' }],
    ['INVALID', 'a forged token', bearer(accessToken({}, OTHER_SECRET))],
    ['INVALID', 'a malformed token', bearer('x')],
    ['INVALID', 'a tab after the scheme', { authorization: `Bearer\t${accessToken()}` }],
    ['EXPIRED', 'an expired access token', bearer(accessToken({ exp: NOW }))],
    ['EXPIRED', 'an expired refresh token', bearer(refreshToken({ exp: NOW }))],
    ['EXPIRED', 'an expired token of no kind', bearer(mint({ exp: NOW }))]
  ]
  for (const [kind, name, headers] of cases) {
    const access = await app.inject({ url: '/me', headers })
    t.equal(access.statusCode, 401, name)
    t.strictSame(access.json(), {
      statusCode: 401, code: `FST_DUAL_TOKEN_ACCESS_${kind}`, error: 'Unauthorized', message: 'User must be authorized.'
    })
    const refresh = await app.inject({ url: '/renewal', headers })
    t.equal(refresh.statusCode, 403, name)
    t.strictSame(refresh.json(), {
      statusCode: 403, code: `FST_DUAL_TOKEN_REFRESH_${kind}`, error: 'Forbidden', message: 'Wrong Token'
    })
  }
})

test('a refusal carries its challenge and Cache-Control: no-store', async t => {
  const { app } = await createApp(t, { realm: 'shop' })
  const headersOf = async (url: string, headers: Record<string, string>) => {
    const reply = await app.inject({ url, headers })
    return [reply.headers['www-authenticate'], reply.headers['cache-control']]
  }
  t.strictSame(await headersOf('/me', {}), ['Bearer realm="shop"', 'no-store'])
  t.strictSame(await headersOf('/me', bearer('x')),
    ['Bearer realm="shop", error="invalid_token", error_description="The access token is not valid"', 'no-store'])
  t.strictSame(await headersOf('/renewal', {}), [undefined, 'no-store'])
  t.strictSame(await headersOf('/me', bearer(accessToken())), [undefined, undefined], 'a reply of the application is its own')
})

test('a guard works as preHandler and as onRequest, alone and in an array', async t => {
  const app = await createBare(t)
  const { loginRequired, refreshRequired } = app
  app.get('/pre', { preHandler: loginRequired }, answer)
  app.get('/pre-list', { preHandler: [loginRequired] }, answer)
  app.get('/on', { onRequest: loginRequired }, answer)
  app.get('/on-list', { onRequest: [loginRequired] }, answer)
  app.get('/parsing', { preParsing: [(request, reply, _payload, done) => loginRequired(request, reply, done)] }, answer)
  app.get('/validation', { preValidation: loginRequired }, answer)
  app.get('/refresh-pre', { preHandler: refreshRequired }, answer)
  app.get('/refresh-on', { onRequest: [refreshRequired] }, answer)

  for (const url of ['/pre', '/pre-list', '/on', '/on-list', '/parsing', '/validation']) t.strictSame(await outcomes(app, url), FOR_ACCESS, url)
  for (const url of ['/refresh-pre', '/refresh-on']) t.strictSame(await outcomes(app, url), FOR_REFRESH, url)
})

test('nothing after a guard runs when it refuses', async t => {
  const app = await createBare(t)
  let calls = 0
  const count: preHandlerHookHandler = (_request, _reply, done) => {
    calls++
    done()
  }
  app.get('/', { preHandler: [app.loginRequired, count] }, async () => ++calls)
  await app.inject('/')
  t.equal(calls, 0)
  await app.inject({ url: '/', headers: bearer(accessToken()) })
  t.equal(calls, 2)
})

test('a guard added with addHook guards its context and no other', async t => {
  const app = await createBare(t)
  app.register(async context => {
    context.addHook('onRequest', context.loginRequired)
    context.get('/onRequest', answer)
    context.register(async child => child.get('/onRequest/child', answer))
  })
  app.register(async context => {
    context.addHook('preHandler', context.loginRequired)
    context.get('/preHandler', answer)
    context.register(async child => child.get('/preHandler/child', answer))
  })
  app.get('/open', answer)

  for (const url of ['/onRequest', '/onRequest/child', '/preHandler', '/preHandler/child']) {
    t.strictSame(await outcomes(app, url), FOR_ACCESS, url)
  }
  t.strictSame(await outcomes(app, '/open'), ['in', 'in', 'in'])
})

test('every method of a guarded route is guarded, HEAD and OPTIONS too', async t => {
  const app = await createBare(t)
  app.get('/', { preHandler: app.loginRequired }, answer)
  app.route({
    method: ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'], url: '/', preHandler: app.loginRequired, handler: answer
  })
  for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const) {
    t.strictSame(await outcomes(app, { method, url: '/' }), FOR_ACCESS, method)
  }
  const head = (headers: Record<string, string>) => app.inject({ method: 'HEAD', url: '/', headers })
  t.equal((await head({})).statusCode, 401)
  t.equal((await head({})).headers['www-authenticate'], 'Bearer')
  t.equal((await head(bearer(refreshToken()))).statusCode, 403)
  t.equal((await head(bearer(accessToken()))).statusCode, 200)
})

test('a refusal reaches the error handler of the application, with its reason as cause', async t => {
  const app = await createBare(t)
  app.setErrorHandler<Error & { code: string, cause?: Error }>((error, _request, reply) => {
    reply.code(418).send({ code: error.code, cause: error.cause?.message })
  })
  app.get('/', { preHandler: app.loginRequired }, answer)
  const reply = await app.inject({ url: '/', headers: bearer(accessToken({}, OTHER_SECRET)) })
  t.equal(reply.statusCode, 418)
  t.strictSame(reply.json(), { code: 'FST_DUAL_TOKEN_ACCESS_INVALID', cause: 'signature' })
})

test('writing to request.user does not fool a guard', async t => {
  const app = await createBare(t)
  const impostors: onRequestHookHandler[] = [
    (request, _reply, done) => {
      request.user = { user_id: 1, refresh: false, exp: NOW + 60 }
      done()
    },
    (request, _reply, done) => {
      request.user = { user_id: 1, refresh: true, exp: NOW + 60 }
      done()
    },
    (request, _reply, done) => {
      request.user = null
      done()
    }
  ]
  for (const [i, onRequest] of impostors.entries()) {
    app.get(`/access${i}`, { onRequest, preHandler: app.loginRequired }, answer)
    app.get(`/refresh${i}`, { onRequest, preHandler: app.refreshRequired }, answer)
  }
  for (const i of impostors.keys()) {
    t.strictSame(await outcomes(app, `/access${i}`), FOR_ACCESS)
    t.strictSame(await outcomes(app, `/refresh${i}`), FOR_REFRESH)
  }
})

test('changing the Authorization header after the hook has no effect', async t => {
  const app = await createBare(t)
  const onRequest: onRequestHookHandler = (request, _reply, done) => {
    request.headers.authorization = `Bearer ${accessToken()}`
    done()
  }
  app.get('/', { onRequest, preHandler: app.loginRequired }, answer)
  t.strictSame(await outcomes(app, '/'), FOR_ACCESS)
})

test('a decorator read before the plugin has loaded throws in a list, and alone guards nothing', async t => {
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(dualToken, { secret: SECRET })
  t.throws(() => app.get('/list', { preHandler: [app.loginRequired] }, answer), { code: 'FST_ERR_HOOK_INVALID_HANDLER' })
  app.get('/alone', { preHandler: app.loginRequired }, answer)
  t.equal((await app.inject('/alone')).statusCode, 200)
})

const ALONE = { secret: SECRET, now: createClock().now }

test('an imported guard works before the plugin has loaded; a decorator read then is no guard', async t => {
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(dualToken, ALONE)
  app.get('/imported', { preHandler: loginRequired }, answer)
  app.get('/renewal', { onRequest: [refreshRequired] }, answer)
  app.get('/decorated', { preHandler: app.loginRequired }, answer)
  t.strictSame(await outcomes(app, '/imported'), FOR_ACCESS)
  t.strictSame(await outcomes(app, '/renewal'), FOR_REFRESH)
  t.strictSame(await outcomes(app, '/decorated'), ['in', 'in', 'in'], 'the trap')
})

test('an imported guard works wherever the decorator does, with the same replies', async t => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(fastifyAuth)
  await app.register(dualToken, ALONE)
  const pairs = { access: [loginRequired, app.loginRequired], refresh: [refreshRequired, app.refreshRequired] } as const
  for (const [kind, guards] of Object.entries(pairs)) {
    for (const [name, guard] of guards.entries()) {
      app.get(`/${kind}/pre/${name}`, { preHandler: guard }, answer)
      app.get(`/${kind}/list/${name}`, { preHandler: [guard] }, answer)
      app.get(`/${kind}/on/${name}`, { onRequest: guard }, answer)
      app.get(`/${kind}/validation/${name}`, { preValidation: guard }, answer)
      app.get(`/${kind}/auth/${name}`, { preHandler: app.auth([guard]) }, answer)
      app.register(async context => {
        context.addHook('onRequest', guard)
        context.get(`/${kind}/hook/${name}`, answer)
      })
    }
  }
  await app.ready()
  for (const kind of ['access', 'refresh']) {
    for (const place of ['pre', 'list', 'on', 'validation', 'auth', 'hook']) {
      for (const headers of [{}, bearer('x'), bearer(accessToken()), bearer(refreshToken()), bearer(accessToken({ exp: NOW }))]) {
        const [imported, decorated] = await Promise.all([0, 1].map(name => app.inject({ url: `/${kind}/${place}/${name}`, headers })))
        const { date: _, ...expected } = decorated!.headers
        const { date: __, ...found } = imported!.headers
        t.strictSame([imported!.statusCode, imported!.body, found], [decorated!.statusCode, decorated!.body, expected], `${kind} ${place}`)
      }
    }
  }
})

test('an imported guard finds the plugin of its route, in two contexts and in their children', async t => {
  const app = Fastify()
  t.teardown(() => app.close())
  for (const [prefix, secret] of [['/a', SECRET], ['/b', OTHER_SECRET]] as const) {
    app.register(async context => {
      context.register(dualToken, { ...ALONE, secret })
      context.get('/own', { preHandler: loginRequired }, answer)
      context.register(async child => { child.get('/child', { preHandler: loginRequired }, answer) })
    }, { prefix })
  }
  for (const route of ['own', 'child']) {
    for (const [prefix, secret, status] of [['a', SECRET, 200], ['a', OTHER_SECRET, 401], ['b', SECRET, 401], ['b', OTHER_SECRET, 200]] as const) {
      const { statusCode } = await app.inject({ url: `/${prefix}/${route}`, headers: bearer(accessToken({}, secret)) })
      t.equal(statusCode, status, `${prefix} ${route}`)
    }
  }
})

test('without the plugin, or in a context beside it, an imported guard answers 500, and the log says why', async t => {
  const lines: string[] = []
  const app = Fastify({ logger: { stream: { write: line => { lines.push(line) } } } })
  t.teardown(() => app.close())
  app.get('/me', { preHandler: loginRequired }, answer)
  app.get('/renewal', { preHandler: refreshRequired }, answer)
  app.register(async context => { await context.register(dualToken, ALONE) })
  for (const [url, name] of [['/me', 'loginRequired'], ['/renewal', 'refreshRequired']] as const) {
    const reply = await app.inject({ url, headers: bearer(accessToken()) })
    t.equal(reply.statusCode, 500)
    t.equal(reply.json().code, 'FST_DUAL_TOKEN_NOT_REGISTERED')
    const sentence = `${name} needs the plugin: register fastify-dual-token on the server of this route.`
    t.ok(lines.some(line => JSON.parse(line).err?.message === sentence))
  }
})

test('decorating an application with our names does not affect an imported guard', async t => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(dualToken, ALONE)
  const open: preHandlerHookHandler = (_request, _reply, done) => done()
  Object.assign(app, { loginRequired: open, dualToken: {} })
  app.get('/me', { preHandler: loginRequired }, answer)
  t.strictSame(await outcomes(app, '/me'), FOR_ACCESS)
})

test('an imported guard works in a context created before the plugin, and its handler sees the user', async t => {
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(async routes => {
    routes.get('/me', { preHandler: loginRequired }, async request => ({ user_id: request.user?.user_id }))
    routes.get('/renewal', { onRequest: refreshRequired }, async request => ({ user_id: request.user?.user_id }))
  })
  app.register(dualToken, ALONE)
  t.strictSame(await outcomes(app, '/me'), FOR_ACCESS)
  t.strictSame(await outcomes(app, '/renewal'), FOR_REFRESH)
  for (const [url, token] of [['/me', accessToken()], ['/renewal', refreshToken()]] as const) {
    t.strictSame((await app.inject({ url, headers: bearer(token) })).json(), { user_id: 7 }, url)
  }
})

test('an imported guard also protects a not-found handler, and answers 500 there without the plugin', async t => {
  for (const [registered, expected] of [[true, [401, 404, 403]], [false, [500, 500, 500]]] as const) {
    const app = Fastify()
    t.teardown(() => app.close())
    app.setNotFoundHandler({ preHandler: loginRequired }, async (_request, reply) => reply.code(404).send())
    if (registered) app.register(dualToken, ALONE)
    const replies = await Promise.all([{}, bearer(accessToken()), bearer(refreshToken())].map(headers => app.inject({ url: '/none', headers })))
    t.strictSame(replies.map(({ statusCode }) => statusCode), expected)
  }
})

test('a registration within another serves its own routes: an imported guard there is its own', async t => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(dualToken, ALONE)
  app.get('/outer', { preHandler: loginRequired }, answer)
  app.register(async context => {
    context.register(dualToken, { ...ALONE, secret: OTHER_SECRET })
    context.get('/inner', { preHandler: loginRequired }, answer)
  })
  for (const [url, secret, status] of [
    ['/outer', SECRET, 200], ['/outer', OTHER_SECRET, 401], ['/inner', SECRET, 401], ['/inner', OTHER_SECRET, 200]
  ] as const) {
    t.equal((await app.inject({ url, headers: bearer(accessToken({}, secret)) })).statusCode, status, url)
  }
})

test('documents describe an imported guard like the decorator', async t => {
  for (const sessions of [undefined, { store: memoryStore() }, { store: memoryStore(), onStale: 'allow' }] as const) {
    const app = Fastify()
    t.teardown(() => app.close())
    await app.register(swagger, withDualToken({ openapi: { info: { title: 'x', version: '1' } } }))
    await app.register(dualToken, { ...ALONE, ...(sessions && { sessions }) })
    app.get('/a', { preHandler: loginRequired }, answer)
    app.get('/b', { preHandler: app.loginRequired }, answer)
    app.get('/c', { onRequest: [refreshRequired] }, answer)
    app.get('/d', { onRequest: [app.refreshRequired] }, answer)
    await app.ready()
    const { paths } = app.swagger() as { paths: Record<string, unknown> }
    t.strictSame(paths['/a'], paths['/b'])
    t.strictSame(paths['/c'], paths['/d'])
  }
})

test('documents describe an imported guard without the plugin as one without sessions', async t => {
  const documentOf = async (registered: boolean): Promise<unknown> => {
    const app = Fastify()
    t.teardown(() => app.close())
    await app.register(swagger, withDualToken({ openapi: { info: { title: 'x', version: '1' } } }))
    if (registered) await app.register(dualToken, ALONE)
    app.get('/a', { preHandler: loginRequired }, answer)
    app.get('/c', { preHandler: refreshRequired }, answer)
    await app.ready()
    return (app.swagger() as { paths: unknown }).paths
  }
  t.strictSame(await documentOf(false), await documentOf(true))
})

test('for a route declared before the plugin has loaded, documents leave out what only sessions add', async t => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(swagger, withDualToken({ openapi: { info: { title: 'x', version: '1' } } }))
  app.register(dualToken, { ...ALONE, sessions: { store: memoryStore() } })
  app.get('/before', { preHandler: loginRequired }, answer)
  app.register(async context => { context.get('/after', { preHandler: loginRequired }, answer) })
  await app.ready()
  const { paths } = app.swagger() as { paths: Record<string, { get: { responses: object } }> }
  t.strictSame(Object.keys(paths['/before']!.get.responses), ['200', '401', '403'])
  t.strictSame(Object.keys(paths['/after']!.get.responses), ['200', '401', '403', '503'])
})
