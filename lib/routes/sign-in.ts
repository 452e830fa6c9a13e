// A user who has proved who they are → the tokens of one sign-in, and their session when sessions are on.
import type { CreateRefusal } from '../errors.ts'
import type { Issue } from '../tokens/issue.ts'
import { readOwnLifetime } from '../options/own-lifetime.ts'
import type { Settings } from '../options/resolve.ts'
import type { Client } from '../sessions/client.ts'
import { mustHaveDuty } from '../sessions/duties.ts'
import type { Sessions } from '../sessions/sessions.ts'
import { createSessionClaims } from '../tokens/session-claims.ts'
import type { TokenReply, UserId } from '../tokens/types.ts'
import { claimsOf } from '../tokens/user.ts'

/** How a user signs in. */
export interface SignInDetails {
  readonly client: Client
  /** The moment, by `performance.now()`, at which the sign-in began: before its credentials were checked. */
  readonly startedAt: number
  readonly label: string | null
  /** As the application gives it: a duration; undefined or null: as the option says. */
  readonly refreshExpiresIn: unknown
  /** The thumbprint of the key that the sign-in has proved; null: none. */
  readonly jkt: string | null
}

/**
 * Rejects with `FST_DUAL_TOKEN_USER_INVALID` or `OPTION_INVALID`; with sessions, also with `STORE_UNAVAILABLE`, with `PROOF_REQUIRED`, with `SESSION_LIMIT`
 * when the user has too many of them, or with `LOGIN_REFUSED` when the user was revoked meanwhile.
 */
export type SignIn = <Need extends boolean>(user: unknown, needRefreshToken: Need, details: SignInDetails) => Promise<TokenReply<Need>>

export interface SignInParts {
  readonly settings: Settings
  readonly issue: Issue
  readonly sessions: Sessions | null
  readonly createRefusal: CreateRefusal
}

export function createSignIn ({ settings, issue, sessions, createRefusal }: SignInParts): SignIn {
  const { userIdClaim, reservedClaims, accessLifetime, refreshLifetime, now } = settings

  return async function signIn (user, needRefreshToken, { client, startedAt, label, refreshExpiresIn, jkt }) {
    const claims = claimsOf(user, userIdClaim, reservedClaims)
    const ownLifetime = readOwnLifetime(refreshExpiresIn, accessLifetime, refreshLifetime)
    const lifetime = ownLifetime ?? refreshLifetime
    if (sessions === null) return issue(claims, needRefreshToken, null, { lifetime })

    const { store, sliding, possession } = sessions.settings
    // Only refresh tokens are bound.
    if (jkt === null && needRefreshToken && possession.mode === 'required') throw createRefusal('PROOF_REQUIRED')
    if (label !== null) mustHaveDuty(store, 'label', 'label')
    if (ownLifetime !== null && sliding !== null) mustHaveDuty(store, 'lifetime', 'refreshExpiresIn of a sign-in')
    const userId = claims[userIdClaim] as UserId
    const session = createSessionClaims(sessions.newId(userId), now(), needRefreshToken ? lifetime : accessLifetime, jkt)
    // Signs before it creates the session, so that claims that do not fit a token leave no session behind.
    const reply = issue(claims, needRefreshToken, session)
    const outcome = await sessions.create(session, { userId, client, startedAt, label, lifetime: ownLifetime && ownLifetime * 1000 })
    if (outcome === 'limit') throw createRefusal('SESSION_LIMIT')
    if (outcome === 'revoked') throw createRefusal('LOGIN_REFUSED', 'the user was revoked during the sign-in')
    return reply
  }
}
