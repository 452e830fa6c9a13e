import fastifyJwt from '@fastify/jwt'
import Fastify, { type FastifyInstance } from 'fastify'
import { generateKeyPairSync } from 'node:crypto'
import { createRequire } from 'node:module'
import { test, type Test } from 'tap'
import * as publicNames from '../lib/index.ts'
import { dualToken, memoryStore, type DualTokenOptions, type DualTokenUser } from '../lib/index.ts'
import { bearer, createApp, createClock } from './support/app.ts'
import { accessClaims, accessToken, mint, NOW, OTHER_SECRET, refreshClaims, refreshToken, SECRET } from './support/tokens.ts'

const now = createClock().now

function createServer (t: Test): FastifyInstance {
  const app = Fastify()
  t.teardown(() => app.close())
  return app
}

async function statusOf (app: FastifyInstance, url: string, token: string): Promise<number> {
  return (await app.inject({ url, headers: bearer(token) })).statusCode
}

test('the package exports the plugin under two names, and the helpers for its options', async t => {
  t.strictSame(Object.keys(publicNames).sort(), [
    'decideLimit', 'decideRotation', 'default', 'defineRoutes', 'dualToken', 'isDisplaced', 'loginRequired', 'memoryStore', 'postgresStore', 'redisStore', 'refreshRequired', 'remoteKeys',
    'sqliteStore', 'withDualToken'
  ])
  t.equal(publicNames.default, publicNames.dualToken)
})

test('registered at the root the plugin serves every route, those of other contexts too', async t => {
  const app = createServer(t)
  app.register(async context => {
    context.get('/before', { preHandler: (request, reply, done) => context.loginRequired(request, reply, done) }, async () => 'in')
  })
  app.register(dualToken, { secret: SECRET, now })
  app.register(async context => {
    context.get('/child', { preHandler: context.loginRequired }, async () => 'in')
    context.register(async grandchild => {
      grandchild.get('/grandchild', { preHandler: grandchild.loginRequired }, async () => 'in')
    })
  })
  for (const url of ['/before', '/child', '/grandchild']) {
    t.equal(await statusOf(app, url, accessToken()), 200, url)
    t.equal(await statusOf(app, url, refreshToken()), 403, url)
  }
})

test('two instances in sibling contexts refuse the tokens of each other', async t => {
  const app = createServer(t)
  for (const [name, secret] of [['one', SECRET], ['other', OTHER_SECRET]] as const) {
    app.register(async context => {
      await context.register(dualToken, { secret, now, routes: { path: `/${name}/authorizations`, login: () => ({ user_id: name }) } })
      context.get(`/${name}`, { preHandler: context.loginRequired }, async ({ user }) => user)
      context.get(`/${name}/renewal`, { preHandler: context.refreshRequired }, async ({ user }) => user)
    })
  }
  app.get('/root', async request => ({ user: Object.hasOwn(request, 'user') }))

  const signIn = async (name: string) => (await app.inject({ method: 'POST', url: `/${name}/authorizations`, payload: {} })).json()
  const [one, other] = [await signIn('one'), await signIn('other')]
  t.strictSame(
    await Promise.all([
      statusOf(app, '/one', one.token), statusOf(app, '/one', other.token),
      statusOf(app, '/other', one.token), statusOf(app, '/other', other.token),
      statusOf(app, '/one/renewal', one.refresh_token), statusOf(app, '/one/renewal', other.refresh_token),
      statusOf(app, '/other/renewal', one.refresh_token), statusOf(app, '/other/renewal', other.refresh_token)
    ]),
    [200, 401, 401, 200, 200, 403, 403, 200]
  )
  t.notOk(app.hasDecorator('loginRequired'), 'nothing reaches the parent')
  t.strictSame((await app.inject({ url: '/root', headers: bearer(one.token) })).json(), { user: false })
})

test('a guard of one instance verifies the requests of another with its own secret', async t => {
  const app = createServer(t)
  let guard: FastifyInstance['loginRequired'] | undefined
  await app.register(async context => {
    await context.register(dualToken, { secret: SECRET, now })
    guard = context.loginRequired
  })
  await app.register(async context => {
    await context.register(dualToken, { secret: OTHER_SECRET, now })
    context.get('/', { preHandler: guard! }, async ({ user }) => user?.user_id ?? null)
  })
  t.equal(await statusOf(app, '/', accessToken({}, OTHER_SECRET)), 401)
  const reply = await app.inject({ url: '/', headers: bearer(accessToken({}, SECRET)) })
  t.equal(reply.statusCode, 200)
  t.equal(reply.body, 'null', 'request.user stays with the instance of the context')
})

test('nothing is added but loginRequired, refreshRequired, dualToken and request.user', async t => {
  const app = createServer(t)
  const names = () => ({ instance: Object.keys(app), prototype: Object.keys(Object.getPrototypeOf(app)) })
  const before = names()
  await app.register(dualToken, { secret: SECRET, now })
  const after = names()
  t.strictSame(
    [...after.instance, ...after.prototype].filter(name => ![...before.instance, ...before.prototype].includes(name)),
    ['loginRequired', 'refreshRequired', 'dualToken']
  )
  t.strictSame(Object.keys(app.dualToken), [
    'guard',
    'issueTokens', 'verifyToken', 'setKeys', 'refreshTokens', 'listSessions', 'revokeSession', 'revokeUser', 'setCookies', 'clearCookies'
  ])
  t.ok(Object.isFrozen(app.dualToken))
  t.ok(app.hasRequestDecorator('user'))
  for (const name of ['jwtVerify', 'jwtDecode', 'jwtSign']) t.notOk(app.hasRequestDecorator(name), name)
  t.notOk(app.hasReplyDecorator('jwtSign'))
  t.notOk(app.hasDecorator('jwt'))
})

test('an application that uses @fastify/jwt itself keeps working, registered before or after us', async t => {
  const theirs = 'a secret of the application itself, long enough'
  const orders: Record<string, (app: FastifyInstance) => Promise<void>> = {
    before: async app => {
      await app.register(fastifyJwt, { secret: theirs })
      await app.register(dualToken, { secret: SECRET, now })
    },
    'before, with a decoratorName': async app => {
      await app.register(fastifyJwt, { secret: theirs, decoratorName: 'ticket' })
      await app.register(dualToken, { secret: SECRET, now })
    },
    'after, with a decoratorName': async app => {
      await app.register(dualToken, { secret: SECRET, now })
      await app.register(fastifyJwt, { secret: theirs, decoratorName: 'ticket' })
    },
    'after, with a namespace, too': async app => {
      await app.register(dualToken, { secret: SECRET, now })
      await app.register(fastifyJwt, { secret: theirs, decoratorName: 'ticket' })
      await app.register(fastifyJwt, { secret: theirs, namespace: 'extra', decoratorName: 'extra' })
    }
  }
  for (const [order, register] of Object.entries(orders)) {
    const app = createServer(t)
    await register(app)
    app.get('/theirs', async request => request.jwtVerify())
    app.get('/ours', { preHandler: app.loginRequired }, async ({ user }) => user)

    const theirToken = app.jwt.sign({ hello: 'world' })
    t.match(app.jwt.verify(theirToken), { hello: 'world' }, order)
    t.match((await app.inject({ url: '/theirs', headers: bearer(theirToken) })).json(), { hello: 'world' }, order)
    t.equal(await statusOf(app, '/theirs', accessToken()), 401, order)

    t.strictSame((await app.inject({ url: '/ours', headers: bearer(accessToken()) })).json(), accessClaims(), order)
    t.equal(await statusOf(app, '/ours', theirToken), 401, order)
    t.equal(await statusOf(app, '/ours', mint(accessClaims(), theirs)), 401, order)
  }
})

test('jwtVerify, which writes request.user, does not fool a guard', async t => {
  const theirs = 'a secret of the application itself, long enough'
  const app = createServer(t)
  await app.register(fastifyJwt, { secret: theirs })
  await app.register(dualToken, { secret: SECRET, now })
  app.get('/', {
    onRequest: async request => { await request.jwtVerify() },
    preHandler: app.loginRequired
  }, async () => 'in')
  t.equal(await statusOf(app, '/', app.jwt.sign({ user_id: 7, refresh: false })), 401)
})

test('wrong options fail at boot', async t => {
  const cases: Array<[unknown, string]> = [
    [undefined, 'Option secret is required: at least 32 random bytes.'],
    [{}, 'Option secret is required: at least 32 random bytes.'],
    [{ secret: 'short' }, 'Option secret must be at least 32 bytes long.'],
    [{ secret: SECRET, routes: {} }, 'Option routes.login must be a function.'],
    [{ secret: SECRET, acessExpiresIn: '2h' }, 'Option acessExpiresIn is not known.'],
    [{ secret: SECRET, issuer: null }, 'Option issuer must be a non-empty string.']
  ]
  for (const [options, message] of cases) {
    const app = createServer(t)
    app.register(dualToken, options as DualTokenOptions)
    await t.rejects(Promise.resolve(app.ready()), { code: 'FST_DUAL_TOKEN_OPTION_INVALID', message })
  }
})

test('a body schema that does not compile fails at boot', async t => {
  const app = createServer(t)
  app.register(dualToken, { secret: SECRET, routes: { body: { type: 'no such type' }, login: () => null } })
  await t.rejects(Promise.resolve(app.ready()), { code: 'FST_ERR_SCH_VALIDATION_BUILD' })
})

test('a ready route that Fastify does not accept fails the boot, and does not crash the process', async t => {
  const { privateKey } = generateKeyPairSync('ed25519')
  const taken: Array<['POST' | 'PUT' | 'DELETE' | 'GET', string]> =
    [['POST', '/authorizations'], ['PUT', '/authorizations'], ['DELETE', '/authorizations'], ['GET', '/.well-known/jwks.json']]
  for (const [method, url] of taken) {
    const app = createServer(t)
    app.route({ method, url, handler: async () => 'taken' })
    app.register(dualToken, {
      keys: [{ kid: 'k', algorithm: 'EdDSA', privateKey }], jwks: true, routes: { login: () => null }, sessions: { store: memoryStore() }
    })
    await t.rejects(Promise.resolve(app.ready()), { code: 'FST_ERR_DUPLICATED_ROUTE' }, method)
  }
})

test('a Buffer is copied: wiping it afterwards changes no secret', async t => {
  const secret = Buffer.from(SECRET)
  const { app } = await createApp(t, { secret })
  secret.fill(0)
  t.equal(await statusOf(app, '/me', accessToken()), 200)
  t.equal(await statusOf(app, '/me', accessToken({}, secret)), 401)
  t.equal((await app.dualToken.issueTokens({ user_id: 7 })).token, accessToken())
})

test('in a list of secrets, the first signs and all verify', async t => {
  const { app } = await createApp(t, { secret: [OTHER_SECRET, SECRET] })
  t.equal(await statusOf(app, '/me', accessToken({}, SECRET)), 200)
  t.equal(await statusOf(app, '/me', accessToken({}, OTHER_SECRET)), 200)
  t.equal((await app.dualToken.issueTokens({ user_id: 7 })).token, accessToken({}, OTHER_SECRET))
})

test('issueTokens rejects an invalid user', async t => {
  const { app } = await createApp(t)
  for (const user of [null, undefined, 'demo', {}, { user_id: 0 }, { user_id: 7, exp: 1 }, { user_id: 7, sid: 'a' }]) {
    const issuing = app.dualToken.issueTokens(user as unknown as DualTokenUser)
    await t.rejects(issuing, { code: 'FST_DUAL_TOKEN_USER_INVALID', statusCode: 500 }, JSON.stringify(user))
  }
})

test('verifyToken returns the claims of either kind, or throws the reason for a refusal', async t => {
  const { app } = await createApp(t)
  const { verifyToken } = app.dualToken
  t.match(verifyToken(accessToken()), accessClaims())
  t.match(verifyToken(refreshToken()), refreshClaims())

  const cases: Array<[string, unknown, string]> = [
    ['EXPIRED', accessToken({ exp: NOW }), 'expired'],
    ['EXPIRED', refreshToken({ exp: NOW }), 'expired'],
    ['INVALID', accessToken({}, OTHER_SECRET), 'signature'],
    ['INVALID', '', 'not a compact JWS'],
    ['INVALID', undefined, 'not a compact JWS'],
    ['INVALID', `Bearer ${accessToken()}`, 'not a compact JWS']
  ]
  for (const [kind, token, reason] of cases) {
    t.throws(() => verifyToken(token as string), {
      code: `FST_DUAL_TOKEN_ACCESS_${kind}`, statusCode: 401, message: 'User must be authorized.', cause: { message: reason }
    }, reason)
  }
})

test('the plugin has a name, and requires Fastify 5', async t => {
  const { version } = createRequire(import.meta.url)('fastify/package.json') as { version: string }
  t.match(version, /^5\./)
  const app = createServer(t)
  await app.register(dualToken, { secret: SECRET })
  t.ok(app.hasPlugin('fastify-dual-token'))
})
