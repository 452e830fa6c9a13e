// A request → the thumbprint of the key that its DPoP header proves, or what is wrong with it (RFC 9449 section 4.3).
import { parseSegment } from '../keys/segment.ts'
import { MAX_TOKEN_LENGTH, split } from '../tokens/split.ts'
import type { Headers } from './header.ts'
import type { Nonces } from './nonce.ts'
import type { IsReplayed, ProofSource } from './replay.ts'
import { isTarget, targetOf, type ProvingRequest } from './target.ts'

/** MISSING: no proof; INVALID: a bad one; NONCE: all is good except the time or the nonce, so the client must use a new nonce. */
export type ProofFlaw = 'MISSING' | 'INVALID' | 'NONCE'

export type ProofVerdict =
  | { readonly thumbprint: string, readonly flaw: null }
  | { readonly thumbprint: null, readonly flaw: ProofFlaw, readonly reason: string }

/**
 * Verifies the proof of a request, and accepts the same proof only once. Never throws.
 *
 * @param bound the thumbprint of the one key that is accepted; absent: any key
 */
export type VerifyProof = (request: ProvingRequest, bound?: string) => ProofVerdict

export interface ProofParts {
  /** Where clients see this server; null: as the request says. */
  readonly origin: string | null
  /** The clock, in milliseconds. */
  readonly now: () => number
  readonly headers: Headers
  readonly nonces: Nonces
  readonly isReplayed: IsReplayed
}

/** How old a proof or its nonce may be, and how far ahead of our clock, in seconds. */
const FRESH = 300
const MAX_ID = 256

export function createVerifyProof ({ origin, now, headers, nonces, isReplayed }: ProofParts): VerifyProof {
  return function verifyProof (request, bound) {
    const proof = request.headers.dpop
    if (proof === undefined) return flawed('MISSING', 'no proof')
    // Node.js joins headers of one name with a comma, which no proof has.
    if (typeof proof !== 'string' || proof.includes(',')) return invalid('more than one header')
    if (proof.length > MAX_TOKEN_LENGTH) return invalid('too long')
    try {
      return verifySigned(proof, request, bound)
    } catch {
      // Drops the error, because its message quotes the proof.
      return invalid('not JSON')
    }
  }

  function verifySigned (proof: string, request: ProvingRequest, bound: string | undefined): ProofVerdict {
    const segments = split(proof)
    if (segments === null) return invalid('not a compact JWS')
    const prover = headers.read(segments.header)
    if (typeof prover === 'string') return invalid(prover)
    if (bound !== undefined && prover.thumbprint !== bound) return invalid('another key')
    if (!prover.verifySignature(segments.input, segments.signature)) return invalid('signature')
    headers.remember(segments.header, prover)
    const claims = parseSegment(segments.payload)
    return claims === null ? invalid('not JSON') : verifyClaims(claims, prover.thumbprint, request, bound === undefined ? 'anybody' : 'owner')
  }

  function verifyClaims (claims: Record<string, unknown>, thumbprint: string, request: ProvingRequest, source: ProofSource): ProofVerdict {
    const { htm, htu, iat, nonce, jti } = claims
    if (htm !== request.method) return invalid('htm')
    if (!isTarget(htu, targetOf(request, origin))) return invalid('htu')
    // `ath` belongs to a bound access token, and ours are not bound.
    if (claims.ath !== undefined) return invalid('ath')
    if (typeof jti !== 'string' || jti === '' || jti.length > MAX_ID) return invalid('jti')
    if (typeof iat !== 'number') return invalid('iat')
    const madeAt = nonce === undefined ? iat : timeOf(nonce)
    const moment = now() / 1000
    // Negated, so that nothing is fresh when the clock returns NaN.
    if (madeAt === null || !(Math.abs(moment - madeAt) <= FRESH)) return flawed('NONCE', nonce === undefined ? 'iat' : 'nonce')
    if (isReplayed(thumbprint, jti, moment, madeAt + FRESH, source)) return invalid('jti used before')
    return { thumbprint, flaw: null }
  }

  function timeOf (nonce: unknown): number | null {
    return typeof nonce === 'string' ? nonces.timeOf(nonce) : null
  }
}

function invalid (reason: string): ProofVerdict {
  return flawed('INVALID', reason)
}

function flawed (flaw: ProofFlaw, reason: string): ProofVerdict {
  return { thumbprint: null, flaw, reason }
}
