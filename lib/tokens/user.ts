// The application's user → the claims of a token; the rule for user ids.
import { createFault } from '../errors.ts'
import type { Claims, UserId } from './types.ts'

/** The claims of a user after serialization: a valid id, and no reserved claim. */
export type UserClaims = Readonly<Record<string, unknown>>

/** Claims that the plugin writes itself, now or with sessions on; an application may not set them. */
export const RESERVED_CLAIMS: ReadonlySet<string> =
  new Set(['exp', 'iat', 'nbf', 'iss', 'aud', 'jti', 'refresh', 'sid', 'gen', 'n', '__proto__'])

/** Those, and with `authTime` when the user signed in, and with sessions the key that a refresh token is bound to. */
export function reservedClaimsOf ({ authTime, sessions }: { authTime: boolean, sessions: boolean }): ReadonlySet<string> {
  return new Set([...RESERVED_CLAIMS, ...authTime ? ['auth_time'] : [], ...sessions ? ['cnf'] : []])
}

/** A non-empty string or a safe non-zero integer; under `sub` a string (RFC 7519 section 4.1.2). */
export function isUserId (id: unknown, userIdClaim: string): id is UserId {
  if (typeof id === 'string') return id !== ''
  return userIdClaim !== 'sub' && Number.isSafeInteger(id) && id !== 0
}

/**
 * Returns the claims of a user, as JSON will serialize them.
 *
 * @param reserved the claims that the plugin writes itself
 * @throws `FST_DUAL_TOKEN_USER_INVALID`
 */
export function claimsOf (user: unknown, userIdClaim: string, reserved = RESERVED_CLAIMS): UserClaims {
  const claims = toJson(user)
  if (!isObject(claims)) {
    throw createFault('USER_INVALID', `A user must be an object with a ${userIdClaim}.`)
  }
  for (const name of Object.keys(claims)) {
    if (reserved.has(name)) throw createFault('USER_INVALID', `A user must not have the reserved claim ${name}.`)
  }
  mustBeUserId(Object.hasOwn(claims, userIdClaim) ? claims[userIdClaim] : undefined, userIdClaim)
  return claims
}

/**
 * A user's id as the application's database gives it → what it becomes through JSON, as in a token.
 *
 * @throws `FST_DUAL_TOKEN_USER_INVALID`
 */
export function readUserId (id: unknown, userIdClaim: string): UserId {
  const read = toJson(id)
  mustBeUserId(read, userIdClaim)
  return read
}

function mustBeUserId (id: unknown, userIdClaim: string): asserts id is UserId {
  if (isUserId(id, userIdClaim)) return
  const kinds = userIdClaim === 'sub' ? 'a non-empty string' : 'a non-empty string or a safe non-zero integer'
  throw createFault('USER_INVALID', `A user's ${userIdClaim} must be ${kinds}.`)
}

function isObject (value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Goes through JSON and back, so that getters and `toJSON` cannot change the claims between validation and signing. */
function toJson (value: unknown): unknown {
  let text: string | undefined
  try {
    text = JSON.stringify(value)
  } catch {
    throw createFault('USER_INVALID', 'A user must be serializable as JSON: pass a BigInt as a string.')
  }
  return text === undefined ? null : JSON.parse(text)
}

/** Reads the user's id from verified claims. */
export function userIdOf (claims: Claims, userIdClaim: string): UserId {
  return (claims as unknown as Record<string, UserId>)[userIdClaim]!
}

/** Whether the application reports that there is no such user. */
export function isNobody (user: unknown): user is null | undefined | false {
  return user === null || user === undefined || user === false
}
