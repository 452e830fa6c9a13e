// The ready routes of sessions: list a user's sessions, end one or all of them.
import { Type } from '@sinclair/typebox'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { VerdictOf } from '../access/authenticate.ts'
import type { CreateRefusal } from '../errors.ts'
import type { CookieJar } from '../access/cookie-jar.ts'
import { setCookieHeader } from '../openapi/replies.ts'
import { createRequireOneOf, ignoreBodies, NoContentSchema, noContent, optionsOf } from './ready-route.ts'
import type { RouteSettings } from '../options/routes.ts'
import { hasDuty } from '../sessions/duties.ts'
import { sessionOf } from '../tokens/session-claims.ts'
import type { Sessions } from '../sessions/sessions.ts'
import type { SessionRecord } from '../sessions/store.ts'
import type { Guard } from '../access/types.ts'
import type { UserId } from '../tokens/types.ts'
import { userIdOf } from '../tokens/user.ts'

const SessionsReplySchema = Type.Object({
  sessions: Type.Array(Type.Object({
    id: Type.String({ examples: ['q83vEjRWeJCrze8SNFZ4kA'] }),
    created_at: Type.String({ format: 'date-time', description: 'When the user signed in' }),
    last_used_at: Type.String({ format: 'date-time', description: 'When the session was last refreshed' }),
    expires_at: Type.String({ format: 'date-time' }),
    ip: Type.Union([Type.String(), Type.Null()]),
    user_agent: Type.Union([Type.String(), Type.Null()]),
    label: Type.Union([Type.String({ maxLength: 64 }), Type.Null()], { description: 'The name of the device' }),
    current: Type.Boolean({ description: 'Whether it is the session of the token this was asked with' })
  }))
}, { description: 'The sessions of the user' })
const DELETE_ERRORS = ['FST_ERR_CTP_BODY_TOO_LARGE', 'STORE_UNAVAILABLE'] as const
const OTHERS = 'current'
const ExceptSchema = Type.Object({
  except: Type.Optional(Type.String({ enum: [OTHERS], description: 'Spares the session of the token' }))
})
const IdSchema = Type.Object({ id: Type.String({ description: 'The `id` of a session in the list' }) })

/** The parts that the routes use. */
export interface SessionRouteParts {
  readonly userIdClaim: string
  readonly sessions: Sessions
  readonly loginRequired: Guard
  readonly verdictOf: VerdictOf
  readonly jar: CookieJar | null
  readonly createRefusal: CreateRefusal
}

/** Adds the routes to a context of their own. */
export function addSessionRoutes (fastify: FastifyInstance, routes: RouteSettings, parts: SessionRouteParts): void {
  const { userIdClaim, sessions, loginRequired, verdictOf, jar, createRefusal } = parts
  const list = `${routes.path.replace(/\/$/, '')}/sessions`

  const ended = jar === null ? NoContentSchema : { ...NoContentSchema, headers: setCookieHeader('Deletes the cookies, when their session has ended') }

  ignoreBodies(fastify, false)

  const listSessions = optionsOf(routes, {
    summary: 'List sessions',
    description: 'The sessions of the user that live, the last used first.',
    errors: ['STORE_UNAVAILABLE'],
    documented: { response: { 200: SessionsReplySchema } },
    guard: loginRequired
  })
  fastify.get(list, listSessions, async (request, reply) => {
    const { userId, sid } = callerOf(request)
    const records = await sessions.list(userId)
    return reply.send({ sessions: records.map(record => viewOf(record, sid)) })
  })

  const endSession = optionsOf(routes, {
    summary: 'End a session',
    description: "Ends one of the user's own sessions, at once.",
    errors: ['SESSION_UNKNOWN', ...DELETE_ERRORS],
    documented: { params: IdSchema, response: { 204: ended } },
    guard: loginRequired
  })
  fastify.delete(`${list}/:id`, endSession, async (request, reply) => {
    const { id } = request.params as { id: string }
    const { userId, sid } = callerOf(request)
    const known = await sessions.revoke.session(id, { userId, mustExist: true, ip: request.ip, reason: 'ended' })
    if (!known) throw createRefusal('SESSION_UNKNOWN')
    if (id === sid) clearCookies(request, reply)
    return noContent(reply)
  })

  const canSpare = hasDuty(sessions.settings.store, 'except')
  const signOutEverywhere = optionsOf(routes, {
    summary: canSpare ? 'Sign out everywhere, or everywhere else' : 'Sign out everywhere',
    description: `Ends all sessions of the user, that of the token included${canSpare ? ' unless it is to be spared' : ''}.`,
    errors: ['QUERY_INVALID', ...DELETE_ERRORS],
    documented: { ...(canSpare && { querystring: ExceptSchema }), response: { 204: ended } },
    guard: loginRequired
  })
  const requireExcept = createRequireOneOf('except', canSpare ? [OTHERS] : [], signOutEverywhere.schemaErrorFormatter)
  signOutEverywhere.preValidation = [signOutEverywhere.preValidation ?? [], requireExcept].flat()
  fastify.delete(list, signOutEverywhere, async (request, reply) => {
    const { userId, sid } = callerOf(request)
    if (isForOthers(request)) {
      await sessions.revoke.user(userId, { except: sid, ip: request.ip, reason: 'all_ended' })
      return noContent(reply)
    }
    await sessions.revoke.user(userId, { sessionId: sid, ip: request.ip, reason: 'all_ended' })
    clearCookies(request, reply)
    return noContent(reply)
  })

  /** Reads the guard's own verdict, because any hook may overwrite `request.user`. */
  function callerOf (request: FastifyRequest): { userId: UserId, sid: string } {
    const claims = verdictOf(request).claims!
    return { userId: userIdOf(claims, userIdClaim), sid: sessionOf(claims).sid }
  }

  function clearCookies (request: FastifyRequest, reply: FastifyReply): void {
    if (jar?.isOwnPage(request)) jar.clear(reply)
  }
}

function isForOthers ({ query }: FastifyRequest): boolean {
  return (query as { except?: unknown }).except === OTHERS
}

function viewOf (record: SessionRecord, current: string) {
  return {
    id: record.id,
    created_at: new Date(record.createdAt).toISOString(),
    last_used_at: new Date(record.lastUsedAt).toISOString(),
    expires_at: new Date(record.expiresAt).toISOString(),
    ip: record.ip,
    user_agent: record.userAgent,
    label: record.label,
    current: record.id === current
  }
}
