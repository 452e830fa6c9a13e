// The claims that bind a token to its session (`sid`, `gen`, `n`): make, validate and read them.
import { createHash, randomBytes } from 'node:crypto'
import type { Claims } from './types.ts'

/** What the tokens of one generation say of their session. Instants are epoch milliseconds. */
export interface SessionClaims {
  readonly sid: string
  readonly gen: number
  readonly nonce: string
  /** When these tokens are made. */
  readonly now: number
  /** When the refresh token of this generation was first made, and when it expires. */
  readonly issuedAt: number
  readonly expiresAt: number
  /** When the user last proved who they are; null when the store does not know. */
  readonly authenticatedAt: number | null
  /** The thumbprint of the key that the session is bound to; null: to none. */
  readonly jkt: string | null
}

const RANDOM_128_BITS = /^[\w-]{22}$/
const THUMBPRINT = /^[\w-]{43}$/
const MAX_GENERATION = 2 ** 31

/** Returns 128 random bits in base64url, for an id or a nonce. */
export function createRandom (): string {
  return randomBytes(16).toString('base64url')
}

/** Makes the claims of a new session. Its refresh token expires after `lifetime` seconds. */
export function createSessionClaims (sid: string, now: number, lifetime: number, jkt: string | null = null): SessionClaims {
  const issuedAt = Math.floor(now / 1000) * 1000
  return { sid, gen: 0, nonce: createRandom(), now, issuedAt, expiresAt: issuedAt + lifetime * 1000, authenticatedAt: now, jkt }
}

/** Hashes a nonce for the store: neither a leaked store nor a leaked signing key is enough to make a refresh token. */
export function hashNonce (nonce: string): string {
  return createHash('sha256').update(nonce).digest('base64url')
}

export function isSessionId (value: unknown): value is string {
  return typeof value === 'string' && RANDOM_128_BITS.test(value)
}

/** Whether a token carries well-formed session claims; a refresh token also needs its nonce, and may name its key (RFC 7800 section 3.1). */
export function hasSessionClaims ({ sid, gen, n, cnf, refresh }: Readonly<Record<string, unknown>>): boolean {
  return isSessionId(sid) && Number.isInteger(gen) && (gen as number) >= 0 && (gen as number) <= MAX_GENERATION &&
    (refresh === false || (isSessionId(n) && (cnf === undefined || isThumbprint(Object(cnf).jkt))))
}

function isThumbprint (value: unknown): value is string {
  return typeof value === 'string' && THUMBPRINT.test(value)
}

/** Reads the session claims of a verified token. */
export function sessionOf (claims: Claims): { sid: string, gen: number, nonce: string, jkt: string | null } {
  return { sid: claims.sid as string, gen: claims.gen as number, nonce: claims.n as string, jkt: claims.cnf?.jkt ?? null }
}
