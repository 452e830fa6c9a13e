// A user's claims → the tokens of one sign-in. Both expiries come from one reading of the clock.
import { createFault } from '../errors.ts'
import type { KeyRing } from '../keys/ring.ts'
import { MAX_TOKEN_LENGTH } from './split.ts'
import type { SessionClaims } from './session-claims.ts'
import type { TokenReply } from './types.ts'
import type { UserClaims } from './user.ts'

export interface IssueSettings {
  /** Seconds. */
  readonly accessLifetime: number
  /** Seconds. */
  readonly refreshLifetime: number
  readonly userIdClaim: string
  readonly issuer: string | undefined
  /** A list has two or more. */
  readonly audience: string | readonly string[] | undefined
  /** Whether tokens say when the user signed in. */
  readonly authTime: boolean
  /** The clock in milliseconds. */
  readonly now: () => number
  /** Null: tokens go into no cookie. */
  readonly cookies: CookieLimits | null
}

/** How long a token may be, in characters, so that browsers keep it: the name of a cookie counts too. */
export interface CookieLimits {
  readonly maxLengths: { readonly access: number, readonly refresh: number }
}

/** What tokens say when they have no session. Seconds. */
export interface SignInClaims {
  /** Of the refresh token; default: as the option says. */
  readonly lifetime?: number
  /** When the user last proved who they are; null: not known; default: now. */
  readonly authTime?: number | null
}

/**
 * Makes a pair or only an access token; with `session`, tokens of that session.
 *
 * @throws `FST_DUAL_TOKEN_USER_INVALID` when the claims do not fit a token
 */
export type Issue = <Need extends boolean>(
  claims: UserClaims, needRefreshToken: Need, session?: SessionClaims | null, signIn?: SignInClaims
) => TokenReply<Need>

export function createIssue (settings: IssueSettings, ring: KeyRing): Issue {
  const { accessLifetime, refreshLifetime, userIdClaim, issuer, audience, cookies, authTime: saysWhen } = settings
  const maxLengths = cookies?.maxLengths ?? { access: MAX_TOKEN_LENGTH, refresh: MAX_TOKEN_LENGTH }
  const addressed = {
    ...(issuer !== undefined && { iss: issuer }),
    ...(audience !== undefined && { aud: audience })
  }

  function sign (claims: object, maxLength: number): string {
    const token = ring.sign(claims)
    if (token.length <= maxLength) return token
    throw createFault('USER_INVALID', `A user's claims must fit a token of ${maxLengths.refresh} characters.`)
  }

  return function issue<Need extends boolean> (claims: UserClaims, needRefreshToken: Need, session: SessionClaims | null = null, signIn: SignInClaims = {}) {
    const now = seconds(session?.now ?? settings.now())
    const { lifetime = refreshLifetime, authTime = now } = signIn
    const since = session === null ? authTime : secondsOrNull(session.authenticatedAt)
    const proved = saysWhen && since !== null && { auth_time: since }
    const access = { iat: now, exp: now + accessLifetime, ...proved, ...(session && { sid: session.sid, gen: session.gen }) }
    // The record of a session keeps it for the next refresh.
    const refresh = session === null
      ? { iat: now, exp: now + lifetime, ...proved }
      : {
          iat: seconds(session.issuedAt),
          exp: seconds(session.expiresAt),
          sid: session.sid,
          gen: session.gen,
          n: session.nonce,
          ...(session.jkt !== null && { cnf: { jkt: session.jkt } })
        }
    // In a cookie the refresh token travels with every request, so it carries no more than it must.
    const carried = cookies === null ? claims : { [userIdClaim]: claims[userIdClaim] }
    return {
      token: sign({ ...claims, ...addressed, refresh: false, ...access }, maxLengths.access),
      ...(needRefreshToken && { refresh_token: sign({ ...carried, ...addressed, refresh: true, ...refresh }, maxLengths.refresh) }),
      token_type: 'Bearer',
      expires_in: accessLifetime
    } as TokenReply<Need>
  }
}

function secondsOrNull (milliseconds: number | null): number | null {
  return milliseconds === null ? null : seconds(milliseconds)
}

function seconds (milliseconds: number): number {
  return Math.floor(milliseconds / 1000)
}
