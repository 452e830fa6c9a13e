// The session claims of a sign-in → the session's record in the store.
import type { SessionSettings } from './settings.ts'
import type { UserId } from '../tokens/types.ts'
import type { CallStore } from './call-store.ts'
import type { Client } from './client.ts'
import type { Emit } from './events.ts'
import { hashNonce, type SessionClaims } from '../tokens/session-claims.ts'
import type { SessionRecord } from './store.ts'

/** Creates the session; false when the user was revoked since the sign-in began. */
export type CreateSession = (session: SessionClaims, userId: UserId, client: Client, startedAt: number) => Promise<boolean>

/** @param startedAt the moment, by `performance.now()`, at which the sign-in began: before its credentials were looked at */
export function createCreateSession ({ revocationTtl }: SessionSettings, callStore: CallStore, emit: Emit): CreateSession {
  return async function createSession ({ sid, nonce, now, issuedAt, expiresAt }, userId, { ip, userAgent }, startedAt) {
    const record: SessionRecord = {
      id: sid,
      userId,
      generation: 0,
      parentGeneration: -1,
      confirmed: false,
      rotatedAt: 0,
      displacedAt: 0,
      issuedAt,
      nonceHash: hashNonce(nonce),
      createdAt: now,
      expiresAt,
      lastUsedAt: now,
      ip,
      userAgent
    }
    const created = await callStore(store => store.create(record, { now, revocationTtl, elapsed: performance.now() - startedAt }))
    if (created) emit('created', sid, { userId, ip })
    else emit('refused', sid, { userId, ip, reason: 'user_revoked' })
    return created
  }
}
