// A user who has proved again who they are → a new access token that says so; their session goes on.
import type { Issue } from '../tokens/issue.ts'
import type { Settings } from '../options/resolve.ts'
import type { Sessions } from '../sessions/sessions.ts'
import { createSessionClaims } from '../tokens/session-claims.ts'
import type { AccessReply, UserId } from '../tokens/types.ts'
import { claimsOf } from '../tokens/user.ts'

/** Who is signed in. */
export interface Presence {
  /** The expected user; absent: the user of the session. */
  readonly userId?: UserId
  /** Ignored without sessions. */
  readonly sid: string
  readonly ip: string | null
}

/** Rejects with `FST_DUAL_TOKEN_USER_INVALID`, or with `STORE_UNAVAILABLE`. `ended`: the session has ended, or belongs to another user. */
export type Reauthenticate = (user: unknown, presence: Presence) => Promise<AccessReply | 'another user' | 'ended'>

export interface ReauthenticateParts {
  readonly settings: Settings
  readonly issue: Issue
  readonly sessions: Sessions | null
}

/** @returns null without `authTime`, and when the session store lacks the method `reauthenticate` */
export function createReauthenticate ({ settings, issue, sessions }: ReauthenticateParts): Reauthenticate | null {
  const { userIdClaim, reservedClaims, authTime, accessLifetime, now } = settings
  const keep = sessions === null ? null : sessions.reauthenticate
  if (!authTime || (sessions !== null && keep === null)) return null

  return async function reauthenticate (user, { userId, sid, ip }) {
    const claims = claimsOf(user, userIdClaim, reservedClaims)
    const own = claims[userIdClaim] as UserId
    if (userId !== undefined && userId !== own) return 'another user'
    if (keep === null) return issue(claims, false)

    // An access token of generation 0, because only a refresh may confirm a later generation.
    const session = createSessionClaims(sid, now(), accessLifetime)
    // Signs first, so that claims that do not fit a token change nothing.
    const reply = issue(claims, false, session)
    return await keep(session, own, ip) ? reply : 'ended'
  }
}
