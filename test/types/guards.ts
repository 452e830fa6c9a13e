// A guard fits into the options of any route, with a type provider or without, and into addHook.
import Fastify, { type FastifyRequest, type FastifyTypeProvider } from 'fastify'
import { Type, type Static, type TSchema } from '@sinclair/typebox'
import dualToken, { loginRequired, refreshRequired, type AccessClaims, type Guard, type GuardOptions } from 'fastify-dual-token'
import { assert, type Equals } from './equals.ts'

interface TypeBoxProvider extends FastifyTypeProvider {
  validator: this['schema'] extends TSchema ? Static<this['schema']> : unknown
  serializer: this['schema'] extends TSchema ? Static<this['schema']> : unknown
}

const plain = Fastify()
await plain.register(dualToken, { secret: 'x'.repeat(32) })

assert<Equals<typeof plain.loginRequired, Guard>>()
assert<Equals<typeof plain.refreshRequired, Guard>>()

plain.get('/pre', { preHandler: plain.loginRequired }, async () => 'in')
plain.get('/on', { onRequest: plain.loginRequired }, async () => 'in')
plain.get('/list', { preHandler: [plain.loginRequired] }, async () => 'in')
plain.get('/mixed', { preHandler: [plain.loginRequired, async request => { request.log.info('in') }] }, async () => 'in')
plain.get('/both', { onRequest: [plain.refreshRequired], preHandler: [plain.loginRequired] }, async () => 'in')
plain.get<{ Params: { id: string }, Querystring: { page: number } }>('/typed/:id', { preHandler: plain.loginRequired }, async request => {
  assert<Equals<typeof request.params, { id: string }>>()
  return request.query.page
})
plain.route({ method: ['GET', 'OPTIONS'], url: '/route', preValidation: plain.refreshRequired, handler: async () => 'in' })
plain.addHook('onRequest', plain.loginRequired)
plain.addHook('preHandler', plain.refreshRequired)

const secure = Fastify({ http2: true, https: {} })
await secure.register(dualToken, { secret: 'x'.repeat(32) })
secure.get('/pre', { preHandler: secure.loginRequired }, async request => request.user?.user_id)
secure.get('/on', { onRequest: [loginRequired, secure.dualToken.guard({ scope: 'a' })] }, async () => 'in')
secure.addHook('onRequest', refreshRequired)

const provided = Fastify({ logger: true }).withTypeProvider<TypeBoxProvider>()
await provided.register(dualToken, { secret: 'x'.repeat(32) })

const schema = { body: Type.Object({ title: Type.String() }), params: Type.Object({ id: Type.Integer() }) }
provided.post('/pre/:id', { schema, preHandler: provided.loginRequired }, async request => {
  assert<Equals<typeof request.body, { title: string }>>()
  assert<Equals<typeof request.params, { id: number }>>()
  return request.user?.user_id
})
provided.post('/on/:id', { schema, onRequest: [provided.loginRequired] }, async request => {
  assert<Equals<typeof request.body, { title: string }>>()
})
provided.post('/mixed/:id', { schema, preHandler: [provided.loginRequired, async request => { request.log.info('in') }] }, async request => {
  assert<Equals<typeof request.body, { title: string }>>()
})
provided.route({
  method: 'PUT',
  url: '/route/:id',
  schema,
  preHandler: provided.refreshRequired,
  handler: async request => { assert<Equals<typeof request.body, { title: string }>>() }
})
provided.addHook('onRequest', provided.loginRequired)
provided.addHook('preHandler', provided.refreshRequired)
provided.register(async context => {
  context.addHook('preHandler', context.loginRequired)
})

assert<Equals<typeof loginRequired, Guard>>()
assert<Equals<typeof refreshRequired, Guard>>()
plain.get('/imported', { preHandler: loginRequired, onRequest: [refreshRequired] }, async request => request.user?.user_id)
plain.addHook('onRequest', loginRequired)
provided.post('/imported/:id', { schema, preHandler: [loginRequired] }, async request => {
  assert<Equals<typeof request.body, { title: string }>>()
})

// Inside allow, the user is never null, and never that of a refresh token.
const { guard } = plain.dualToken
const strict = guard({
  maxAge: '10m',
  scope: ['a', 'b'],
  allow (user, request) {
    assert<Equals<typeof user, AccessClaims>>()
    assert<Equals<typeof user.refresh, false>>()
    assert<Equals<typeof user.auth_time, number | undefined>>()
    assert<Equals<typeof request, FastifyRequest>>()
    return user.user_id === 7
  }
})
assert<Equals<typeof strict, Guard>>()
plain.get('/strict', { onRequest: [strict], preHandler: guard({ scope: 'a b' }) }, async () => 'in')
plain.addHook('onRequest', guard({ maxAge: 600, allow: async user => user.user_id !== 0 }))
provided.post('/strict/:id', { schema, preHandler: [provided.dualToken.guard({ allow: () => true })] }, async request => request.body.title)
export const nothing: Guard[] = [guard(), guard({}), guard({ maxAge: undefined, scope: undefined, allow: undefined })]
export const options: GuardOptions = { maxAge: 600 }

// @ts-expect-error no such option
guard({ maxage: '10m' })
// @ts-expect-error a guard answers whether
guard({ allow: () => 'yes' })
// @ts-expect-error null is no scope
guard({ scope: null })
