// The onRequest hook: request → `request.user`, for every request, open routes included. It never sends a reply and never throws.
import type { FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify'
import { extract } from './extract.ts'
import type { Locate } from './locate.ts'
import type { GuardedRequest, TokenKind } from './types.ts'
import type { Verdict } from '../tokens/verdict.ts'
import type { Verify } from '../tokens/verify.ts'

/**
 * Decides once per request and kind of token who sends it, and keeps the verdict where only the guards of the same instance see it. A Bearer
 * token decides for both kinds. Default: the access token.
 */
export type VerdictOf = (request: GuardedRequest, kind?: TokenKind) => Verdict

export interface Authentication {
  /** The request property that keeps the verdict. Guards read it, never `request.user`, because any hook may overwrite that. */
  readonly slot: symbol
  readonly hook: onRequestHookHandler
  readonly verdictOf: VerdictOf
  /** The verdict as of now: for guards, which may run long after the headers of a request have come. */
  readonly verdictNow: VerdictOf
  /** Whether a cookie brought a good token of that kind. */
  readonly isByCookie: (request: GuardedRequest, kind: TokenKind) => boolean
  /** The expiry of the good refresh token that a cookie brought, in epoch seconds; undefined when there is none. */
  readonly signInEnds: (request: GuardedRequest) => number | undefined
  /** Sets `request.user` by a token of this kind, which the hook has not looked for. */
  readonly show: (request: GuardedRequest, reply: unknown, kind: TokenKind) => void
}

/** @param locate null: tokens are in the Authorization header alone */
export function createAuthentication (verify: Verify, locate: Locate | null = null): Authentication {
  const slot: unique symbol = Symbol('fastify-dual-token.verdict')
  // Not decorated: each decorated property costs every request, and these are for the few that need them.
  const refreshSlot: unique symbol = Symbol('fastify-dual-token.refresh-verdict')
  const cookieSlot: unique symbol = Symbol('fastify-dual-token.by-cookie')
  type Carrier = GuardedRequest & { [slot]?: Verdict | null, [refreshSlot]?: Verdict | null, [cookieSlot]?: TokenKind[] | null }

  const verdictOf: VerdictOf = locate === null ? verdictOnHeader : verdictOnKind

  function verdictOnHeader (request: Carrier): Verdict {
    return (request[slot] ??= authenticate(request))
  }

  function authenticate (request: GuardedRequest): Verdict {
    const token = extract(request)
    return typeof token === 'string' ? verify(token) : token
  }

  function verdictOnKind (request: Carrier, kind: TokenKind = 'access'): Verdict {
    return kind === 'access' ? (request[slot] ??= authenticateKind(request, kind)) : (request[refreshSlot] ??= authenticateKind(request, kind))
  }

  function authenticateKind (request: Carrier, kind: TokenKind): Verdict {
    const token = extract(request)
    if (typeof token !== 'string' && token.refusal.kind === 'MISSING') return elsewhere(request, kind)
    if (kind === 'refresh') return verdictOnKind(request)
    return typeof token === 'string' ? verify(token) : token
  }

  function elsewhere (request: Carrier, kind: TokenKind): Verdict {
    const found = locate!(request, kind)
    if (found.claims === null) return found
    const verdict = verify(found.token)
    if (found.inCookie && verdict.claims !== null) (request[cookieSlot] ??= []).push(kind)
    return verdict
  }

  /** Only the body of a request can be long in coming, and those of GET and HEAD are not read. Meanwhile a token may expire, or its session end. */
  function verdictNow (request: GuardedRequest, kind?: TokenKind): Verdict {
    const verdict = verdictOf(request, kind)
    // Fastify hands guards its whole request; the type of guards leaves out what depends on its generics.
    const { method } = request as FastifyRequest
    return verdict.claims === null || method === 'GET' || method === 'HEAD' ? verdict : verify(verdict.token)
  }

  function isByCookie (request: Carrier, kind: TokenKind): boolean {
    return request[cookieSlot]?.includes(kind) === true
  }

  function signInEnds (request: GuardedRequest): number | undefined {
    const { claims } = verdictOf(request, 'refresh')
    return claims?.refresh && isByCookie(request, 'refresh') ? claims.exp : undefined
  }

  function show (request: Carrier, reply: unknown, kind: TokenKind): void {
    const { claims } = verdictOf(request, kind)
    Object.assign(request, { user: claims })
    if (isByCookie(request, kind)) keepPrivate(reply as FastifyReply)
  }

  function hook (request: FastifyRequest, reply: FastifyReply, done: () => void): void {
    request.user = verdictOf(request).claims
    if (locate !== null && isByCookie(request, 'access')) keepPrivate(reply)
    done()
  }

  return { slot, hook, verdictOf, verdictNow, isByCookie, signInEnds, show }
}

/** By themselves, shared caches respect only Authorization (RFC 9111 section 3.5). A handler may replace this header. */
function keepPrivate (reply: FastifyReply): void {
  if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'private')
}
