// What binds tokens to a session: the claims `sid`, `gen` and `n`, made, checked and read.
import { createHash, randomBytes } from 'node:crypto'
import type { Claims } from './types.ts'

/** What a session writes on the tokens of one generation. Instants are epoch milliseconds. */
export interface SessionClaims {
  readonly sid: string
  readonly gen: number
  readonly nonce: string
  /** When these tokens are made. */
  readonly now: number
  /** When the refresh token of this generation was first made, and when it ends. */
  readonly issuedAt: number
  readonly expiresAt: number
}

const RANDOM_128_BITS = /^[\w-]{22}$/
const MAX_GENERATION = 2 ** 31

/** 128 random bits, base64url: an id, or a nonce. */
export function createRandom (): string {
  return randomBytes(16).toString('base64url')
}

/** The stamp of a new session's first tokens, that end after so many whole seconds; both ends come from one reading of the clock. */
export function createSessionClaims (now: number, lifetime: number): SessionClaims {
  const issuedAt = Math.floor(now / 1000) * 1000
  return { sid: createRandom(), gen: 0, nonce: createRandom(), now, issuedAt, expiresAt: issuedAt + lifetime * 1000 }
}

/** What a store keeps of a nonce: neither it nor a signing key makes a refresh token. */
export function hashNonce (nonce: string): string {
  return createHash('sha256').update(nonce).digest('base64url')
}

export function isSessionId (value: unknown): value is string {
  return typeof value === 'string' && RANDOM_128_BITS.test(value)
}

/** Whether the claims of a token are those of a session; of a refresh token, with its nonce. */
export function hasSessionClaims ({ sid, gen, n, refresh }: Readonly<Record<string, unknown>>): boolean {
  return isSessionId(sid) && Number.isInteger(gen) && (gen as number) >= 0 && (gen as number) <= MAX_GENERATION &&
    (refresh === false || isSessionId(n))
}

/** The session's claims of a good token; `hasSessionClaims` has seen them. */
export function sessionOf (claims: Claims): { sid: string, gen: number, nonce: string } {
  return { sid: claims.sid as string, gen: claims.gen as number, nonce: claims.n as string }
}
