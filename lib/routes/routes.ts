// The ready routes: POST credentials → a pair; PUT a refresh token → new tokens.
import { Type } from '@sinclair/typebox'
import type { FastifyInstance, FastifyPluginAsync, FastifyReply } from 'fastify'
import { acceptJsonOnly, createRequireObject, discardBodies, optionsOf } from './ready-route.ts'
import { bodyErrors, type DescribedError } from '../openapi/replies.ts'
import type { Refresh } from './refresh.ts'
import type { RouteSettings } from '../options/routes.ts'
import { addSessionRoutes, type SessionRouteParts } from './sessions.ts'
import { clientOf } from '../sessions/client.ts'
import type { Sessions } from '../sessions/sessions.ts'
import type { SignIn } from './sign-in.ts'
import type { AccessReply, RefreshClaims } from '../tokens/types.ts'
import type { Guard } from '../access/types.ts'
import { isNobody } from '../tokens/user.ts'

/** Example tokens for the OpenAPI document. */
const ACCESS_TOKEN = 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjo3LCJyZWZyZXNoIjpmYWxzZX0.c2lnbmF0dXJl'
const REFRESH_TOKEN = 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjo3LCJyZWZyZXNoIjp0cnVlfQ.c2lnbmF0dXJl'

const AccessReplySchema = Type.Object({
  token: Type.String({ description: 'The access token: it goes with every request', examples: [ACCESS_TOKEN] }),
  token_type: Type.Literal('Bearer', { examples: ['Bearer'] }),
  expires_in: Type.Integer({ description: 'Seconds until the access token expires', examples: [7200] })
}, { description: 'An access token' })
const PairReplySchema = Type.Object({
  ...AccessReplySchema.properties,
  refresh_token: Type.String({ description: 'It is exchanged for a new access token, and does nothing else', examples: [REFRESH_TOKEN] })
}, { description: 'Both tokens' })

/** The parts that the routes use. */
export interface RouteParts extends Omit<SessionRouteParts, 'sessions'> {
  readonly sessions: Sessions | null
  readonly signIn: SignIn
  readonly refresh: Refresh
  readonly refreshRequired: Guard
}

/** Each kind of route reads bodies differently, so each gets a context of its own; the application's parsers stay as they are. */
export function createRoutes (routes: RouteSettings, parts: RouteParts): FastifyPluginAsync {
  const { sessions } = parts

  // Async, so that a route that Fastify refuses fails the boot; thrown from a callback, the error would end the process.
  return async function registerRoutes (fastify) {
    fastify.register(async context => addLoginRoute(context, routes, parts))
    fastify.register(async context => addRefreshRoute(context, routes, parts))
    if (sessions !== null) fastify.register(async context => addSessionRoutes(context, routes, { ...parts, sessions }))
  }
}

function addLoginRoute (fastify: FastifyInstance, routes: RouteSettings, { signIn, sessions, createRefusal }: RouteParts): void {
  const errors: DescribedError[] = [...bodyErrors, 'LOGIN_REFUSED']
  if (sessions !== null) errors.push('STORE_UNAVAILABLE')
  const options = optionsOf(routes, {
    summary: 'Sign in',
    description: 'Exchanges credentials for an access token and a refresh token.',
    errors,
    documented: { security: [], body: Type.Object({}), response: { 201: PairReplySchema } }
  })
  if (routes.body === undefined) options.preValidation = [options.preValidation ?? [], createRequireObject(options.schemaErrorFormatter)].flat()
  else options.schema = { ...options.schema, body: routes.body }

  acceptJsonOnly(fastify)
  fastify.post(routes.path, options, async (request, reply) => {
    const startedAt = performance.now()
    const user = await routes.login(request.body as Record<string, unknown>, request)
    if (isNobody(user)) throw createRefusal('LOGIN_REFUSED')
    return created(reply, await signIn(user, true, clientOf(request), startedAt))
  })
}

function addRefreshRoute (fastify: FastifyInstance, routes: RouteSettings, parts: RouteParts): void {
  const { refresh, sessions, refreshRequired, verdictOf } = parts
  const rotates = sessions?.settings.rotate === true
  const errors: DescribedError[] = ['FST_ERR_CTP_BODY_TOO_LARGE']
  if (routes.loadUser !== undefined) errors.push('REFRESH_USER_GONE')
  if (sessions !== null) errors.push('REFRESH_REUSED', 'STORE_UNAVAILABLE')
  const options = optionsOf(routes, {
    summary: rotates ? 'Renew both tokens' : 'Renew the access token',
    description: `Exchanges the refresh token; a body is discarded.${rotates ? ' The refresh token of the reply replaces it.' : ''}`,
    errors,
    documented: { response: { 201: rotates ? PairReplySchema : AccessReplySchema } },
    guard: refreshRequired
  })

  discardBodies(fastify)
  fastify.put(routes.path, options, async (request, reply) => {
    // Reads the guard's own verdict, because any hook may overwrite `request.user`.
    const claims = verdictOf(request).claims as RefreshClaims
    return created(reply, await refresh(claims, clientOf(request), { request }))
  })
}

function created (reply: FastifyReply, tokens: AccessReply): FastifyReply {
  return reply.code(201).send(tokens)
}
