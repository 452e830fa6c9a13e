// The ready routes: POST credentials → a pair, PUT with a refresh token → an access token.
import { Type, type TSchema } from '@sinclair/typebox'
import type { FastifyInstance, FastifyPluginCallback, FastifyReply, FastifyRequest, FastifySchema, preHandlerHookHandler } from 'fastify'
import type { VerdictOf } from './authenticate.ts'
import { createFault, type CreateRefusal } from './errors.ts'
import type { Issue } from './issue.ts'
import type { RouteSettings } from './route-options.ts'
import type { AccessReply, Guard, UserId } from './types.ts'
import { claimsOf } from './user.ts'

const BODY_LIMIT = 16 * 1024

const AccessReplySchema = Type.Object({
  token: Type.String(),
  token_type: Type.Literal('Bearer'),
  expires_in: Type.Integer()
})
const PairReplySchema = Type.Object({ ...AccessReplySchema.properties, refresh_token: Type.String() })

/** What the routes are made of. */
export interface RouteParts {
  readonly userIdClaim: string
  readonly issue: Issue
  readonly refreshRequired: Guard
  readonly verdictOf: VerdictOf
  readonly createRefusal: CreateRefusal
}

/** Each route reads bodies in its own way and so gets its own context: the application's parsers are left alone. */
export function createRoutes (routes: RouteSettings, parts: RouteParts): FastifyPluginCallback {
  return function registerRoutes (fastify, _options, done) {
    fastify.register(createLoginRoute(routes, parts))
    fastify.register(createRefreshRoute(routes, parts))
    done()
  }
}

function createLoginRoute (routes: RouteSettings, { userIdClaim, issue, createRefusal }: RouteParts): FastifyPluginCallback {
  return function registerLogin (fastify, _options, done) {
    acceptJsonOnly(fastify)
    fastify.post(routes.path, {
      bodyLimit: BODY_LIMIT,
      ...routes.passedOn,
      schema: { ...schemaOf(routes, PairReplySchema), body: routes.body }
    }, async (request, reply) => {
      const user = await routes.login(request.body as Record<string, unknown>, request)
      if (isNobody(user)) throw createRefusal('LOGIN_REFUSED')
      return created(reply, issue(claimsOf(user, userIdClaim), true))
    })
    done()
  }
}

function createRefreshRoute (routes: RouteSettings, parts: RouteParts): FastifyPluginCallback {
  const { userIdClaim, issue, refreshRequired, verdictOf, createRefusal } = parts
  const loadUser = routes.loadUser ?? (userId => ({ [userIdClaim]: userId }))

  return function registerRefresh (fastify, _options, done) {
    discardBodies(fastify)
    fastify.put(routes.path, {
      bodyLimit: BODY_LIMIT,
      ...routes.passedOn,
      preHandler: [refreshRequired as preHandlerHookHandler].concat(routes.passedOn.preHandler as preHandlerHookHandler[] ?? []),
      schema: schemaOf(routes, AccessReplySchema)
    }, async (request, reply) => {
      const userId = userIdOf(request)
      const user = await loadUser(userId, request)
      if (isNobody(user)) throw createRefusal('REFRESH_USER_GONE')
      const claims = claimsOf(user, userIdClaim)
      if (claims[userIdClaim] !== userId) {
        throw createFault('USER_INVALID', `loadUser must answer the user whose ${userIdClaim} it was asked for.`)
      }
      return created(reply, issue(claims, false))
    })
    done()
  }

  /** Of the guard's own verdict: `request.user` is anybody's to write. */
  function userIdOf (request: FastifyRequest): UserId {
    const { claims } = verdictOf(request)
    return (claims as unknown as Record<string, UserId>)[userIdClaim]!
  }
}

function isNobody (user: unknown): user is null | undefined | false {
  return user === null || user === undefined || user === false
}

function created (reply: FastifyReply, tokens: AccessReply): FastifyReply {
  return reply.code(201).header('cache-control', 'no-store').send(tokens)
}

function schemaOf (routes: RouteSettings, reply: TSchema): FastifySchema {
  return { ...routes.schema, response: { 201: reply } }
}

function acceptJsonOnly (fastify: FastifyInstance): void {
  fastify.removeAllContentTypeParsers()
  fastify.addContentTypeParser('application/json', { parseAs: 'string' }, fastify.getDefaultJsonParser('error', 'error'))
}

/** Whatever is sent is read, within the limit, and forgotten, and so is the type it claims to have. */
function discardBodies (fastify: FastifyInstance): void {
  fastify.removeAllContentTypeParsers()
  fastify.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, _body, done) => done(null))
  fastify.addHook('preParsing', (request, _reply, _payload, done) => {
    delete request.raw.headers['content-type']
    done()
  })
}
