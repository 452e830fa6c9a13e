// The end of a session, or of all of a user's: in the store, and at once on this process.
import type { SessionSettings } from '../session-options.ts'
import type { UserId } from '../types.ts'
import type { Ask } from './ask.ts'
import type { Emit, SessionEvent } from './events.ts'
import type { Feed } from './feed.ts'
import { isSessionId } from './stamp.ts'

export interface Ending {
  /** Whose session it must be, when known. */
  readonly userId?: UserId
  /** Do nothing when the store knows no such session. */
  readonly mustExist?: boolean
  readonly ip?: string | null
  /** For the event. */
  readonly reason: SessionEvent['reason']
}

export interface UserEnding {
  /** A session to be ended in any case: the store may have lost that it is the user's. */
  readonly sessionId?: string
  readonly ip?: string | null
  /** For the events. */
  readonly reason: SessionEvent['reason']
}

export interface Revoke {
  /** Resolves to whether it was ended: false for another user's, or one that must exist and does not. Ending it again is no error. */
  session (sessionId: string, ending: Ending): Promise<boolean>
  /** Resolves to the number of sessions ended. */
  user (userId: UserId, ending: UserEnding): Promise<number>
}

/** @param now the plugin's clock, in milliseconds */
export function createRevoke ({ keepFor }: SessionSettings, now: () => number, feed: Feed, ask: Ask, emit: Emit): Revoke {
  const revoke: Revoke = {
    async session (sessionId, { userId, mustExist = false, ip = null, reason }) {
      if (!isSessionId(sessionId)) return false
      const owner = userId === undefined ? {} : { userId }
      const ended = await ask(store => store.revoke({ sessionId, ...owner, mustExist, now: now(), keepFor }), 'ending')
      if (!ended) return false
      feed.add([sessionId])
      emit('revoked', sessionId, { ...owner, ip, reason })
      return true
    },

    async user (userId, { sessionId, ip = null, reason }) {
      const ids = await ask(store => store.revokeUser({ userId, now: now(), keepFor }), 'ending')
      feed.add(ids)
      for (const id of ids) emit('revoked', id, { userId, ip, reason })
      if (sessionId === undefined || ids.includes(sessionId)) return ids.length
      return ids.length + Number(await revoke.session(sessionId, { userId, ip, reason }))
    }
  }
  return revoke
}
