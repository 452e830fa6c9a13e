// What @fastify/swagger's document says of guarded routes and of the ready routes, and that it changes no reply.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import swagger, { type FastifyDynamicSwaggerOptions } from '@fastify/swagger'
import { Type } from '@sinclair/typebox'
import { Validator } from '@seriousme/openapi-schema-validator'
import Fastify, { type FastifyInstance, type InjectOptions, type RouteShorthandOptions } from 'fastify'
import { test, type Test } from 'tap'
import { defineRoutes, dualToken, memoryStore, withDualToken, type DualTokenOptions } from '../../lib/index.ts'
import { bearer, createApp, createClock } from '../support/app.ts'
import { ringKey } from '../support/key-pairs.ts'
import { readPage } from '../support/markdown.ts'
import { createClientKey, proofBy, requestWith } from '../support/proofs.ts'
import { node, start } from '../support/server-process.ts'
import { accessToken, NOW, OTHER_SECRET, refreshToken, SECRET } from '../support/tokens.ts'
import { listen } from '../support/wire.ts'

const info = { title: 'Notes', version: '1.0.0' }
const answer = async () => 'in'

interface Reply {
  description: string
  headers?: Record<string, unknown>
  content?: Record<string, { schema: object, examples?: Record<string, { value: unknown }> }>
}

interface Operation {
  summary?: string
  description?: string
  tags?: string[]
  parameters?: object[]
  security?: object[]
  responses: Record<string, Reply>
}

interface Document {
  components: { schemas: Record<string, object>, securitySchemes: Record<string, object> }
  paths: Record<string, Record<string, Operation>>
}

type Options = Omit<Partial<DualTokenOptions>, 'secret' | 'keys' | 'jwks'> & { swagger?: FastifyDynamicSwaggerOptions }

/** With @fastify/swagger, and without routes of its own. */
async function createDocumented (t: Test, { swagger: swaggerOptions, ...options }: Options = {}): Promise<FastifyInstance> {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(swagger, withDualToken({ openapi: { info }, ...swaggerOptions }))
  await app.register(dualToken, { secret: SECRET, now: createClock().now, ...options })
  return app
}

async function documentOf (app: FastifyInstance): Promise<Document> {
  await app.ready()
  return app.swagger() as unknown as Document
}

const codesOf = (reply: Reply | undefined): string[] =>
  Object.keys(reply?.content?.['application/json']?.examples ?? {}).map(code => code.replace('FST_DUAL_TOKEN_', ''))

const routes = defineRoutes({
  body: Type.Object({ password: Type.String() }),
  login: ({ password }) => password === 'good' ? { user_id: 7 } : null,
  loadUser: userId => userId === 7 ? { user_id: 7 } : null
})

test('a guard is detected in every hook and list', async t => {
  const app = await createDocumented(t)
  const { loginRequired, refreshRequired } = app
  const other = (_request: unknown, _reply: unknown, done: () => void) => done()
  const access = [{ accessToken: [] }]
  const cases: Array<[string, RouteShorthandOptions, object[] | undefined]> = [
    ['/pre-handler', { preHandler: loginRequired }, access],
    ['/pre-handlers', { preHandler: [other, loginRequired] }, access],
    ['/on-request', { onRequest: loginRequired }, access],
    ['/on-requests', { onRequest: [loginRequired, other] }, access],
    ['/pre-validation', { preValidation: [loginRequired] }, access],
    ['/refresh', { preHandler: refreshRequired }, [{ refreshToken: [] }]],
    ['/both', { onRequest: loginRequired, preHandler: [refreshRequired] }, [{ accessToken: [], refreshToken: [] }]],
    ['/other', { preHandler: other }, undefined],
    ['/open', {}, undefined]
  ]
  for (const [url, options] of cases) app.get(url, options, answer)

  const { paths } = await documentOf(app)
  for (const [url, , security] of cases) t.strictSame(paths[url]!.get!.security, security, url)
  t.strictSame(paths['/open']!.get, { responses: { 200: { description: 'Default Response' } } })
})

test('the document shows the guards of two registrations separately', async t => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(swagger, withDualToken({ openapi: { info } }))
  for (const [prefix, secret] of [['/a', SECRET], ['/b', OTHER_SECRET]] as const) {
    await app.register(async context => {
      await context.register(dualToken, { secret, routes })
      context.get('/me', { preHandler: context.loginRequired }, answer)
    }, { prefix })
  }
  const { paths } = await documentOf(app)
  t.strictSame(Object.keys(paths), ['/a/authorizations', '/a/me', '/b/authorizations', '/b/me'])
  for (const url of ['/a/me', '/b/me']) t.strictSame(paths[url]!.get!.security, [{ accessToken: [] }], url)
})

test('@fastify/swagger may be registered after the plugin', async t => {
  const { app } = await createApp(t)
  await app.register(swagger, withDualToken({ openapi: { info } }))
  app.get('/late', { preHandler: app.loginRequired }, answer)
  const { paths } = await documentOf(app)
  t.strictSame(Object.keys(paths), ['/late'], 'it knows of the routes that follow it')
  t.strictSame(paths['/late']!.get!.security, [{ accessToken: [] }])
})

test('HEAD routes are described too, with their own operationId', async t => {
  const app = await createDocumented(t, { swagger: { exposeHeadRoutes: true, openapi: { info } } })
  app.get('/me', { preHandler: app.loginRequired, schema: { operationId: 'getMe' } }, answer)
  const { get, head } = (await documentOf(app)).paths['/me'] as Record<string, Operation>
  t.match(get, { operationId: 'getMe', security: [{ accessToken: [] }] })
  t.match(head, { operationId: 'getMe-head', security: [{ accessToken: [] }] })
  t.strictSame(head!.responses, get!.responses)
})

test('a guard is detected when an onRoute hook adds it to the routes, not when addHook adds it to the context', async t => {
  const app = await createDocumented(t)
  app.register(async context => {
    context.addHook('onRequest', context.loginRequired)
    context.get('/hidden', answer)
  })
  app.register(async context => {
    context.addHook('onRoute', route => { route.onRequest = [context.loginRequired] })
    context.get('/shown', answer)
  })
  const { paths } = await documentOf(app)
  t.equal(paths['/hidden']!.get!.security, undefined)
  t.strictSame(paths['/shown']!.get!.security, [{ accessToken: [] }])
  for (const url of ['/hidden', '/shown']) t.equal((await app.inject(url)).statusCode, 401, url)
})

test('the schema of the author takes precedence, and is not modified', async t => {
  const transformed: string[] = []
  const app = await createDocumented(t, {
    swagger: {
      openapi: {
        info,
        components: {
          schemas: { Note: { type: 'object' } },
          securitySchemes: { accessToken: { type: 'http', scheme: 'bearer' }, apiKey: { type: 'apiKey', in: 'header', name: 'x-key' } }
        }
      },
      transform ({ schema, url }) {
        transformed.push(url)
        return { schema: { ...schema, summary: 'transformed' }, url: `/v1${url}` }
      }
    }
  })
  const preHandler = app.loginRequired
  const written = (status: string) => ({ response: { [status]: { type: 'null', description: 'written' } } })
  const own = { security: Object.freeze([{ apiKey: [] }]), response: Object.freeze({ 401: Object.freeze({ type: 'null', description: 'written' }) }) }
  app.get('/own', { preHandler, schema: own }, answer)
  for (const status of ['4xx', '4XX', 'default', '200']) app.get(`/${status}s`, { preHandler, schema: written(status) }, answer)
  app.get('/by-hand', { preHandler, config: { swaggerTransform: false } }, answer)

  const { paths, components } = await documentOf(app)
  const repliesOf = (url: string) => Object.keys(paths[`/v1${url}`]!.get!.responses)
  t.strictSame(paths['/v1/own']!.get!.security, [{ apiKey: [] }])
  t.equal(paths['/v1/own']!.get!.summary, 'transformed')
  t.equal(paths['/v1/own']!.get!.responses[401]!.description, 'written')
  t.strictSame(repliesOf('/own'), ['401', '403'])
  t.strictSame(Object.keys(own), ['security', 'response'])
  t.strictSame(repliesOf('/4xxs'), ['4XX'])
  t.strictSame(repliesOf('/4XXs'), ['4XX'])
  t.strictSame(repliesOf('/defaults'), ['default'])
  t.strictSame(repliesOf('/200s'), ['200', '401', '403'])
  t.notOk(transformed.includes('/by-hand'))
  t.strictSame(paths['/by-hand']!.get, { responses: { 200: { description: 'Default Response' } } })

  t.strictSame(Object.keys(components.schemas), ['DualTokenError', 'Note'])
  t.strictSame(components.securitySchemes.accessToken, { type: 'http', scheme: 'bearer' })
  t.match(components.securitySchemes.refreshToken, { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: String })
  t.match(components.securitySchemes.apiKey, { type: 'apiKey' })
})

test('a transform that knows only one kind of schema, such as that of a type provider, gets no schema of ours', async t => {
  const body = { kind: 'own' }
  const app = Fastify()
  t.teardown(() => app.close())
  app.setValidatorCompiler(() => () => true)
  await app.register(swagger, withDualToken({
    openapi: { info },
    transform ({ schema, url }) {
      const { body: credentials, response, params, querystring, headers, ...rest } = schema as Record<string, unknown>
      t.strictSame([response, params, querystring, headers], [undefined, undefined, undefined, undefined], url)
      if (credentials !== undefined) t.equal(credentials, body)
      return { schema: { ...rest, ...(credentials !== undefined && { body: { type: 'object', title: 'transformed' } }) }, url }
    }
  }))
  await app.register(dualToken, { secret: SECRET, routes: { login: () => null, body }, sessions: { store: memoryStore() } })
  const { paths } = await documentOf(app)
  t.match(paths['/authorizations']!.post, { requestBody: { content: { 'application/json': { schema: { title: 'transformed' } } } } })
  t.match(paths['/authorizations']!.put!.responses[201]!.content, { 'application/json': { schema: { required: ['token'] } } })
})

test('a guarded route lists its refusals, each with an example', async t => {
  const bySessions: Array<[string, Options, string[][], string[][]]> = [
    ['without sessions', {}, [['MISSING', 'INVALID', 'EXPIRED'], []], [['MISSING', 'INVALID', 'EXPIRED', 'IS_ACCESS'], []]],
    ['with sessions', { sessions: { store: memoryStore() } },
      [['MISSING', 'INVALID', 'EXPIRED', 'REVOKED'], ['STORE_UNAVAILABLE']],
      [['MISSING', 'INVALID', 'EXPIRED', 'REVOKED', 'IS_ACCESS'], ['STORE_UNAVAILABLE']]],
    ['with sessions that go on without a store', { sessions: { store: memoryStore(), onStale: 'allow' } },
      [['MISSING', 'INVALID', 'EXPIRED', 'REVOKED'], []], [['MISSING', 'INVALID', 'EXPIRED', 'REVOKED', 'IS_ACCESS'], []]]
  ]
  for (const [name, options, [access, accessLater], [refresh, refreshLater]] of bySessions) {
    const app = await createDocumented(t, options)
    app.get('/me', { preHandler: app.loginRequired }, answer)
    app.get('/renewal', { preHandler: app.refreshRequired }, answer)
    const { paths } = await documentOf(app)
    const [me, renewal] = [paths['/me']!.get!.responses, paths['/renewal']!.get!.responses]

    t.strictSame(codesOf(me[401]), access!.map(kind => `ACCESS_${kind}`), name)
    t.strictSame(codesOf(me[403]), ['ACCESS_IS_REFRESH'], name)
    t.strictSame(codesOf(me[503]), accessLater, name)
    t.strictSame(codesOf(renewal[403]), refresh!.map(kind => `REFRESH_${kind}`), name)
    t.strictSame(codesOf(renewal[503]), refreshLater, name)
    t.equal(renewal[401], undefined, name)

    t.strictSame(Object.keys(me[401]!.headers!), ['WWW-Authenticate'])
    t.equal(renewal[403]!.headers, undefined)
    if (accessLater!.length > 0) t.strictSame(Object.keys(me[503]!.headers!), ['Retry-After'])
  }
})

test('a guard that asks for more says so: its scopes in security, its refusals and its challenges', async t => {
  const app = await createDocumented(t, { routes, authTime: true })
  const { loginRequired, refreshRequired, dualToken: { guard } } = app
  const reads = guard({ scope: 'reports:read' })
  const cases: Array<[string, RouteShorthandOptions, object[], string[], string[]]> = [
    ['/login', { preHandler: guard() }, [{ accessToken: [] }], [], ['ACCESS_IS_REFRESH']],
    ['/scope', { preHandler: reads }, [{ accessToken: ['reports:read'] }], [], ['ACCESS_IS_REFRESH', 'ACCESS_SCOPE']],
    ['/scopes', { onRequest: [guard({ scope: ['a', 'b'] })] }, [{ accessToken: ['a', 'b'] }], [], ['ACCESS_IS_REFRESH', 'ACCESS_SCOPE']],
    ['/lists', { onRequest: loginRequired, preHandler: [reads, guard({ scope: 'b' })] }, [{ accessToken: ['reports:read', 'b'] }], [], ['ACCESS_IS_REFRESH', 'ACCESS_SCOPE', 'ACCESS_SCOPE']],
    ['/fresh', { preHandler: guard({ maxAge: '10m' }) }, [{ accessToken: [] }], ['ACCESS_NOT_FRESH'], ['ACCESS_IS_REFRESH']],
    ['/allow', { preHandler: guard({ allow: () => true }) }, [{ accessToken: [] }], [], ['ACCESS_IS_REFRESH', 'ACCESS_FORBIDDEN']],
    ['/all', { preHandler: guard({ maxAge: 60, scope: 'a', allow: () => true }) }, [{ accessToken: ['a'] }], ['ACCESS_NOT_FRESH'], ['ACCESS_IS_REFRESH', 'ACCESS_SCOPE', 'ACCESS_FORBIDDEN']],
    ['/both', { onRequest: reads, preHandler: refreshRequired }, [{ accessToken: ['reports:read'], refreshToken: [] }], [], []]
  ]
  for (const [url, options] of cases) app.get(url, options, answer)
  const { paths } = await documentOf(app)
  for (const [url, , security, more, forbidden] of cases) {
    const { responses, ...operation } = paths[url]!.get!
    t.strictSame(operation.security, security, url)
    t.strictSame(codesOf(responses[401]), ['ACCESS_MISSING', 'ACCESS_INVALID', 'ACCESS_EXPIRED', ...more], url)
    if (url !== '/both') t.strictSame(codesOf(responses[403]), [...new Set(forbidden)], url)
  }
  const challengeOf = (url: string, status: number) => (paths[url]!.get!.responses[status]!.headers!['WWW-Authenticate'] as { description: string }).description
  t.equal(challengeOf('/login', 401), 'The challenge (RFC 9110 section 11.6.1)')
  t.equal(challengeOf('/fresh', 401), 'The challenge (RFC 9110 section 11.6.1); `Bearer error="insufficient_user_authentication", max_age="600"` (RFC 9470 section 3)')
  t.equal(challengeOf('/scopes', 403), 'The challenge (RFC 9110 section 11.6.1); `Bearer error="insufficient_scope", scope="a b"`')
})

test('guards of the same cookie are one in the document, and each scope is in every alternative', async t => {
  const app = await createDocumented(t, { routes, authTime: true, cookies: { access: true } })
  app.post('/', { onRequest: app.loginRequired, preHandler: app.dualToken.guard({ scope: 'a' }) }, answer)
  const { paths } = await documentOf(app)
  t.strictSame(paths['/']!.post!.security, [{ accessToken: ['a'] }, { accessCookie: ['a'] }])
  t.ok(codesOf(paths['/']!.post!.responses[403]).includes('CROSS_ORIGIN'))
  const { post } = paths['/authorizations/reauthentication']!
  t.strictSame(post!.security, [{ accessToken: [] }, { accessCookie: [] }])
  t.ok(post!.responses[201]!.headers?.['Set-Cookie'])
})

test('the ready routes are fully described', async t => {
  const app = await createDocumented(t, { routes, sessions: { store: memoryStore() } })
  const { paths } = await documentOf(app)
  const operations = Object.entries(paths).flatMap(([url, methods]) =>
    Object.entries(methods).map(([method, operation]) => [`${method.toUpperCase()} ${url}`, operation] as const))

  const either = [{ accessToken: [] }, { refreshToken: [] }]
  const access = [{ accessToken: [] }]
  t.strictSame(operations.map(([name, { security, responses }]) => [name, security, Object.keys(responses)]), [
    ['POST /authorizations', [], ['201', '400', '401', '413', '415', '503']],
    ['PUT /authorizations', [{ refreshToken: [] }], ['201', '401', '403', '413', '503']],
    ['DELETE /authorizations', either, ['204', '401', '413', '503']],
    ['POST /authorizations/reauthentication', access, ['201', '400', '401', '403', '413', '415', '503']],
    ['GET /authorizations/sessions', access, ['200', '401', '403', '503']],
    ['DELETE /authorizations/sessions', access, ['204', '400', '401', '403', '413', '503']],
    ['DELETE /authorizations/sessions/{id}', access, ['204', '401', '403', '404', '413', '503']]
  ])
  for (const [name, { summary, description, tags, responses }] of operations) {
    t.ok(summary, name)
    t.ok(description, name)
    t.strictSame(tags, ['authorizations'], name)
    for (const { description } of Object.values(responses)) t.not(description, 'Default Response', name)
  }
  const { put, post } = paths['/authorizations'] as Record<string, Operation>
  t.strictSame(codesOf(put!.responses[403]).slice(-2), ['REFRESH_USER_GONE', 'REFRESH_REUSED'])
  t.match(post, { requestBody: { required: true, content: { 'application/json': { schema: { required: ['password'] } } } } })
  t.match(paths['/authorizations/sessions/{id}']!.delete!.parameters, [{ in: 'path', name: 'id', description: String }])
  t.match(paths['/authorizations/sessions']!.delete!.parameters, [{ in: 'query', name: 'except', required: false, schema: { enum: ['current'] } }])
})

test('a proof of possession is described: its header, and what refuses it', async t => {
  for (const [dpop, required] of [['optional', false], ['required', true]] as const) {
    const { paths } = await documentOf(await createDocumented(t, { routes, sessions: { store: memoryStore(), dpop } }))
    const { post, put, delete: signOut } = paths['/authorizations'] as Record<string, Operation>
    t.match(post!.parameters, [{ in: 'header', name: 'DPoP', required, description: String }])
    t.match(put!.parameters, [{ in: 'header', name: 'DPoP', required: false }])
    t.equal(signOut!.parameters, undefined)
    t.strictSame(codesOf(post!.responses[400]).slice(3), ['PROOF_INVALID', 'PROOF_NONCE', ...required ? ['PROOF_REQUIRED'] : []])
    t.strictSame(codesOf(put!.responses[401]), ['PROOF_INVALID', 'PROOF_NONCE'])
    for (const reply of [post!.responses[400], put!.responses[401]]) t.strictSame(Object.keys(reply!.headers!), ['WWW-Authenticate', 'DPoP-Nonce'])
    t.match(post!.responses[400]!.content!['application/json']!.examples!.FST_DUAL_TOKEN_PROOF_INVALID, { value: { statusCode: 400 } })
  }
  for (const [dpop, headers] of [['optional', ['DPoP-Nonce']], [false, []]] as const) {
    const { paths } = await documentOf(await createDocumented(t, { routes, oauth: true, sessions: { store: memoryStore(), dpop } }))
    const { responses } = paths['/authorizations/token']!.post!
    t.strictSame(Object.keys(responses[400]!.headers ?? {}), headers)
  }
  const { paths } = await documentOf(await createDocumented(t, { routes, sessions: { store: memoryStore(), dpop: false } }))
  const { post, put } = paths['/authorizations'] as Record<string, Operation>
  t.strictSame([post!.parameters, put!.parameters, put!.responses[401]], [undefined, undefined, undefined])
})

test('with cookies, each token may come in either way, and the document says what is refused and set', async t => {
  const app = await createDocumented(t, { routes, sessions: { store: memoryStore() }, cookies: { access: true } })
  const { loginRequired, refreshRequired } = app
  app.get('/me', { preHandler: loginRequired }, answer)
  app.post('/me', { preHandler: loginRequired }, answer)
  app.route({ method: ['GET', 'PATCH'], url: '/either', preHandler: loginRequired, handler: answer })
  app.get('/renewal', { preHandler: refreshRequired }, answer)
  app.post('/both', { onRequest: loginRequired, preHandler: refreshRequired }, answer)
  const { paths, components } = await documentOf(app)

  const access = [{ accessToken: [] }, { accessCookie: [] }]
  const refresh = [{ refreshToken: [] }, { refreshCookie: [] }]
  const [get, post] = [paths['/me']!.get!, paths['/me']!.post!]
  t.strictSame([get.security, post.security, paths['/renewal']!.get!.security], [access, access, refresh])
  t.strictSame(codesOf(get.responses[403]), ['ACCESS_IS_REFRESH'])
  t.strictSame(codesOf(post.responses[403]), ['ACCESS_IS_REFRESH', 'CROSS_ORIGIN'])
  t.ok(codesOf(paths['/either']!.get!.responses[403]).includes('CROSS_ORIGIN'), 'one description for all methods of a route')
  t.notOk(codesOf(paths['/renewal']!.get!.responses[403]).includes('CROSS_ORIGIN'))
  t.strictSame(paths['/both']!.post!.security, [
    { accessToken: [], refreshToken: [] }, { accessToken: [], refreshCookie: [] }, { accessCookie: [], refreshToken: [] }, { accessCookie: [], refreshCookie: [] }
  ])
  t.strictSame(Object.keys(components.securitySchemes), ['accessToken', 'refreshToken', 'refreshCookie', 'accessCookie'])
  t.match(components.securitySchemes, {
    accessCookie: { type: 'apiKey', in: 'cookie', name: '__Host-Http-access_token', description: String },
    refreshCookie: { type: 'apiKey', in: 'cookie', name: '__Host-Http-refresh_token', description: String }
  })

  const { post: signIn, put: renew, delete: signOut } = paths['/authorizations'] as Record<string, Operation>
  t.strictSame([signIn!.security, renew!.security, signOut!.security], [[], refresh, [...access, ...refresh]])
  for (const [operation, status] of [[signIn, 201], [renew, 201], [signOut, 204], [paths['/authorizations/sessions']!.delete, 204], [paths['/authorizations/sessions/{id}']!.delete, 204]] as const) {
    t.ok(operation!.responses[status]!.headers?.['Set-Cookie'], `${status} of ${operation!.summary}`)
    t.ok(codesOf(operation!.responses[403]).includes('CROSS_ORIGIN'), `403 of ${operation!.summary}`)
  }
  t.equal(paths['/authorizations/sessions']!.get!.responses[200]!.headers, undefined)
  t.strictSame((signIn!.responses[201]!.content!['application/json']!.schema as { required: string[] }).required, ['token_type', 'expires_in'])
})

test('with cookies for the refresh token alone, an access token comes in the header alone, and is in the reply', async t => {
  const app = await createDocumented(t, { routes, cookies: true })
  app.post('/me', { preHandler: app.loginRequired }, answer)
  const { paths, components } = await documentOf(app)
  t.strictSame(paths['/me']!.post!.security, [{ accessToken: [] }])
  t.strictSame(codesOf(paths['/me']!.post!.responses[403]), ['ACCESS_IS_REFRESH'])
  t.strictSame(Object.keys(components.securitySchemes), ['accessToken', 'refreshToken', 'refreshCookie'])
  const { post, delete: signOut } = paths['/authorizations'] as Record<string, Operation>
  t.strictSame((post!.responses[201]!.content!['application/json']!.schema as { required: string[] }).required, ['token', 'token_type', 'expires_in'])
  t.strictSame([signOut!.security, Object.keys(signOut!.responses), codesOf(signOut!.responses[403])], [[], ['204', '403', '413'], ['CROSS_ORIGIN']])
})

test('registrations with names have schemes with names, and the application has the last word on them', async t => {
  const app = Fastify()
  t.teardown(() => app.close())
  const written = { type: 'apiKey', in: 'cookie', name: 'written' }
  await app.register(swagger, withDualToken({
    openapi: { info, components: { securitySchemes: { refreshCookie_shop: written as never } } },
    transformObject: given => {
      const { openapiObject } = given as unknown as { openapiObject: { components: { securitySchemes: object } } }
      t.ok('refreshCookie_admin' in openapiObject.components.securitySchemes)
      return { ...openapiObject, 'x-last': true } as never
    }
  }))
  for (const [name, secret] of [['shop', SECRET], ['admin', OTHER_SECRET]] as const) {
    await app.register(async context => await context.register(dualToken, { secret, routes, cookies: { name } }), { prefix: `/${name}` })
  }
  const document = await documentOf(app)
  t.equal((document as unknown as Record<string, unknown>)['x-last'], true)
  t.strictSame(document.paths['/admin/authorizations']!.put!.security, [{ refreshToken: [] }, { refreshCookie_admin: [] }])
  t.strictSame(document.components.securitySchemes.refreshCookie_shop, written)
  t.match(document.components.securitySchemes.refreshCookie_admin, { name: '__Host-Http-admin_refresh_token' })
})

test('a reply in the shape of the application is any object', async t => {
  const app = await createDocumented(t, { routes: { ...routes, reply: ({ token }) => ({ accessToken: token }) }, cookies: true })
  const { paths } = await documentOf(app)
  for (const method of ['post', 'put']) {
    const schema = paths['/authorizations']![method]!.responses[201]!.content!['application/json']!.schema as Record<string, unknown>
    t.strictSame([schema.properties ?? {}, schema.additionalProperties, schema.required], [{}, true, undefined], method)
  }
})

test('a sign-in that a limit may refuse is described so, and sparing a session only where the store can', async t => {
  const store = memoryStore()
  const cases = [
    [{ store, maxPerUser: 1 }, false, true],
    [{ store, maxPerUser: 1, whenFull: 'refuse' }, true, true],
    [{ store: { ...store, duties: [] } }, false, false]
  ] as const
  for (const [sessions, refuses, spares] of cases) {
    const app = await createDocumented(t, { routes, sessions })
    const { paths } = await documentOf(app)
    t.strictSame(codesOf(paths['/authorizations']!.post!.responses[403]), refuses ? ['SESSION_LIMIT'] : [])
    t.equal(paths['/authorizations/sessions']!.delete!.parameters !== undefined, spares)
    if (!refuses) continue
    const post = { method: 'POST', url: '/authorizations', payload: { password: 'good' } } as const
    await app.inject(post)
    const reply = (await app.inject(post)).json()
    t.strictSame(reply, paths['/authorizations']!.post!.responses[403]!.content!['application/json']!.examples!['FST_DUAL_TOKEN_SESSION_LIMIT']!.value)
  }
})

test('the key set is described, open to all, in a valid document, and served as it was', async t => {
  const keys = [ringKey('EdDSA', 'k1'), ringKey('RS256', 'k2')]
  const plain = Fastify()
  t.teardown(() => plain.close())
  await plain.register(dualToken, { keys, jwks: true })
  for (const version of ['3.0.3', '3.1.0']) {
    const app = Fastify()
    t.teardown(() => app.close())
    await app.register(swagger, withDualToken({ openapi: { openapi: version, info } }))
    await app.register(dualToken, { keys, jwks: { path: '/keys' } })
    const document = await documentOf(app)
    const { summary, description, tags, security, responses } = document.paths['/keys']!.get!
    t.ok(summary)
    t.ok(description)
    t.strictSame([tags, security, Object.keys(responses)], [['keys'], [], ['200', '304']])
    t.match(responses[200]!.content, { 'application/jwk-set+json': { schema: { properties: { keys: { type: 'array' } } } } })
    t.equal(responses[304]!.content, undefined)
    const { valid, errors } = await new Validator().validate(structuredClone(document) as object as Record<string, unknown>)
    t.ok(valid, `${version}: ${JSON.stringify(errors)}`)

    const { headers: { date, ...headers }, body } = await app.inject('/keys')
    const { headers: { date: otherDate, ...others }, body: otherBody } = await plain.inject('/.well-known/jwks.json')
    t.strictSame([headers, body], [others, otherBody])
    t.equal((await app.inject({ url: '/keys', headers: { 'if-none-match': headers.etag } })).body, '')
  }
})

test('without sessions, the ready routes describe only replies that exist, and the application can override them', async t => {
  const { login } = routes
  const app = await createDocumented(t, {
    routes: { login, tags: ['sign-in'], schema: { security: [{ apiKey: [] }], summary: 'Ours' } },
    swagger: {
      openapi: { info, components: { securitySchemes: { apiKey: { type: 'apiKey', in: 'header', name: 'x-key' } } } }
    }
  })
  const { post, put, ...rest } = (await documentOf(app)).paths['/authorizations'] as Record<string, Operation>
  t.strictSame(rest, {})
  t.strictSame(Object.keys(post!.responses), ['201', '400', '401', '413', '415'])
  t.strictSame(codesOf(put!.responses[403]), ['REFRESH_MISSING', 'REFRESH_INVALID', 'REFRESH_EXPIRED', 'REFRESH_IS_ACCESS'])
  for (const operation of [post!, put!]) t.match(operation, { summary: 'Ours', tags: ['sign-in'], security: [{ apiKey: [] }] })
})

test('the document is valid OpenAPI 3.0 and 3.1, with shared schemas and HEAD routes too', async t => {
  for (const version of ['3.0.3', '3.1.0']) {
    const app = await createDocumented(t, {
      routes,
      sessions: { store: memoryStore() },
      cookies: { access: true },
      swagger: { exposeHeadRoutes: true, openapi: { openapi: version, info } }
    })
    app.addSchema({ $id: 'Note', type: 'object', properties: { text: { type: 'string' } } })
    const preHandler = app.loginRequired
    app.get('/notes/:id', { preHandler, schema: { response: { 200: { $ref: 'Note#' } } } }, answer)
    app.get('/me', { preHandler }, answer)

    const document = await documentOf(app)
    const { valid, errors } = await new Validator().validate(structuredClone(document) as object as Record<string, unknown>)
    t.ok(valid, `${version}: ${JSON.stringify(errors)}`)
    t.match(document.paths['/notes/{id}']!.get!.responses[200]!.content, { 'application/json': { schema: { $ref: String } } })
    t.match(app.swagger({ yaml: true }), '- accessToken: []')
  }
})

test('the examples in a document are the replies of the server', async t => {
  const clock = createClock()
  const app = await createDocumented(t, { routes, sessions: { store: memoryStore() }, now: clock.now })
  app.get('/me', { preHandler: app.loginRequired }, answer)
  const { paths } = await documentOf(app)

  const post = (payload: InjectOptions['payload'], type = 'application/json'): InjectOptions =>
    ({ method: 'POST', url: '/authorizations', headers: { 'content-type': type }, ...(payload !== undefined && { payload }) })
  const signIn = async () => (await app.inject(post({ password: 'good' }))).json() as { token: string, refresh_token: string }
  const { token, refresh_token: refreshed } = await signIn()
  const ended = (await signIn()).token
  await app.inject({ method: 'DELETE', url: '/authorizations', headers: bearer(ended) })
  const { refresh_token: gone } = await app.dualToken.issueTokens({ user_id: 8 })
  const key = createClientKey()
  const { refresh_token: bound } = await app.dualToken.issueTokens({ user_id: 7 }, { proof: requestWith(proofBy(key)) })
  const long = 'x'.repeat(20_000)

  const cases: Array<[string, InjectOptions]> = [
    ['FST_ERR_VALIDATION', post('[]')],
    ['FST_ERR_CTP_EMPTY_JSON_BODY', post(undefined)],
    ['FST_ERR_CTP_INVALID_JSON_BODY', post('{')],
    ['FST_ERR_CTP_BODY_TOO_LARGE', post({ password: long })],
    ['FST_ERR_CTP_INVALID_MEDIA_TYPE', post('a=b', 'application/x-www-form-urlencoded')],
    ['LOGIN_REFUSED', post({ password: 'bad' })],
    ['FST_ERR_CTP_BODY_TOO_LARGE', { method: 'PUT', url: '/authorizations', headers: bearer(refreshed), payload: long }],
    ['REFRESH_MISSING', { method: 'PUT', url: '/authorizations' }],
    ['REFRESH_IS_ACCESS', { method: 'PUT', url: '/authorizations', headers: bearer(token) }],
    ['REFRESH_USER_GONE', { method: 'PUT', url: '/authorizations', headers: bearer(gone) }],
    ['PROOF_INVALID', { ...post({ password: 'good' }), headers: { 'content-type': 'application/json', dpop: 'x' } }],
    ['PROOF_NONCE', { ...post({ password: 'good' }), headers: { 'content-type': 'application/json', dpop: proofBy(key, { claims: { htm: 'POST', iat: 0 } }) } }],
    ['PROOF_INVALID', { method: 'PUT', url: '/authorizations', headers: bearer(bound) }],
    ['PROOF_NONCE', { method: 'PUT', url: '/authorizations', headers: { ...bearer(bound), dpop: proofBy(key, { claims: { iat: 0 } }) } }],
    ['ACCESS_MISSING', { method: 'DELETE', url: '/authorizations' }],
    ['ACCESS_INVALID', { method: 'DELETE', url: '/authorizations', headers: bearer('x') }],
    ['FST_ERR_CTP_BODY_TOO_LARGE', { method: 'DELETE', url: '/authorizations', headers: bearer(token), payload: long }],
    ['FST_ERR_VALIDATION', { method: 'DELETE', url: '/authorizations/sessions', query: { except: 'all' }, headers: bearer(token) }],
    ['FST_ERR_CTP_BODY_TOO_LARGE', { method: 'DELETE', url: '/authorizations/sessions', headers: bearer(token), payload: long }],
    ['SESSION_UNKNOWN', { method: 'DELETE', url: '/authorizations/sessions/none', headers: bearer(token) }],
    ['FST_ERR_CTP_BODY_TOO_LARGE', { method: 'DELETE', url: '/authorizations/sessions/none', headers: bearer(token), payload: long }],
    ['ACCESS_MISSING', { method: 'GET', url: '/me' }],
    ['ACCESS_INVALID', { method: 'GET', url: '/me', headers: bearer('x') }],
    ['ACCESS_REVOKED', { method: 'GET', url: '/me', headers: bearer(ended) }],
    ['ACCESS_IS_REFRESH', { method: 'GET', url: '/me', headers: bearer(refreshed) }]
  ]
  for (const [suffix, request] of cases) {
    const code = suffix.startsWith('FST_') ? suffix : `FST_DUAL_TOKEN_${suffix}`
    const url = String(request.url).replace('none', '{id}')
    const reply = await app.inject(request)
    const documented = paths[url]![request.method!.toLowerCase()]!.responses[reply.statusCode]
    const example = documented?.content?.['application/json']?.examples?.[code]?.value
    t.strictSame(JSON.parse(reply.body), example, `${request.method} ${url} ${code}`)
    // Of the refusals with this status, only that of a proof has a challenge.
    const challenged = reply.statusCode === 400 ? code.includes('PROOF') : 'WWW-Authenticate' in (documented?.headers ?? {})
    t.equal(reply.headers['www-authenticate'] !== undefined, challenged, code)
  }
})

test('replies are the same, byte for byte, with and without a document', async t => {
  /** Errors of the application that a described shape would cut. */
  const createPlain = async (documented: boolean): Promise<FastifyInstance> => {
    const app = Fastify()
    t.teardown(() => app.close())
    if (documented) await app.register(swagger, withDualToken({ openapi: { info } }))
    await app.register(dualToken, { secret: SECRET, now: createClock().now, routes })
    const preHandler = app.loginRequired
    app.get('/me', { preHandler }, async request => request.user)
    app.get('/forbidden', { preHandler }, async (_request, reply) => reply.code(403).send({ reason: 'not yours', nested: { deep: true } }))
    app.get('/thrown', { preHandler }, async () => { throw Object.assign(new Error('gone'), { statusCode: 401, detail: 'own' }) })
    app.register(async context => {
      context.setErrorHandler((error, _request, reply) => reply.code(401).send({ problem: String(error), extra: [1, 2] }))
      context.get('/handled', { preHandler: context.loginRequired }, answer)
    })
    await app.ready()
    if (documented) app.swagger()
    return app
  }
  const [plain, documented] = [await createPlain(false), await createPlain(true)]
  const callers = [{}, bearer('x'), bearer(accessToken()), bearer(refreshToken()), bearer(accessToken({ exp: NOW })), bearer(accessToken({}, OTHER_SECRET))]
  const requests: InjectOptions[] = callers.flatMap(headers => [
    ...['/me', '/forbidden', '/thrown', '/handled', '/missing'].flatMap(url => [{ url, headers }, { method: 'HEAD' as const, url, headers }]),
    { method: 'PUT', url: '/authorizations', headers },
    ...['good', 'bad', 1].map(password => ({ method: 'POST' as const, url: '/authorizations', headers, payload: { password } })),
    { method: 'POST', url: '/authorizations', headers, payload: [] }
  ])
  for (const request of requests) {
    const replies = []
    for (const app of [plain, documented]) {
      const { statusCode, headers: { date, ...headers }, body } = await app.inject(request)
      replies.push({ statusCode, headers, body })
    }
    t.strictSame(replies[1], replies[0], `${request.method ?? 'GET'} ${request.url}`)
  }
})

/** A client as its users write it; it fails to compile where the document is wrong. */
const CLIENT = `
import createClient from 'openapi-fetch'
import type { components, paths } from './schema.ts'

const client = createClient<paths>({ baseUrl: 'http://127.0.0.1:3000' })
const username = 'demo'
const withToken = (token: string) => ({ headers: { authorization: 'Bearer ' + token } })
type Refusal = components['schemas']['DualTokenError']

const refused = await client.POST('/authorizations', { body: { username, password: 'bad' } })
const refusal: Refusal | undefined = refused.error
console.log(refused.response.status, refusal?.code)

// @ts-expect-error the password is missing
console.log((await client.POST('/authorizations', { body: { username } })).response.status)

const { data: pair } = await client.POST('/authorizations', { body: { username, password: 'demo-password' } })
if (pair === undefined) throw new Error('not signed in')
const type: 'Bearer' = pair.token_type

const me = await client.GET('/me', withToken(pair.token))
const id: number | undefined = me.data?.user_id
console.log(me.response.status, id, type)
const stranger = await client.GET('/me')
console.log(stranger.response.status, stranger.error?.code, stranger.error?.message)

const { data: renewed } = await client.PUT('/authorizations', withToken(pair.refresh_token))
if (renewed === undefined) throw new Error('not renewed')
const next: string = renewed.refresh_token
const { data: list } = await client.GET('/authorizations/sessions', withToken(renewed.token))
const agent: string | null | undefined = list?.sessions[0]?.user_agent
console.log(list?.sessions.length, list?.sessions[0]?.current, typeof agent, typeof next)
const none = await client.DELETE('/authorizations/sessions/{id}', { ...withToken(renewed.token), params: { path: { id: 'none' } } })
console.log(none.response.status, none.error?.code)

const out = await client.DELETE('/authorizations', withToken(renewed.token))
console.log(out.response.status, out.data)
const after = await client.GET('/me', withToken(renewed.token))
console.log(after.response.status, after.error?.code)
`

test('a typed client made from the document signs in, calls, refreshes and signs out, as the one of the docs does', async t => {
  const app = await createDocumented(t, {
    routes: defineRoutes({
      body: Type.Object({ username: Type.String(), password: Type.String() }),
      login: ({ username, password }) => username === 'demo' && password === 'demo-password' ? { user_id: 7 } : null
    }),
    sessions: { store: memoryStore() }
  })
  const response = { 200: Type.Object({ user_id: Type.Integer() }) }
  app.get('/me', { preHandler: app.loginRequired, schema: { response } }, async request => request.user)
  const port = await listen(app)

  const [documented] = readPage('docs/openapi.md').blocks('mts')
  const ofServer = (code: string) => code.replace('127.0.0.1:3000', `127.0.0.1:${port}`)
  const folder = t.testdir({
    'document.json': JSON.stringify(app.swagger()),
    'client.ts': ofServer(CLIENT),
    'documented.ts': ofServer(documented!),
    'package.json': '{ "type": "module" }',
    'tsconfig.json': JSON.stringify({
      extends: '../../../tsconfig.json', compilerOptions: { rootDir: '.' }, files: ['client.ts', 'documented.ts'], include: []
    })
  })
  const file = (name: string) => join(folder, name)
  const run = (...args: string[]) => spawnSync(process.execPath, args, { encoding: 'utf8', env: { PATH: process.env.PATH } })
  const made = run('node_modules/openapi-typescript/bin/cli.js', file('document.json'), '-o', file('schema.ts'))
  t.equal(made.status, 0, made.stderr)
  t.equal(run('node_modules/typescript/bin/tsc', '-p', folder).stdout, '')

  const client = start(t, node(file('client.ts')))
  t.equal(await client.ended, 0)
  t.strictSame(client.log, [
    '401 FST_DUAL_TOKEN_LOGIN_REFUSED',
    '400',
    '200 7 Bearer',
    '401 FST_DUAL_TOKEN_ACCESS_MISSING User must be authorized.',
    '1 true string string',
    '404 FST_DUAL_TOKEN_SESSION_UNKNOWN',
    '204 undefined',
    '401 FST_DUAL_TOKEN_ACCESS_REVOKED'
  ])
  const ofDocs = start(t, node(file('documented.ts')))
  t.equal(await ofDocs.ended, 0)
  t.strictSame(ofDocs.log, ['7'])
})
