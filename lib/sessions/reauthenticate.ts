// A user who has proved again who they are → the new moment in the record of the session.
import type { SessionClaims } from '../tokens/session-claims.ts'
import type { UserId } from '../tokens/types.ts'
import type { CallStore } from './call-store.ts'
import type { Emit } from './events.ts'
import type { Feed } from './feed.ts'
import type { SessionSettings } from './settings.ts'

/** Resolves to whether the session lives and is that user's; otherwise nothing has changed. */
export type Reauthenticate = (session: SessionClaims, userId: UserId, ip: string | null) => Promise<boolean>

/** @returns null when the store lacks the method */
export function createReauthenticate ({ store, revocationTtl }: SessionSettings, feed: Feed, callStore: CallStore, emit: Emit): Reauthenticate | null {
  if (store.reauthenticate === undefined) return null

  return async function reauthenticate ({ sid, now }, userId, ip) {
    const isKept = await callStore(store => store.reauthenticate!({ sessionId: sid, userId, now, revocationTtl }))
    // The feed may know of the session's end before the store does, or learn of it meanwhile.
    const isLiving = isKept && !feed.isRevoked(sid)
    if (isLiving) emit('reauthenticated', sid, { userId, ip })
    else emit('refused', sid, { userId, ip, reason: 'unknown' })
    return isLiving
  }
}
