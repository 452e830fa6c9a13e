// The `alg` and `jwk` of a proof → the public key in it, or null (RFC 7518 section 6.2, RFC 8037 section 2).
import { createPublicKey } from 'node:crypto'
import type { PublicRingKey } from '../keys/check.ts'
import { hasSoundOrder } from '../keys/ed25519.ts'
import { holdsPrivate } from '../keys/parse.ts'
import { thumbprintOf, type KeyMembers } from './thumbprint.ts'

export interface ProofKey extends PublicRingKey {
  readonly thumbprint: string
}

/** Ed25519 is the newer name of EdDSA with that curve (RFC 9864). */
export const PROOF_ALGORITHMS = ['ES256', 'EdDSA', 'Ed25519'] as const

const ALGORITHMS = new Map<unknown, 'ES256' | 'EdDSA'>([['ES256', 'ES256'], ['EdDSA', 'EdDSA'], ['Ed25519', 'EdDSA']])

/** 32 bytes in base64url, in the one way to write them. */
const COORDINATE = /^[\w-]{42}[AEIMQUYcgkosw048]$/

type Jwk = Readonly<Record<string, unknown>>

/** Reads a key that may sign proofs; null when it is unusable or private. Never throws. */
export function readProofKey (alg: unknown, jwk: unknown): ProofKey | null {
  const algorithm = ALGORITHMS.get(alg)
  if (algorithm === undefined || typeof jwk !== 'object' || jwk === null || Array.isArray(jwk)) return null
  if (holdsPrivate(jwk) || !allowsUse(jwk as Jwk, algorithm)) return null
  const members = membersOf(jwk as Jwk, algorithm)
  if (members === null) return null
  try {
    // Throws when the point is not on the curve P-256; for Ed25519, the verification of the signature fails.
    const publicKey = createPublicKey({ key: { ...members }, format: 'jwk' })
    return { kid: '', algorithm, privateKey: null, publicKey, thumbprint: thumbprintOf(members) }
  } catch {
    // Drops the error, because its message can quote the key.
    return null
  }
}

/** RFC 7517 section 4. */
function allowsUse ({ use, key_ops: operations, alg }: Jwk, algorithm: string): boolean {
  return (use === undefined || use === 'sig') &&
    (operations === undefined || (Array.isArray(operations) && operations.includes('verify'))) &&
    (alg === undefined || ALGORITHMS.get(alg) === algorithm)
}

function membersOf ({ kty, crv, x, y }: Jwk, algorithm: 'ES256' | 'EdDSA'): KeyMembers | null {
  if (!isCoordinate(x)) return null
  if (algorithm === 'ES256') return kty === 'EC' && crv === 'P-256' && isCoordinate(y) ? { kty, crv, x, y } : null
  return kty === 'OKP' && crv === 'Ed25519' && hasSoundOrder(Buffer.from(x, 'base64url')) ? { kty, crv, x } : null
}

function isCoordinate (value: unknown): value is string {
  return typeof value === 'string' && COORDINATE.test(value)
}
