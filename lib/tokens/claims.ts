// The payload of a correctly signed token → a verdict on its claims (RFC 7519 section 4.1).
import { hasSessionClaims } from './session-claims.ts'
import type { Claims } from './types.ts'
import { isUserId } from './user.ts'
import { refused, type Accepted, type Refused } from './verdict.ts'

const EXPIRED = refused('EXPIRED', 'expired')
const NOT_AN_OBJECT = refused('INVALID', 'payload is not an object in UTF-8')
const BAD_EXP = refused('INVALID', 'exp')
const BAD_NBF = refused('INVALID', 'nbf')
const BAD_IAT = refused('INVALID', 'iat')
const OUT_OF_TIME = refused('INVALID', 'not valid yet, or for too long')
const BAD_ISS = refused('INVALID', 'iss')
const BAD_AUD = refused('INVALID', 'aud')
const BAD_REFRESH = refused('INVALID', 'refresh')
const BAD_USER_ID = refused('INVALID', 'user id')
const BAD_SESSION = refused('INVALID', 'session')

type Payload = Record<string, unknown>

/** Durations are in seconds. */
export interface ClaimSettings {
  readonly accessLifetime: number
  readonly refreshLifetime: number
  readonly clockTolerance: number
  /** How far the clocks of two nodes may differ before they refuse each other's fresh tokens. */
  readonly skew: number
  readonly issuer: string | undefined
  /** A list has two or more. */
  readonly audience: string | readonly string[] | undefined
  readonly userIdClaim: string
  /** Null: tokens carry no session. */
  readonly sessions: object | null
}

/** The verdict on a token, whose text it does not know. */
export type ClaimsVerdict = Omit<Accepted, 'token'> | Refused

/** Validates a payload (null: not an object) as of `now`, in epoch seconds; with `now` null it ignores the time. */
export type ValidateClaims = (payload: Payload | null, now: number | null) => ClaimsVerdict

export function createValidateClaims (settings: ClaimSettings): ValidateClaims {
  const { accessLifetime, refreshLifetime, clockTolerance, skew, issuer, audience, userIdClaim, sessions } = settings

  const audiences = audience === undefined ? null : new Set<unknown>(typeof audience === 'string' ? [audience] : audience)

  return function validateClaims (payload, now) {
    if (payload === null) return NOT_AN_OBJECT
    const claims = sealObject(payload)

    const { exp, nbf, iat, iss, aud, refresh } = claims
    if (!isFinite(exp)) return BAD_EXP
    const until = exp + clockTolerance
    // Negated, so that no token is valid when the clock returns NaN.
    if (now !== null && !(now < until)) return EXPIRED
    if (nbf !== undefined && !isFinite(nbf)) return BAD_NBF
    if (iat !== undefined && !isFinite(iat)) return BAD_IAT
    if (issuer !== undefined && iss !== issuer) return BAD_ISS
    if (audiences !== null && !isFor(aud, audiences)) return BAD_AUD
    if (typeof refresh !== 'boolean') return BAD_REFRESH
    if (!isUserId(claims[userIdClaim], userIdClaim)) return BAD_USER_ID
    if (sessions !== null && !hasSessionClaims(claims)) return BAD_SESSION

    const lifetime = refresh ? refreshLifetime : accessLifetime
    const from = Math.max(
      exp - lifetime - skew,
      nbf === undefined ? -Infinity : nbf - clockTolerance,
      iat === undefined ? -Infinity : iat - skew
    )
    if (now !== null && !(now >= from)) return OUT_OF_TIME
    return { claims: claims as unknown as Claims, refusal: null, from, until }
  }
}

function isFinite (value: unknown): value is number {
  return Number.isFinite(value)
}

/** Whether a token is for one of the audiences: its `aud` is one, or a list with one in it (RFC 7519 section 4.1.3). */
function isFor (aud: unknown, audiences: ReadonlySet<unknown>): boolean {
  return Array.isArray(aud) ? aud.some(one => audiences.has(one)) : audiences.has(aud)
}

/** Its prototype is empty and frozen, so that claims inherit nothing. An object without a prototype would be several times slower. */
const Sealed = function () {} as unknown as new () => Payload
Sealed.prototype = Object.freeze(Object.create(null))

/** Returns a deep frozen copy that inherits nothing, so that one request cannot change what another one sees. */
function sealObject (source: Payload): Payload {
  const sealed = new Sealed()
  for (const name of Object.keys(source)) {
    if (name !== '__proto__') sealed[name] = seal(source[name])
  }
  return Object.freeze(sealed)
}

function seal (value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  return Array.isArray(value) ? Object.freeze(value.map(seal)) : sealObject(value as Payload)
}
