// The public types of keys.
import type { KeyObject } from 'node:crypto'

export type AsymmetricAlgorithm = 'RS256' | 'PS256' | 'ES256' | 'EdDSA'

export type KeyAlgorithm = 'HS256' | AsymmetricAlgorithm

/** A JWK (RFC 7517). Node.js has its own type, but its name and shape differ between versions. */
export interface Jwk extends Partial<Record<JwkMember, string | undefined>> {
  key_ops?: readonly string[] | undefined
}

type JwkMember = 'kty' | 'kid' | 'alg' | 'use' | 'crv' | 'x' | 'y' | 'd' | 'n' | 'e' | 'p' | 'q' | 'dp' | 'dq' | 'qi' | 'k'

/** A key: an unencrypted PEM (PKCS#8, SPKI), a JWK (RFC 7517) or a KeyObject of node:crypto. */
export type KeySource = string | Uint8Array | Jwk | KeyObject

interface Named {
  /** Names the key in the header of a token; may come from a JWK instead. At most 256 characters. */
  kid?: string | undefined
}

/** A shared secret: everyone who can verify with it can also sign. */
export interface SymmetricKey extends Named {
  algorithm: 'HS256'
  /** At least 32 bytes; a string is its UTF-8 bytes, not a PEM. */
  secret: KeySource
}

/** A key pair, or only its public half, which verifies but cannot sign. */
export interface AsymmetricKey extends Named {
  /** `EdDSA` is Ed25519, `ES256` is P-256, `RS256` and `PS256` are RSA of at least 2048 bits. */
  algorithm: AsymmetricAlgorithm
  privateKey?: KeySource | undefined
  /** Not needed beside a private key. */
  publicKey?: KeySource | undefined
}

/** One key of the ring. */
export type DualTokenKey = SymmetricKey | AsymmetricKey

/** A read of a key set that is followed, as the diagnostics channel `fastify-dual-token:keys` publishes it. */
export interface KeySetEvent {
  /** Without its query. */
  readonly url: string
  readonly outcome: 'changed' | 'unchanged' | 'failed'
  /** Of `failed`: why; otherwise null. */
  readonly reason: string | null
  /** How many keys are in use after it. */
  readonly keys: number
  /** How long it took. */
  readonly milliseconds: number
}
