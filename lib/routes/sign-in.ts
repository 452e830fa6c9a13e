// A user who has proved who they are → the tokens of one sign-in, and their session when sessions are on.
import type { CreateRefusal } from '../errors.ts'
import type { Issue } from '../tokens/issue.ts'
import type { Settings } from '../options/resolve.ts'
import type { Client } from '../sessions/client.ts'
import type { Sessions } from '../sessions/sessions.ts'
import { createSessionClaims } from '../tokens/session-claims.ts'
import type { TokenReply, UserId } from '../tokens/types.ts'
import { claimsOf } from '../tokens/user.ts'

/**
 * Rejects with `FST_DUAL_TOKEN_USER_INVALID`; with sessions, also with `STORE_UNAVAILABLE`, or with `LOGIN_REFUSED` when the user was revoked meanwhile.
 *
 * @param startedAt the moment, by `performance.now()`, at which the sign-in began: before its credentials were looked at
 */
export type SignIn = <Need extends boolean>(user: unknown, needRefreshToken: Need, client: Client, startedAt: number) => Promise<TokenReply<Need>>

export interface SignInParts {
  readonly settings: Settings
  readonly issue: Issue
  readonly sessions: Sessions | null
  readonly createRefusal: CreateRefusal
}

export function createSignIn ({ settings, issue, sessions, createRefusal }: SignInParts): SignIn {
  const { userIdClaim, accessLifetime, refreshLifetime, now } = settings

  return async function signIn (user, needRefreshToken, client, startedAt) {
    const claims = claimsOf(user, userIdClaim)
    if (sessions === null) return issue(claims, needRefreshToken)

    const userId = claims[userIdClaim] as UserId
    const id = sessions.settings.store.newSessionId?.(userId)
    const session = createSessionClaims(now(), needRefreshToken ? refreshLifetime : accessLifetime, id)
    // Signs before it creates the session, so that claims that do not fit a token leave no session behind.
    const reply = issue(claims, needRefreshToken, session)
    const created = await sessions.create(session, userId, client, startedAt)
    if (created !== 'created') throw createRefusal('LOGIN_REFUSED', 'the user was revoked during the sign-in')
    return reply
  }
}
