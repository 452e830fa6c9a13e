import { test } from 'tap'
import { readRoutes } from '../../lib/options/routes.ts'

const login = () => null

test('login is enough: the routes are at /authorizations and accept any JSON object', async t => {
  const routes = readRoutes({ login })
  t.equal(routes.path, '/authorizations')
  t.equal(routes.body, undefined)
  t.equal(routes.login, login)
  t.equal(routes.loadUser, undefined)
  t.strictSame(routes.schema, { tags: ['authorizations'] })
  t.strictSame(routes.passedOn, {})
})

test('options of a Fastify route are passed on, and ours are not', async t => {
  const passedOn = {
    bodyLimit: 100,
    config: { rateLimit: { max: 5 } },
    constraints: { host: 'a.example' },
    logLevel: 'silent',
    onRequest: [login],
    preHandler: login,
    errorHandler: login,
    helmet: false
  }
  const body = { type: 'object' }
  const loadUser = () => null
  t.strictSame(readRoutes({ path: '/session', body, login, loadUser, ...passedOn }), {
    path: '/session', body, login, loadUser, label: undefined, refreshExpiresIn: undefined, reply: undefined, schema: { tags: ['authorizations'] }, passedOn
  })
})

test('tags is a shorthand for schema.tags, which wins when both are set', async t => {
  t.strictSame(readRoutes({ login, tags: ['auth'] }).schema, { tags: ['auth'] })
  t.strictSame(readRoutes({ login, tags: ['auth'], schema: { summary: 'Signs in' } }).schema, { tags: ['auth'], summary: 'Signs in' })
  t.strictSame(readRoutes({ login, tags: ['auth'], schema: { tags: ['other'] } }).schema, { tags: ['other'] })
})

test('an unknown member is refused, even if it is undefined', async t => {
  for (const name of ['prefixTrailingSlash', 'prefix', 'method', 'version', 'Login', 'constructor', '__proto__x']) {
    t.throws(() => readRoutes({ login, [name]: undefined }), {
      code: 'FST_DUAL_TOKEN_OPTION_INVALID', message: `Option routes.${name} is not known.`
    })
  }
})

test('schema may contain neither body nor response', t => {
  for (const name of ['body', 'response']) {
    t.throws(() => readRoutes({ login, schema: { summary: 'Signs in', [name]: { type: 'object' } } }), {
      code: 'FST_DUAL_TOKEN_OPTION_INVALID', message: `Option routes.schema.${name} is not known.`
    })
  }
  t.end()
})

test('a passed-on option may be undefined but not null', async t => {
  t.doesNotThrow(() => readRoutes({ login, onRequest: undefined }))
  for (const name of ['onRequest', 'preHandler', 'config', 'bodyLimit']) {
    t.throws(() => readRoutes({ login, [name]: null }), {
      code: 'FST_DUAL_TOKEN_OPTION_INVALID', message: `Option routes.${name} must not be null.`
    })
  }
})
