// The ready routes: POST credentials → a pair; PUT a refresh token → new tokens.
import { Type } from '@sinclair/typebox'
import type { FastifyInstance, FastifyPluginAsync, preHandlerHookHandler } from 'fastify'
import type { CookieJar } from '../access/cookie-jar.ts'
import { isFromBrowser } from '../access/own-page.ts'
import { acceptJsonOnly, ignoreBodies, optionsOf, takeCredentials } from './ready-route.ts'
import { bodyErrors, type DescribedError } from '../openapi/replies.ts'
import type { Possession } from '../possession/possession.ts'
import type { Reauthenticate } from './reauthenticate.ts'
import { addReauthenticationRoute } from './reauthentication.ts'
import type { Refresh } from './refresh.ts'
import type { CreateRefusal } from '../errors.ts'
import type { RouteSettings } from '../options/routes.ts'
import { createReplyTokens, type ReplyTokens } from './reply.ts'
import { proofHeader, replySchema } from './schemas.ts'
import { addSessionRoutes, type SessionRouteParts } from './sessions.ts'
import { clientOf } from '../sessions/client.ts'
import { readLabel } from '../sessions/label.ts'
import type { Sessions } from '../sessions/sessions.ts'
import type { SignIn } from './sign-in.ts'
import { addClearCookiesRoute, addSignOutRoute, type SignOutParts } from './sign-out.ts'
import type { AcceptedRefresh } from '../tokens/verdict.ts'
import type { Authentication } from '../access/authenticate.ts'
import type { Guard } from '../access/types.ts'
import { isNobody } from '../tokens/user.ts'

/** The parts that the routes use. */
export interface RouteParts extends Omit<SessionRouteParts & SignOutParts, 'sessions'> {
  readonly sessions: Sessions | null
  readonly possession: Possession | null
  readonly signIn: SignIn
  readonly refresh: Refresh
  /** Null: there is no such route. */
  readonly reauthenticate: Reauthenticate | null
  readonly refreshRequired: Guard
  readonly isByCookie: Authentication['isByCookie']
  readonly signInEnds: Authentication['signInEnds']
}

/** Each kind of route reads bodies differently, so each gets a context of its own; the application's parsers stay as they are. */
export function createRoutes (routes: RouteSettings, parts: RouteParts): FastifyPluginAsync {
  const { sessions, jar, reauthenticate } = parts
  const replyTokens = createReplyTokens(jar, routes.reply)

  // Async, so that a route that Fastify refuses fails the boot; thrown from a callback, the error would end the process.
  return async function registerRoutes (fastify) {
    fastify.register(async context => addLoginRoute(context, routes, { ...parts, replyTokens }))
    fastify.register(async context => addRefreshRoute(context, routes, { ...parts, replyTokens }))
    if (reauthenticate !== null) {
      fastify.register(async context => addReauthenticationRoute(context, routes, { ...parts, reauthenticate, replyTokens }))
    }
    if (sessions !== null) {
      fastify.register(async context => addSignOutRoute(context, routes, { ...parts, sessions }))
      fastify.register(async context => addSessionRoutes(context, routes, { ...parts, sessions }))
    } else if (jar !== null) {
      fastify.register(async context => addClearCookiesRoute(context, routes, { ...parts, jar }))
    }
  }
}

type ReplyingParts = RouteParts & { readonly replyTokens: ReplyTokens }

function addLoginRoute (fastify: FastifyInstance, routes: RouteSettings, parts: ReplyingParts): void {
  const { signIn, sessions, possession, jar, createRefusal, replyTokens } = parts
  const errors: DescribedError[] = [...bodyErrors, 'LOGIN_REFUSED']
  if (jar !== null) errors.push('CROSS_ORIGIN')
  if (sessions !== null) errors.push('STORE_UNAVAILABLE')
  if (sessions?.settings.limit?.whenFull === 'refuse') errors.push('SESSION_LIMIT')
  const mode = sessions?.settings.possession.mode ?? false
  if (mode !== false) errors.push('PROOF_INVALID at sign-in', 'PROOF_NONCE at sign-in')
  if (mode === 'required') errors.push('PROOF_REQUIRED')
  const options = optionsOf(routes, {
    summary: 'Sign in',
    description: `Exchanges credentials for an access token and a refresh token${jar === null ? '' : '; to a browser it gives them as cookies'}.`,
    errors,
    documented: { security: [], ...proofHeader(mode), body: Type.Object({}), response: { 201: replySchema(routes, jar, true) } },
    guard: jar === null ? undefined : createSignInGuard(jar, createRefusal)
  })
  takeCredentials(options, routes)

  acceptJsonOnly(fastify)
  fastify.post(routes.path, options, async (request, reply) => {
    const startedAt = performance.now()
    const jkt = possession === null ? null : await possession.atSignIn(request)
    const user = await routes.login(request.body as Record<string, unknown>, request)
    if (isNobody(user)) throw createRefusal('LOGIN_REFUSED')
    const label = readLabel(await routes.label?.(request.body as Record<string, unknown>, request))
    const refreshExpiresIn = await routes.refreshExpiresIn?.(user, request)
    const tokens = await signIn(user, true, { client: clientOf(request), startedAt, label, refreshExpiresIn, jkt })
    return await replyTokens(request, reply, tokens, { byCookie: isFromBrowser(request) })
  })
}

/** Otherwise a foreign page could sign its visitor in as somebody else, and then see what the visitor does. */
function createSignInGuard ({ isOwnPage }: CookieJar, createRefusal: CreateRefusal): preHandlerHookHandler {
  return function ownPageRequired (request, _reply, done) {
    if (!isFromBrowser(request) || isOwnPage(request)) return done()
    done(createRefusal('CROSS_ORIGIN', 'nothing proves that a page of ours sent the request'))
  }
}

function addRefreshRoute (fastify: FastifyInstance, routes: RouteSettings, parts: ReplyingParts): void {
  const { refresh, sessions, jar, refreshRequired, verdictOf, isByCookie, replyTokens } = parts
  const rotates = sessions?.settings.rotate === true
  const errors: DescribedError[] = ['FST_ERR_CTP_BODY_TOO_LARGE']
  if (routes.loadUser !== undefined) errors.push('REFRESH_USER_GONE')
  if (sessions !== null) errors.push('REFRESH_REUSED', 'STORE_UNAVAILABLE')
  const binds = sessions !== null && sessions.settings.possession.mode !== false
  if (binds) errors.push('PROOF_INVALID', 'PROOF_NONCE')
  const options = optionsOf(routes, {
    summary: rotates ? 'Renew both tokens' : 'Renew the access token',
    description: `Exchanges the refresh token; a body is discarded.${rotates ? ' The refresh token of the reply replaces it.' : ''}`,
    errors,
    documented: { ...proofHeader(binds && 'optional'), response: { 201: replySchema(routes, jar, rotates) } },
    guard: refreshRequired
  })

  ignoreBodies(fastify, parts.parsesBodies)
  fastify.put(routes.path, options, async (request, reply) => {
    // Reads the guard's own verdict, because any hook may overwrite `request.user`.
    const presented = verdictOf(request, 'refresh') as AcceptedRefresh
    const tokens = await refresh(presented, clientOf(request), { request })
    return await replyTokens(request, reply, tokens, { byCookie: isByCookie(request, 'refresh'), signInEnds: presented.claims.exp })
  })
}
