// The onRequest hook: request → `request.user`, for every request, open routes included. It never sends a reply and never throws.
import type { FastifyRequest, onRequestHookHandler } from 'fastify'
import { extract } from './extract.ts'
import type { GuardedRequest } from './types.ts'
import type { Verdict } from '../tokens/verdict.ts'
import type { Verify } from '../tokens/verify.ts'

/** Decides once per request who sends it, and keeps the verdict where only the guards of the same instance see it. */
export type VerdictOf = (request: GuardedRequest) => Verdict

export interface Authentication {
  /** The request property that keeps the verdict. Guards read it, never `request.user`, because any hook may overwrite that. */
  readonly slot: symbol
  readonly hook: onRequestHookHandler
  readonly verdictOf: VerdictOf
}

export function createAuthentication (verify: Verify): Authentication {
  const slot: unique symbol = Symbol('fastify-dual-token.verdict')
  type Carrier = GuardedRequest & { [slot]?: Verdict | null }

  function verdictOf (request: Carrier): Verdict {
    return (request[slot] ??= authenticate(request))
  }

  function authenticate (request: GuardedRequest): Verdict {
    const token = extract(request)
    return typeof token === 'string' ? verify(token) : token
  }

  function hook (request: FastifyRequest, _reply: unknown, done: () => void): void {
    request.user = verdictOf(request).claims
    done()
  }

  return { slot, hook, verdictOf }
}
