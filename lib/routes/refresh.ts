// The claims of a verified refresh token → new tokens, for the user as of now.
import type { FastifyRequest } from 'fastify'
import { createFault, type CreateRefusal } from '../errors.ts'
import type { Issue } from '../tokens/issue.ts'
import type { Settings } from '../options/resolve.ts'
import type { Client } from '../sessions/client.ts'
import type { Sessions } from '../sessions/sessions.ts'
import { sessionOf } from '../tokens/session-claims.ts'
import type { AccessReply, LoadUser, RefreshClaims, UserId } from '../tokens/types.ts'
import { claimsOf, isNobody, userIdOf, type UserClaims } from '../tokens/user.ts'

/** Rejects with a `REFRESH_…` refusal, `STORE_UNAVAILABLE`, `USER_INVALID` or what `loadUser` rejects with. */
export type Refresh = (claims: RefreshClaims, client: Client, options: LoadOptions) => Promise<AccessReply>

export interface LoadOptions {
  readonly request?: FastifyRequest | undefined
  /** Replaces the `loadUser` of the ready routes. */
  readonly loadUser?: LoadUser | undefined
}

export interface RefreshParts {
  readonly settings: Settings
  readonly issue: Issue
  readonly sessions: Sessions | null
  readonly createRefusal: CreateRefusal
}

export function createRefresh ({ settings: { userIdClaim, reservedClaims, routes }, issue, sessions, createRefusal }: RefreshParts): Refresh {
  const idAlone = (userId: UserId): object => ({ [userIdClaim]: userId })

  // Loads the user before the rotation, so that a failure uses nothing up.
  return async function refresh (presented, client, { request, loadUser = routes?.loadUser ?? idAlone }) {
    const userId = userIdOf(presented, userIdClaim)
    const user = await loadUser(userId, request)
    if (isNobody(user)) {
      await sessions?.revoke.session(sessionOf(presented).sid, { userId, ip: client.ip, reason: 'user_gone' })
      throw createRefusal('REFRESH_USER_GONE')
    }
    const claims = sameUser(user, userId)
    if (sessions === null) return issue(claims, false, null, { authTime: authTimeOf(presented) })

    const session = await sessions.rotate(presented, userId, client)
    const reply = issue(claims, sessions.settings.rotate, session)
    if (sessions.feed.isRevoked(session.sid)) throw createRefusal('REFRESH_REVOKED', 'session ended meanwhile')
    return reply
  }

  function sameUser (user: unknown, userId: UserId): UserClaims {
    const claims = claimsOf(user, userIdClaim, reservedClaims)
    if (claims[userIdClaim] === userId) return claims
    throw createFault('USER_INVALID', `loadUser must answer the user whose ${userIdClaim} it was asked for.`)
  }
}

/** A token that was made elsewhere, or before the option was on, may not say it. */
function authTimeOf ({ auth_time: authTime }: RefreshClaims): number | null {
  return Number.isFinite(authTime) ? authTime! : null
}
