// A verified refresh token → new tokens, for the user as of now.
import type { FastifyRequest } from 'fastify'
import { createFault, type CreateRefusal, type DualTokenError } from '../errors.ts'
import type { Issue } from '../tokens/issue.ts'
import type { Settings } from '../options/resolve.ts'
import type { Possession } from '../possession/possession.ts'
import type { ProvingRequest } from '../possession/target.ts'
import type { Client } from '../sessions/client.ts'
import type { Sessions } from '../sessions/sessions.ts'
import { sessionOf } from '../tokens/session-claims.ts'
import type { AccessReply, LoadUser, RefreshClaims, UserId } from '../tokens/types.ts'
import { claimsOf, isNobody, userIdOf, type UserClaims } from '../tokens/user.ts'
import { suffixOf, type AcceptedRefresh } from '../tokens/verdict.ts'
import type { Verify } from '../tokens/verify.ts'

/** Rejects with a `REFRESH_…` or `PROOF_…` refusal, `STORE_UNAVAILABLE`, `USER_INVALID` or what `loadUser` rejects with. */
export type Refresh = (presented: AcceptedRefresh, client: Client, options: LoadOptions) => Promise<AccessReply>

export interface LoadOptions {
  readonly request?: FastifyRequest | undefined
  /** The request that brings the proof, when it is not `request`. */
  readonly proof?: ProvingRequest | undefined
  /** Replaces the `loadUser` of the ready routes. */
  readonly loadUser?: LoadUser | undefined
}

export interface RefreshParts {
  readonly settings: Settings
  readonly issue: Issue
  /** Does not look at the session. */
  readonly verifyToken: Verify
  readonly sessions: Sessions | null
  /** Null without sessions. */
  readonly possession: Possession | null
  readonly createRefusal: CreateRefusal
}

export function createRefresh ({ settings, issue, verifyToken, sessions, possession, createRefusal }: RefreshParts): Refresh {
  const { userIdClaim, reservedClaims, routes } = settings
  const idAlone = (userId: UserId): object => ({ [userIdClaim]: userId })

  // Verifies the proof first, so that a thief cannot cause a user to be loaded. Loads the user before the rotation, so that a failure uses nothing up.
  return async function refresh ({ claims: presented, token }, client, { request, proof = request, loadUser = routes?.loadUser ?? idAlone }) {
    const userId = userIdOf(presented, userIdClaim)
    const proven = await proveKey(presented, proof, { userId, ip: client.ip })
    const user = await loadUser(userId, request)
    if (isNobody(user)) {
      await sessions?.revoke.session(sessionOf(presented).sid, { userId, ip: client.ip, reason: 'user_gone' })
      throw createRefusal('REFRESH_USER_GONE')
    }
    const claims = sameUser(user, userId)
    // Its key may have been removed meanwhile: what that key has signed must not be exchanged for a token of the next one.
    const { refusal } = verifyToken(token)
    if (refusal !== null) throw createRefusal(suffixOf('REFRESH', refusal.kind), refusal.reason)
    if (sessions === null) return issue(claims, false, null, { authTime: authTimeOf(presented) })

    const session = await sessions.rotate(presented, userId, client, proven)
    const reply = issue(claims, sessions.settings.rotate, session)
    if (sessions.feed.isRevoked(session.sid)) throw createRefusal('REFRESH_REVOKED', 'session ended meanwhile')
    return reply
  }

  /** The key of a bound session; null: the session is not bound, and a proof is ignored. */
  async function proveKey (
    presented: RefreshClaims, proof: ProvingRequest | undefined, sender: { userId: UserId, ip: string | null }
  ): Promise<string | null> {
    if (sessions === null || possession === null) return null
    const { sid, jkt } = sessionOf(presented)
    if (jkt === null) return null
    try {
      return await possession.atRefresh(jkt, proof)
    } catch (error) {
      // The nonce is a step of the protocol, no refusal.
      if ((error as DualTokenError).code === 'FST_DUAL_TOKEN_PROOF_INVALID') sessions.emit('refused', sid, { ...sender, reason: 'proof' })
      throw error
    }
  }

  function sameUser (user: unknown, userId: UserId): UserClaims {
    const claims = claimsOf(user, userIdClaim, reservedClaims)
    if (claims[userIdClaim] === userId) return claims
    throw createFault('USER_INVALID', `loadUser must answer the user whose ${userIdClaim} it was asked for.`)
  }
}

/** A token that was made elsewhere, or before the option was on, may lack the claim. */
function authTimeOf ({ auth_time: authTime }: RefreshClaims): number | null {
  return Number.isFinite(authTime) ? authTime! : null
}
