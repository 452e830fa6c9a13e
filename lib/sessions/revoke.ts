// Ends a session, or all sessions of a user: in the store, and at once on this process.
import type { SessionSettings } from './settings.ts'
import type { UserId } from '../tokens/types.ts'
import type { CallStore } from './call-store.ts'
import type { Emit, SessionEvent } from './events.ts'
import type { Feed } from './feed.ts'
import { isSessionId } from '../tokens/session-claims.ts'

export interface Ending {
  /** The expected owner of the session, when known. */
  readonly userId?: UserId
  /** Do nothing when the store knows no such session. */
  readonly mustExist?: boolean
  readonly ip?: string | null
  /** For the event. */
  readonly reason: SessionEvent['reason']
}

export interface UserEnding {
  /** A session to end in any case, even when the store has lost its owner. */
  readonly sessionId?: string
  /** A session of the user to spare; the store has the duty `except`. */
  readonly except?: string
  readonly ip?: string | null
  /** For the events. */
  readonly reason: SessionEvent['reason']
}

export interface Revoke {
  /** Resolves to whether it was ended; false for another user's session, or a missing one that must exist. Ending it again is no error. */
  session (sessionId: string, ending: Ending): Promise<boolean>
  /** Resolves to the number of sessions ended. */
  user (userId: UserId, ending: UserEnding): Promise<number>
}

/** @param now the plugin's clock, in milliseconds */
export function createRevoke ({ revocationTtl }: SessionSettings, now: () => number, feed: Feed, callStore: CallStore, emit: Emit): Revoke {
  const revoke: Revoke = {
    async session (sessionId, { userId, mustExist = false, ip = null, reason }) {
      if (!isSessionId(sessionId)) return false
      const owner = userId === undefined ? {} : { userId }
      const ended = await callStore(store => store.revoke({ sessionId, ...owner, mustExist, now: now(), revocationTtl }), 'ending')
      if (!ended) return false
      feed.add([sessionId])
      emit('revoked', sessionId, { ...owner, ip, reason })
      return true
    },

    async user (userId, { sessionId, except, ip = null, reason }) {
      const spared = except === undefined ? {} : { except }
      const ids = await callStore(store => store.revokeUser({ userId, ...spared, now: now(), revocationTtl }), 'ending')
      feed.add(ids)
      for (const id of ids) emit('revoked', id, { userId, ip, reason })
      if (sessionId === undefined || ids.includes(sessionId)) return ids.length
      return ids.length + Number(await revoke.session(sessionId, { userId, ip, reason }))
    }
  }
  return revoke
}
