// The ready route that asks a signed-in user for the credentials again → a new access token, which says that they were given just now.
import { Type } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import type { Authentication } from '../access/authenticate.ts'
import type { Guard } from '../access/types.ts'
import type { CreateRefusal } from '../errors.ts'
import { bodyErrors, type DescribedError } from '../openapi/replies.ts'
import type { RouteSettings } from '../options/routes.ts'
import type { Sessions } from '../sessions/sessions.ts'
import { sessionOf } from '../tokens/session-claims.ts'
import { isNobody, userIdOf } from '../tokens/user.ts'
import type { CookieJar } from '../access/cookie-jar.ts'
import { acceptJsonOnly, optionsOf, takeCredentials } from './ready-route.ts'
import type { Reauthenticate } from './reauthenticate.ts'
import type { ReplyTokens } from './reply.ts'
import { replySchema } from './schemas.ts'

/** What the route is made of. */
export interface ReauthenticationParts {
  readonly userIdClaim: string
  readonly reauthenticate: Reauthenticate
  readonly sessions: Sessions | null
  readonly jar: CookieJar | null
  readonly loginRequired: Guard
  readonly verdictOf: Authentication['verdictOf']
  readonly isByCookie: Authentication['isByCookie']
  readonly signInEnds: Authentication['signInEnds']
  readonly replyTokens: ReplyTokens
  readonly createRefusal: CreateRefusal
}

/** Adds the route to a context of its own. */
export function addReauthenticationRoute (fastify: FastifyInstance, routes: RouteSettings, parts: ReauthenticationParts): void {
  const { userIdClaim, reauthenticate, sessions, jar, loginRequired, verdictOf, isByCookie, signInEnds, replyTokens, createRefusal } = parts
  const errors: DescribedError[] = [...bodyErrors, 'LOGIN_REFUSED']
  if (sessions !== null) errors.push('STORE_UNAVAILABLE')
  const options = optionsOf(routes, {
    summary: 'Prove again who you are',
    description: 'Exchanges the credentials of the user for a new access token, whose `auth_time` is now.',
    errors,
    documented: { body: Type.Object({}), response: { 201: replySchema(routes, jar, false) } },
    guard: loginRequired
  })
  takeCredentials(options, routes)

  acceptJsonOnly(fastify)
  fastify.post(`${routes.path.replace(/\/$/, '')}/reauthentication`, options, async (request, reply) => {
    // Reads the guard's own verdict, because any hook may overwrite `request.user`.
    const claims = verdictOf(request).claims!
    const user = await routes.login(request.body as Record<string, unknown>, request)
    if (isNobody(user)) throw createRefusal('LOGIN_REFUSED')
    const tokens = await reauthenticate(user, { userId: userIdOf(claims, userIdClaim), sid: sessionOf(claims).sid, ip: request.ip })
    if (tokens === 'another user') throw createRefusal('LOGIN_REFUSED', tokens)
    if (tokens === 'ended') throw createRefusal('ACCESS_REVOKED', 'session ended, or unknown')
    return await replyTokens(request, reply, tokens, { byCookie: isByCookie(request, 'access'), signInEnds: signInEnds(request) })
  })
}
