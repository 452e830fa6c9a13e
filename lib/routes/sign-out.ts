// A token of either kind → the end of its session, and of the cookies that carry it.
import type { FastifyInstance } from 'fastify'
import type { CookieJar } from '../access/cookie-jar.ts'
import { locateAny, type Locate } from '../access/locate.ts'
import { accessSchemes, refreshSchemes } from '../access/schemes.ts'
import type { CreateRefusal } from '../errors.ts'
import { setCookieHeader } from '../openapi/replies.ts'
import type { RouteSettings } from '../options/routes.ts'
import type { Sessions } from '../sessions/sessions.ts'
import { sessionOf } from '../tokens/session-claims.ts'
import { userIdOf } from '../tokens/user.ts'
import { suffixOf } from '../tokens/verdict.ts'
import type { Verify } from '../tokens/verify.ts'
import { ignoreBodies, NoContentSchema, noContent, optionsOf } from './ready-route.ts'

/** What the route is made of. */
export interface SignOutParts {
  readonly userIdClaim: string
  readonly sessions: Sessions
  readonly jar: CookieJar | null
  readonly locate: Locate | null
  /** Whether the `extract` option may look for a token in a JSON body. */
  readonly parsesBodies: boolean
  /** Verifies a token but ignores its expiry and its session. */
  readonly verifyAnyTime: Verify
  readonly createRefusal: CreateRefusal
}

/** Adds the route to a context of its own. */
export function addSignOutRoute (fastify: FastifyInstance, routes: RouteSettings, parts: SignOutParts): void {
  const { userIdClaim, sessions, jar, locate, verifyAnyTime, createRefusal } = parts
  const options = optionsOf(routes, {
    summary: 'Sign out',
    description: 'Ends the session of the token, of either kind, expired or not. Twice is as good as once.',
    errors: ['ACCESS_MISSING', 'ACCESS_INVALID', ...jar === null ? [] : ['CROSS_ORIGIN'] as const, 'FST_ERR_CTP_BODY_TOO_LARGE', 'STORE_UNAVAILABLE'],
    schemes: { ...accessSchemes(jar?.settings), ...refreshSchemes(jar?.settings) },
    documented: { response: { 204: jar === null ? NoContentSchema : { ...NoContentSchema, headers: setCookieHeader('Deletes the cookies') } } }
  })

  ignoreBodies(fastify, parts.parsesBodies)
  fastify.delete(routes.path, options, async (request, reply) => {
    const found = locateAny(request, locate, ['refresh', 'access'])
    const { claims, refusal } = found.claims === null ? found : verifyAnyTime(found.token)
    // Deletes the cookies even then, because no script can delete a token that is not valid.
    if (claims === null) {
      if (jar?.isOwnPage(request)) jar.clear(reply)
      throw createRefusal(suffixOf('ACCESS', refusal.kind), refusal.reason)
    }
    await sessions.revoke.session(sessionOf(claims).sid, { userId: userIdOf(claims, userIdClaim), ip: request.ip, reason: 'logout' })
    if (jar?.isOwnPage(request)) jar.clear(reply)
    return noContent(reply)
  })
}

type ClearCookiesParts = Pick<SignOutParts, 'parsesBodies' | 'createRefusal'> & { readonly jar: CookieJar }

/** Without sessions there is nothing to end, but no script can delete an HttpOnly cookie. */
export function addClearCookiesRoute (fastify: FastifyInstance, routes: RouteSettings, parts: ClearCookiesParts): void {
  const { jar, parsesBodies, createRefusal } = parts
  const options = optionsOf(routes, {
    summary: 'Sign out',
    description: 'Deletes the cookies of the browser. Twice is as good as once.',
    errors: ['CROSS_ORIGIN', 'FST_ERR_CTP_BODY_TOO_LARGE'],
    documented: { security: [], response: { 204: { ...NoContentSchema, headers: setCookieHeader('Deletes the cookies') } } }
  })

  ignoreBodies(fastify, parsesBodies)
  fastify.delete(routes.path, options, async (request, reply) => {
    if (!jar.isOwnPage(request)) throw createRefusal('CROSS_ORIGIN', 'nothing proves that a page of ours sent the request')
    jar.clear(reply)
    return noContent(reply)
  })
}
