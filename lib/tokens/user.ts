// What the application calls a user → the claims of a token; the rule for ids that issuing and verifying share.
import { createFault } from '../errors.ts'
import type { Claims, UserId } from './types.ts'

/** The claims of a user, as JSON carries them: a good id, and nothing reserved. */
export type UserClaims = Readonly<Record<string, unknown>>

/** Claims that the plugin writes itself, now or with sessions on; an application may not set them. */
export const RESERVED_CLAIMS: ReadonlySet<string> =
  new Set(['exp', 'iat', 'nbf', 'iss', 'aud', 'jti', 'refresh', 'sid', 'gen', 'n', '__proto__'])

/** A non-empty string or a safe non-zero integer; under `sub` a string (RFC 7519 section 4.1.2). */
export function isUserId (id: unknown, userIdClaim: string): id is string | number {
  if (typeof id === 'string') return id !== ''
  return userIdClaim !== 'sub' && Number.isSafeInteger(id) && id !== 0
}

/**
 * The claims of a user, as JSON will carry them.
 *
 * @throws `FST_DUAL_TOKEN_USER_INVALID`
 */
export function claimsOf (user: unknown, userIdClaim: string): UserClaims {
  const claims = toJson(user)
  if (typeof claims !== 'object' || claims === null || Array.isArray(claims)) {
    throw createFault('USER_INVALID', `A user must be an object with a ${userIdClaim}.`)
  }
  for (const name of Object.keys(claims)) {
    if (RESERVED_CLAIMS.has(name)) throw createFault('USER_INVALID', `A user must not have the reserved claim ${name}.`)
  }
  mustBeUserId(Object.hasOwn(claims, userIdClaim) ? claims[userIdClaim] : undefined, userIdClaim)
  return claims
}

/** @throws `FST_DUAL_TOKEN_USER_INVALID` */
export function mustBeUserId (id: unknown, userIdClaim: string): void {
  if (isUserId(id, userIdClaim)) return
  const kinds = userIdClaim === 'sub' ? 'a non-empty string' : 'a non-empty string or a safe non-zero integer'
  throw createFault('USER_INVALID', `A user's ${userIdClaim} must be ${kinds}.`)
}

/** Through JSON and back: what is checked is then what is signed, whatever getters or `toJSON` a user has. */
function toJson (user: unknown): Record<string, unknown> | null {
  let text: string | undefined
  try {
    text = JSON.stringify(user)
  } catch {
    throw createFault('USER_INVALID', 'A user must be made of what JSON can carry.')
  }
  return text === undefined ? null : JSON.parse(text)
}

/** Whose token it is; the claims were accepted, so the id is a good one. */
export function userIdOf (claims: Claims, userIdClaim: string): UserId {
  return (claims as unknown as Record<string, UserId>)[userIdClaim]!
}

/** The three ways in which an application says that there is nobody. */
export function isNobody (user: unknown): user is null | undefined | false {
  return user === null || user === undefined || user === false
}
