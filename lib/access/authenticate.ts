// The onRequest hook: request → `request.user`, for every request, open routes included. It never answers and never throws.
import type { FastifyRequest, onRequestHookHandler, onSendHookHandler } from 'fastify'
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
  /** The request properties that keep the verdicts. Guards read them, never `request.user`, because any hook may overwrite that. */
  readonly slots: readonly symbol[]
  readonly hook: onRequestHookHandler
  readonly verdictOf: VerdictOf
  /** Whether a cookie brought a good token of a kind. */
  readonly isByCookie: (request: GuardedRequest, kind: TokenKind) => boolean
  /** The onSend hook that keeps replies to users known by cookie out of shared caches. */
  readonly keepPrivate: onSendHookHandler
}

/** @param locate null: tokens are in the Authorization header alone */
export function createAuthentication (verify: Verify, locate: Locate | null = null): Authentication {
  const slot: unique symbol = Symbol('fastify-dual-token.verdict')
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
    const known = kind === 'access' ? request[slot] : request[refreshSlot]
    if (known) return known
    const token = extract(request)
    if (typeof token !== 'string' && token.refusal.kind === 'MISSING') {
      const verdict = elsewhere(request, kind)
      if (kind === 'access') request[slot] = verdict
      else request[refreshSlot] = verdict
      return verdict
    }
    const verdict = typeof token === 'string' ? verify(token) : token
    request[slot] = verdict
    request[refreshSlot] = verdict
    return verdict
  }

  function elsewhere (request: Carrier, kind: TokenKind): Verdict {
    const found = locate!(request, kind)
    if (found.claims === null) return found
    const verdict = verify(found.token)
    if (found.inCookie && verdict.claims !== null) (request[cookieSlot] ??= []).push(kind)
    return verdict
  }

  function isByCookie (request: Carrier, kind: TokenKind): boolean {
    return request[cookieSlot]?.includes(kind) === true
  }

  const hook: onRequestHookHandler = (request, _reply, done) => {
    request.user = verdictOf(request).claims
    done()
  }

  /** Shared caches know by themselves only of Authorization (RFC 9111 section 3.5). */
  const keepPrivate: onSendHookHandler = (request: FastifyRequest & Carrier, reply, _payload, done) => {
    if (request[cookieSlot] && !reply.hasHeader('cache-control')) reply.header('cache-control', 'private')
    done()
  }

  return { slots: locate === null ? [slot] : [slot, refreshSlot, cookieSlot], hook, verdictOf, isByCookie, keepPrivate }
}
