// A request with a proof → the key that its session is bound to, or a refusal.
import type { CreateRefusal, DualTokenError } from '../errors.ts'
import type { RingKeys } from '../keys/check.ts'
import type { PossessionSettings } from '../sessions/settings.ts'
import { createHeaders } from './header.ts'
import { createNonces } from './nonce.ts'
import { createVerifyProof, type ProofVerdict } from './proof.ts'
import { createIsReplayed } from './replay.ts'
import type { ProvingRequest } from './target.ts'

export interface Possession {
  /**
   * The thumbprint of the key that a new session is bound to; null when the request brings no proof, or the option binds no sessions.
   *
   * Rejects with `PROOF_INVALID`, `PROOF_REQUIRED` or `PROOF_NONCE`, as a 400.
   */
  atSignIn (request: ProvingRequest): Promise<string | null>
  /**
   * The thumbprint of the key that a session is bound to, once the request has proved that its sender has the key.
   *
   * Rejects with `PROOF_INVALID` or `PROOF_NONCE`, as a 401.
   */
  atRefresh (bound: string, request: ProvingRequest | undefined): Promise<string>
}

export interface PossessionParts {
  readonly settings: PossessionSettings
  readonly ring: { readonly keys: RingKeys }
  /** The clock, in milliseconds. */
  readonly now: () => number
  readonly createRefusal: CreateRefusal
}

export function createPossession ({ settings: { mode, origin }, ring, now, createRefusal }: PossessionParts): Possession {
  const nonces = createNonces(ring, now)
  const verifyProof = createVerifyProof({ origin, now, headers: createHeaders(), nonces, isReplayed: createIsReplayed() })

  function refusalOf ({ flaw, reason }: Exclude<ProofVerdict, { flaw: null }>, atSignIn: boolean): DualTokenError {
    if (flaw !== 'NONCE') return createRefusal('PROOF_INVALID', reason, atSignIn)
    const error = createRefusal('PROOF_NONCE', reason, atSignIn)
    error.headers = Object.freeze({ ...error.headers, 'dpop-nonce': nonces.make() })
    return error
  }

  return {
    async atSignIn (request) {
      if (mode === false) return null
      const verdict = verifyProof(request)
      if (verdict.flaw === null) return verdict.thumbprint
      if (verdict.flaw !== 'MISSING') throw refusalOf(verdict, true)
      if (mode === 'required') throw createRefusal('PROOF_REQUIRED')
      return null
    },

    async atRefresh (bound, request) {
      if (request === undefined) throw createRefusal('PROOF_INVALID', 'no proof')
      const verdict = verifyProof(request, bound)
      if (verdict.flaw !== null) throw refusalOf(verdict, false)
      return bound
    }
  }
}
