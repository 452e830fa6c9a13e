// Tokens made with node:crypto alone, so that a bug in the signer cannot hide one in the verifier.
import { createHmac } from 'node:crypto'
import type { Key } from '../../lib/keys/sign.ts'

export const SECRET = 'correct horse battery staple, forty bytes'
export const OTHER_SECRET = 'eleven purple monkeys juggle nine lanterns'

/** The moment at which every frozen clock stands, in epoch seconds. */
export const NOW = 1_750_000_000

export const ACCESS_LIFETIME = 7200
export const REFRESH_LIFETIME = 1_209_600

export type Payload = Record<string, unknown>

/** JSON text, any text or any bytes → a segment. */
export function encode (content: string | Uint8Array): string {
  return Buffer.from(content).toString('base64url')
}

/** Any two segments → a token whose HS256 signature is good. */
export function seal (header: string, payload: string, secret: string | Uint8Array = SECRET): string {
  return `${header}.${payload}.${createHmac('sha256', secret).update(`${header}.${payload}`).digest('base64url')}`
}

/** The exact text or bytes of a header and a payload → a token whose HS256 signature is good. */
export function forge (header: string | Uint8Array, payload: string | Uint8Array, secret: string | Uint8Array = SECRET): string {
  return seal(encode(header), encode(payload), secret)
}

/** Any payload → an honest HS256 token. */
export function mint (payload: unknown, secret: string | Uint8Array = SECRET): string {
  return forge('{"alg":"HS256","typ":"JWT"}', JSON.stringify(payload), secret)
}

/** The claims of an access token made at NOW; `more` overrides them, and `undefined` leaves one out. */
export function accessClaims (more: Payload = {}): Payload {
  return { user_id: 7, refresh: false, iat: NOW, exp: NOW + ACCESS_LIFETIME, ...more }
}

/** The claims of a refresh token made at NOW; `more` overrides them, and `undefined` leaves one out. */
export function refreshClaims (more: Payload = {}): Payload {
  return { user_id: 7, refresh: true, iat: NOW, exp: NOW + REFRESH_LIFETIME, ...more }
}

export function accessToken (more?: Payload, secret?: string | Uint8Array): string {
  return mint(accessClaims(more), secret)
}

export function refreshToken (more?: Payload, secret?: string | Uint8Array): string {
  return mint(refreshClaims(more), secret)
}

/** What a token says, whoever signed it. */
export function claimsIn (token: string): Payload {
  return JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString())
}

/** Whether a key has signed a token. */
export function isSignedBy (key: Key, token: string): boolean {
  const last = token.lastIndexOf('.')
  return key.verifySignature(token.slice(0, last), token.slice(last + 1))
}
