// defineRoutes gives login's argument the type of `body`; without it, login gets a record of unknowns.
import Fastify, { type FastifyRequest } from 'fastify'
import { Type } from '@sinclair/typebox'
import dualToken, { defineRoutes, type DualTokenRoutes, type DualTokenUser, type UserId } from 'fastify-dual-token'
import { assert, type Equals } from './equals.ts'

const secret = 'x'.repeat(32)
const body = Type.Object({ username: Type.String(), password: Type.String(), code: Type.Optional(Type.Integer()) })

const routes = defineRoutes({
  body,
  async login (credentials, request) {
    assert<Equals<typeof credentials, { username: string, password: string, code?: number }>>()
    assert<Equals<typeof request, FastifyRequest>>()
    // @ts-expect-error not in the schema
    const { email } = credentials
    return credentials.password === email ? { user_id: credentials.username, role: 'member' } : null
  },
  label (credentials, request) {
    assert<Equals<typeof credentials, { username: string, password: string, code?: number }>>()
    return request.headers['x-device'] === undefined ? null : String(request.headers['x-device'])
  },
  async refreshExpiresIn (user, request) {
    assert<Equals<typeof user, DualTokenUser>>()
    assert<Equals<typeof request, FastifyRequest>>()
    return user.remember === true ? undefined : '1d'
  },
  loadUser (userId, request) {
    assert<Equals<typeof userId, UserId>>()
    assert<Equals<typeof request, FastifyRequest | undefined>>()
    return { user_id: userId }
  }
})
assert<Equals<typeof routes, DualTokenRoutes<typeof body>>>()
defineRoutes({ login: () => null, loadUser: (userId, request: FastifyRequest) => ({ user_id: userId, ip: request.ip }) })

const fastify = Fastify()
fastify.register(dualToken, { secret, routes })
fastify.register(dualToken, { secret, routes: defineRoutes({ body, login: ({ username }) => ({ user_id: username }) }) })
fastify.register(dualToken, {
  secret,
  routes: {
    body,
    login (credentials) {
      assert<Equals<typeof credentials, Record<string, unknown>>>()
      return null
    }
  }
})
fastify.register(dualToken, { secret, routes: { login: async ({ name }) => name === 'demo' && { user_id: 7 } } })
fastify.register(dualToken, { secret, routes: { body: { type: 'object' }, login: () => undefined } })

defineRoutes({
  login (credentials) {
    assert<Equals<typeof credentials, Record<string, unknown>>>()
    return false
  }
})

// A schema of Zod, Valibot and others says its type as https://standardschema.dev has it.
declare const standard: { '~standard': { version: 1, types?: { input: { name?: string }, output: { name: string } } | undefined } }
defineRoutes({
  body: standard,
  login (credentials) {
    assert<Equals<typeof credentials, { name: string }>>()
    return null
  }
})
// Of any other schema, the application says it.
defineRoutes({ body: { type: 'object' }, login: ({ name }: { name: string }) => ({ user_id: name }) })

// What a Fastify route takes is passed on.
defineRoutes({
  login: () => null,
  path: '/session',
  tags: ['auth'],
  schema: { summary: 'Tokens', security: [] },
  bodyLimit: 1000,
  logLevel: 'silent',
  onRequest: (_request, reply) => { reply.code(429).send() },
  preHandler: [async () => {}],
  constraints: { host: 'a.example' }
})

// @ts-expect-error a label is text
defineRoutes({ login: () => null, label: () => 7 })
// @ts-expect-error login is required
defineRoutes({ body })
// @ts-expect-error a user has an id
defineRoutes({ login: () => ({ role: 'member' }) })
// @ts-expect-error true is nobody
defineRoutes({ login: () => true })
// @ts-expect-error a number is no path
defineRoutes({ login: () => null, path: 7 })
