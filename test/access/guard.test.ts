// The guards of `fastify.dualToken.guard`, on the wire.
import fastifyAuth from '@fastify/auth'
import Fastify, { type FastifyInstance, type RouteShorthandOptions } from 'fastify'
import { test, type Test } from 'tap'
import { dualToken, memoryStore, type AccessClaims, type DualTokenOptions, type GuardOptions } from '../../lib/index.ts'
import { createGuardFactory } from '../../lib/access/guard.ts'
import { createRefusals } from '../../lib/errors.ts'
import { bearer, createApp, createClock, type AppOptions } from '../support/app.ts'
import { accessToken, forge, NOW, OTHER_SECRET, refreshToken, SECRET } from '../support/tokens.ts'

const answer = async () => 'in'

/** `in`, or the end of the error's code. */
async function ask (app: FastifyInstance, token: string | null, url = '/'): Promise<string> {
  const reply = await app.inject({ url, headers: token === null ? {} : bearer(token) })
  return reply.statusCode === 200 ? 'in' : String(reply.json().code).replace('FST_DUAL_TOKEN_', '')
}

/** A server with one guarded route, `/`, whose tokens say when the user signed in. */
async function guardedBy (t: Test, guard: GuardOptions | undefined, options: AppOptions = {}) {
  const { app, clock } = await createApp(t, { authTime: true, ...options })
  app.get('/', { preHandler: app.dualToken.guard(guard) }, answer)
  return { app, clock, ask: async (token: string | null) => await ask(app, token) }
}

test('without options, a guard is loginRequired', async t => {
  const { app } = await guardedBy(t, undefined)
  t.equal(app.dualToken.guard(), app.loginRequired)
  t.equal(app.dualToken.guard({}), app.loginRequired)
  t.equal(app.dualToken.guard({ maxAge: undefined, scope: undefined, allow: undefined }), app.loginRequired)
})

test('a guard first refuses what loginRequired refuses, with the same replies, whatever else it asks for', async t => {
  let calls = 0
  const { app } = await guardedBy(t, { maxAge: 60, scope: 'a', allow: () => ++calls > 0 })
  const tokens = [null, 'x', accessToken({}, OTHER_SECRET), accessToken({ exp: NOW }), refreshToken({ auth_time: NOW, scope: 'a' })]
  for (const token of tokens) {
    const [one, other] = await Promise.all(['/', '/me'].map(url => app.inject({ url, headers: token === null ? {} : bearer(token) })))
    t.not(one!.statusCode, 200)
    t.strictSame([one!.json(), one!.headers['www-authenticate']], [other!.json(), other!.headers['www-authenticate']])
  }
  t.equal(calls, 0)
  t.equal(await ask(app, accessToken({ auth_time: NOW, scope: 'a' })), 'in')
  t.equal(calls, 1)
})

test('maxAge passes as long as the sign-in is at most that old', async t => {
  const { ask, clock } = await guardedBy(t, { maxAge: '10m' })
  const token = accessToken({ auth_time: NOW })
  for (const [seconds, outcome] of [[0, 'in'], [599, 'in'], [600, 'in'], [601, 'ACCESS_NOT_FRESH'], [7000, 'ACCESS_NOT_FRESH']] as const) {
    clock.set(NOW + seconds)
    t.equal(await ask(token), outcome, `${seconds} seconds`)
  }
})

test('maxAge refuses a token whose auth_time is missing or impossible', async t => {
  const { ask } = await guardedBy(t, { maxAge: '10m' })
  t.equal(await ask(accessToken()), 'ACCESS_NOT_FRESH')
  for (const moment of [null, true, 'now', String(NOW), [NOW], {}, 1e300, -1, NOW + 61]) {
    t.equal(await ask(accessToken({ auth_time: moment })), 'ACCESS_NOT_FRESH', JSON.stringify(moment))
  }
  t.equal(await ask(accessToken({ auth_time: NOW + 60 })), 'in', 'the clock of another node may be ahead')
  const infinite = forge('{"alg":"HS256"}', `{"user_id":7,"refresh":false,"exp":${NOW + 60},"auth_time":1e999}`)
  t.equal(await ask(infinite), 'ACCESS_NOT_FRESH')
})

test('the challenges say what the guard asks for', async t => {
  const { app } = await createApp(t, { authTime: true, realm: 'shop' })
  app.get('/fresh', { preHandler: app.dualToken.guard({ maxAge: '10m' }) }, answer)
  app.get('/scope', { preHandler: app.dualToken.guard({ scope: ['reports:read', 'reports:write'] }) }, answer)
  app.get('/allow', { preHandler: app.dualToken.guard({ allow: () => false }) }, answer)
  const cases = [
    ['/fresh', 401, 'ACCESS_NOT_FRESH', 'User must authenticate again.', 'Bearer realm="shop", error="insufficient_user_authentication", max_age="600"'],
    ['/scope', 403, 'ACCESS_SCOPE', 'Not in the scope of the token.', 'Bearer realm="shop", error="insufficient_scope", scope="reports:read reports:write"'],
    ['/allow', 403, 'ACCESS_FORBIDDEN', 'Not allowed.', undefined]
  ] as const
  for (const [url, status, code, message, challenge] of cases) {
    const reply = await app.inject({ url, headers: bearer(accessToken()) })
    t.match(reply.json(), { statusCode: status, code: `FST_DUAL_TOKEN_${code}`, message })
    t.strictSame([reply.headers['www-authenticate'], reply.headers['cache-control']], [challenge, 'no-store'])
  }
})

test('scope passes when the claim holds every scope, as a string or as a list', async t => {
  const cases: Array<[string | string[], unknown, boolean]> = [
    ['a', 'a', true], ['a', 'a b', true], ['a', 'b a', true], ['a', 'b a c', true], ['a', ['b', 'a'], true],
    ['a b', 'b x a', true], [['a', 'b'], 'b a', true], [['a', 'b', 'a'], ['a', 'b'], true],
    ['a', undefined, false], ['a', null, false], ['a', '', false], ['a', 'A', false], ['a', 'ab', false], ['a', 'ba', false], ['a', 'b ab ba', false],
    ['a', 'aa a', true], ['aa', 'aaa aa', true], ['a:b', 'a', false], ['a', 'a:b', false], ['a', 'a\tb', false], ['a', 'a,b', false],
    ['a b', 'a', false], [['a', 'b'], ['a'], false], ['a', [], false], ['a', ['a b'], false], ['a', [['a']], false],
    ['a', { a: true }, false], ['a', true, false], ['1', 1, false], ['length', [], false], ['__proto__', 'x', false]
  ]
  for (const [scope, granted, passes] of cases) {
    const { ask } = await guardedBy(t, { scope })
    t.equal(await ask(accessToken(granted === undefined ? {} : { scope: granted })), passes ? 'in' : 'ACCESS_SCOPE', `${JSON.stringify(scope)} of ${JSON.stringify(granted)}`)
  }
})

test('allow is given the claims and the request, and passes with true alone', async t => {
  const seen: unknown[] = []
  const { app } = await createApp(t)
  // Another hook has put somebody else there: the guard goes by its own verdict.
  app.addHook('preValidation', async request => { request.user = { user_id: 8, refresh: false, exp: NOW + 60 } })
  app.get('/of/:id', { preHandler: app.dualToken.guard({ allow: (user, request) => { seen.push(user, request.params); return true } }) }, answer)
  t.equal(await ask(app, accessToken({ role: 'admin' }), '/of/7'), 'in')
  t.match(seen, [{ user_id: 7, role: 'admin', refresh: false }, { id: '7' }])
  t.ok(Object.isFrozen(seen[0]))

  for (const answered of [false, undefined, null, 0, 1, 'true', {}, [], () => true]) {
    for (const allow of [() => answered as boolean, async () => answered as boolean]) {
      const { ask } = await guardedBy(t, { allow })
      t.equal(await ask(accessToken()), 'ACCESS_FORBIDDEN', `${typeof answered} ${String(answered)}`)
    }
  }
  const { ask: askLater } = await guardedBy(t, { allow: async user => user.user_id === 7 })
  t.strictSame([await askLater(accessToken()), await askLater(accessToken({ user_id: 8 }))], ['in', 'ACCESS_FORBIDDEN'])
})

test('an error that allow throws goes to the error handler, and nothing that it throws lets a request pass', async t => {
  const thrown = Object.assign(new Error('the database is down'), { statusCode: 503 })
  for (const error of [thrown, undefined, null, 0, '', false]) {
    const throwing = { get then () { throw error } } as unknown as Promise<boolean>
    for (const allow of [(): boolean => { throw error }, async (): Promise<boolean> => { throw error }, () => throwing]) {
      const app = Fastify()
      t.teardown(() => app.close())
      app.setErrorHandler((given, _request, reply) => { reply.code(418).send({ same: given === thrown, code: (given as { code?: string }).code }) })
      await app.register(dualToken, { secret: SECRET, now: createClock().now })
      app.get('/', { preHandler: app.dualToken.guard({ allow }) }, answer)
      const reply = await app.inject({ url: '/', headers: bearer(accessToken()) })
      t.equal(reply.statusCode, 418)
      t.strictSame(reply.json(), error === thrown ? { same: true } : { same: false, code: 'FST_DUAL_TOKEN_ACCESS_FORBIDDEN' })
    }
  }
})

test('the cheapest check comes first, and nobody signs in again for a route outside their scopes', async t => {
  let calls = 0
  const { ask } = await guardedBy(t, { maxAge: 60, scope: 'a', allow: () => { calls++; return false } })
  t.equal(await ask(accessToken()), 'ACCESS_SCOPE')
  t.equal(await ask(accessToken({ scope: 'a' })), 'ACCESS_NOT_FRESH')
  t.equal(calls, 0)
  t.equal(await ask(accessToken({ scope: 'a', auth_time: NOW })), 'ACCESS_FORBIDDEN')
  t.equal(calls, 1)
})

test('a guard works wherever loginRequired does', async t => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(dualToken, { secret: SECRET, now: createClock().now })
  await app.register(fastifyAuth)
  const guard = app.dualToken.guard({ scope: 'a' })
  const later = app.dualToken.guard({ scope: 'a', allow: async () => true })
  const routes: Record<string, RouteShorthandOptions> = {
    '/pre': { preHandler: guard },
    '/list': { preHandler: [app.loginRequired, guard, later] },
    '/on': { onRequest: guard },
    '/on-later': { onRequest: [later] },
    '/validation': { preValidation: later },
    '/auth': { preHandler: app.auth([guard]) },
    '/auth-and': { preHandler: app.auth([guard, later], { relation: 'and' }) },
    '/auth-or': { preHandler: app.auth([app.refreshRequired, guard]) }
  }
  for (const [url, options] of Object.entries(routes)) app.get(url, options, answer)
  app.register(async context => {
    context.addHook('onRequest', later)
    context.get('/context', answer)
  })
  for (const url of [...Object.keys(routes), '/context']) {
    t.equal(await ask(app, accessToken({ scope: 'a' }), url), 'in', url)
    t.equal(await ask(app, accessToken(), url), 'ACCESS_SCOPE', url)
    t.equal(await ask(app, null, url), 'ACCESS_MISSING', url)
  }
})

test('a mistake fails when the guard is made', async t => {
  const { app } = await createApp(t, { authTime: true })
  const scopes = 'Option scope of guard must be scopes separated by single spaces, or a list of them: printable ASCII without spaces, quotes and backslashes.'
  const ages = "Option maxAge of guard must be whole seconds, or a string with a unit such as '10m', and more than 0."
  const cases: Array<[unknown, string]> = [
    [null, 'The options of guard must be an object.'],
    ['10m', 'The options of guard must be an object.'],
    [[], 'The options of guard must be an object.'],
    [['reports:read'], 'The options of guard must be an object.'],
    [{ maxage: '10m' }, 'Option maxage of guard is not known.'],
    [{ scopes: 'a' }, 'Option scopes of guard is not known.'],
    ...['', ' ', 'a  b', ' a', 'a ', 'a\tb', 'a"b', 'a\\b', 'é', [], new Array(1), [''], ['a b'], [1], null, true, {}].map(scope => [{ scope }, scopes] as [unknown, string]),
    ...[0, -1, 1.5, NaN, Infinity, '', 'soon', '0s', '10 parsecs', null, true, {}].map(maxAge => [{ maxAge }, ages] as [unknown, string]),
    ...[null, true, 'admin', {}].map(allow => [{ allow }, 'Option allow of guard must be a function.'] as [unknown, string])
  ]
  for (const [options, message] of cases) {
    t.throws(() => app.dualToken.guard(options as GuardOptions), { code: 'FST_DUAL_TOKEN_OPTION_INVALID', message }, JSON.stringify(options))
  }
})

test('maxAge needs tokens that say when: with sessions they do, without them the option authTime makes them', async t => {
  const without = 'Option maxAge of guard needs the option authTime, so that tokens say when the user signed in.'
  const cases: Array<[Partial<DualTokenOptions>, boolean]> = [
    [{}, false], [{ authTime: false }, false], [{ authTime: true }, true],
    [{ sessions: { store: memoryStore() } }, true], [{ sessions: { store: memoryStore() }, authTime: false }, false]
  ]
  for (const [options, works] of cases) {
    const { app } = await createApp(t, options)
    const make = () => app.dualToken.guard({ maxAge: '10m' })
    if (works) t.doesNotThrow(make)
    else t.throws(make, { code: 'FST_DUAL_TOKEN_OPTION_INVALID', message: without })
  }
})

test('a request that passes allocates nothing: no claim is split or copied, and the headers of refusals are made once', async t => {
  const reads: string[] = []
  const claims = new Proxy({ user_id: 7, refresh: false, exp: NOW + 60, scope: 'a b', auth_time: NOW }, {
    get: (target, name) => { reads.push(String(name)); return Reflect.get(target, name) }
  }) as unknown as AccessClaims
  const createGuard = createGuardFactory({
    verdictNow: () => ({ claims, refusal: null, from: 0, until: NOW + 60, token: 'good' }),
    loginRequired: (_request, _reply, done) => done(),
    createRefusal: createRefusals(undefined),
    settings: { sessions: null, cookies: null, realm: undefined, skew: 60, now: () => NOW * 1000 }
  })
  let passed = 0
  createGuard({ maxAge: 60, scopes: ['a', 'b'], allow: null })({ headers: {}, raw: {}, server: {} } as never, {}, error => { if (error === undefined) passed++ })
  t.equal(passed, 1, 'it has called back at once')
  t.strictSame(reads, ['refresh', 'scope', 'auth_time'])
})
