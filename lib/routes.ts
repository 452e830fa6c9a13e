// The ready routes: POST credentials → a pair, PUT with a refresh token → an access token; with sessions, those of sessions too.
import { Type } from '@sinclair/typebox'
import type { FastifyInstance, FastifyPluginCallback, FastifyReply } from 'fastify'
import type { CreateRefusal } from './errors.ts'
import { acceptJsonOnly, discardBodies, optionsOf } from './ready-route.ts'
import type { Refresh } from './refresh.ts'
import type { RouteSettings } from './route-options.ts'
import { addSessionRoutes, type SessionRouteParts } from './session-routes.ts'
import { clientOf } from './sessions/client.ts'
import type { Sessions } from './sessions/sessions.ts'
import type { SignIn } from './sign-in.ts'
import type { AccessReply, Guard, RefreshClaims } from './types.ts'
import { isNobody } from './user.ts'

const AccessReplySchema = Type.Object({
  token: Type.String(),
  token_type: Type.Literal('Bearer'),
  expires_in: Type.Integer()
})
const PairReplySchema = Type.Object({ ...AccessReplySchema.properties, refresh_token: Type.String() })

/** What the routes are made of. */
export interface RouteParts extends Omit<SessionRouteParts, 'sessions'> {
  readonly sessions: Sessions | null
  readonly signIn: SignIn
  readonly refresh: Refresh
  readonly refreshRequired: Guard
  readonly createRefusal: CreateRefusal
}

/** Each kind of route reads bodies in its own way and so gets its own context: the application's parsers are left alone. */
export function createRoutes (routes: RouteSettings, parts: RouteParts): FastifyPluginCallback {
  const { sessions } = parts

  return function registerRoutes (fastify, _options, done) {
    fastify.register((context, _options, done) => {
      addLoginRoute(context, routes, parts)
      done()
    })
    fastify.register((context, _options, done) => {
      addRefreshRoute(context, routes, parts)
      done()
    })
    if (sessions !== null) {
      fastify.register((context, _options, done) => {
        addSessionRoutes(context, routes, { ...parts, sessions })
        done()
      })
    }
    done()
  }
}

function addLoginRoute (fastify: FastifyInstance, routes: RouteSettings, { signIn, createRefusal }: RouteParts): void {
  acceptJsonOnly(fastify)
  fastify.post(routes.path, optionsOf(routes, { body: routes.body, response: { 201: PairReplySchema } }), async (request, reply) => {
    const began = performance.now()
    const user = await routes.login(request.body as Record<string, unknown>, request)
    if (isNobody(user)) throw createRefusal('LOGIN_REFUSED')
    return created(reply, await signIn(user, true, clientOf(request), began))
  })
}

function addRefreshRoute (fastify: FastifyInstance, routes: RouteSettings, parts: RouteParts): void {
  const { refresh, sessions, refreshRequired, verdictOf } = parts
  const replySchema = sessions?.settings.rotate ? PairReplySchema : AccessReplySchema

  discardBodies(fastify)
  fastify.put(routes.path, optionsOf(routes, { response: { 201: replySchema } }, refreshRequired), async (request, reply) => {
    // Of the guard's own verdict: `request.user` is anybody's to write.
    const claims = verdictOf(request).claims as RefreshClaims
    return created(reply, await refresh(claims, clientOf(request), { request }))
  })
}

function created (reply: FastifyReply, tokens: AccessReply): FastifyReply {
  return reply.code(201).header('cache-control', 'no-store').send(tokens)
}
