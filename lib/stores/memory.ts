// The memory store: the sessions of one process, in a Map.
import { mustKnowOptions } from './options.ts'
import { createMemoryFeed } from './memory-feed.ts'
import type { UserId } from '../tokens/types.ts'
import { decideLimit, decideRotation, isDisplaced } from '../sessions/decide.ts'
import { createSliced } from '../sessions/sliced.ts'
import type { SessionRecord, SessionStore } from '../sessions/store.ts'

const MARK_LIFE = 60_000
const SWEEP_INTERVAL = 1000

interface Kept {
  record: SessionRecord
  /** Plugin clock, milliseconds. */
  forgetAt: number
}

/**
 * Makes a session store in memory, for one process. The sessions end with the process.
 *
 * @param options `maxSessions`: how many sessions may live at once, default 100,000. When the store is full, sign-in answers
 * 503; no session is evicted
 */
export function memoryStore (options: { maxSessions?: number } = {}): SessionStore {
  mustKnowOptions(options, 'memoryStore', ['maxSessions'])
  const { maxSessions = 100_000 } = options
  if (!Number.isSafeInteger(maxSessions) || maxSessions < 1) throw new RangeError('maxSessions must be a whole number, at least 1.')

  const sessions = new Map<string, Kept>()
  const idsByUser = new Map<UserId, Set<string>>()
  /** When `revokeUser` was last called for each user, by the monotonic clock. */
  const marks = new Map<UserId, number>()
  const feed = createMemoryFeed()
  let sweptAt = 0

  function forget (id: string, { record: { userId } }: Kept): void {
    sessions.delete(id)
    const ids = idsByUser.get(userId)!
    ids.delete(id)
    if (ids.size === 0) idsByUser.delete(userId)
  }

  function end (id: string, now: number, revocationTtl: number): void {
    const kept = sessions.get(id)
    if (kept !== undefined) forget(id, kept)
    feed.tell(id, now + revocationTtl)
  }

  const sweepAll = createSliced(function * () {
    for (const [id, kept] of sessions) {
      if (sweptAt >= kept.forgetAt) forget(id, kept)
      yield
    }
    for (const [userId, at] of marks) {
      if (performance.now() - at > MARK_LIFE) marks.delete(userId)
      yield
    }
  })

  function sweep (now: number): void {
    if (Math.abs(now - sweptAt) < SWEEP_INTERVAL) return
    sweptAt = now
    sweepAll()
  }

  function recordOf (id: string, now: number): SessionRecord | null {
    const kept = sessions.get(id)
    return kept !== undefined && now < kept.forgetAt ? kept.record : null
  }

  function recordsOf (userId: UserId): SessionRecord[] {
    return [...idsByUser.get(userId) ?? []].map(id => sessions.get(id)!.record)
  }

  return {
    inProcess: true,
    duties: ['limit', 'label', 'lifetime', 'except', 'possession'],

    async create (session, { now, revocationTtl, elapsed, limit }) {
      const mark = marks.get(session.userId)
      if (mark !== undefined && performance.now() - elapsed < mark) return false
      const reached = limit === undefined ? null : decideLimit(recordsOf(session.userId), limit, now)
      if (reached?.kept === false) return reached
      for (const id of reached?.ended ?? []) end(id, now, revocationTtl)
      if (sessions.size >= maxSessions) sweep(now)
      if (sessions.size >= maxSessions) throw new Error(`the memory store is full: ${maxSessions} sessions`)
      feed.begin(now)
      sessions.set(session.id, { record: session, forgetAt: session.expiresAt + revocationTtl })
      const ids = idsByUser.get(session.userId)
      if (ids === undefined) idsByUser.set(session.userId, new Set([session.id]))
      else ids.add(session.id)
      return reached ?? true
    },

    async rotate (attempt) {
      const { sessionId, now, revocationTtl } = attempt
      const record = recordOf(sessionId, now)
      const { rotation, write } = decideRotation(record, attempt, now)
      if (write === 'revoke') end(sessionId, now, revocationTtl)
      else if (write !== null) {
        const changed: SessionRecord = { ...record!, ...write }
        sessions.set(sessionId, { record: changed, forgetAt: changed.expiresAt + revocationTtl })
      }
      return rotation
    },

    async confirm ({ sessionId, generation, now, revocationTtl }) {
      const record = recordOf(sessionId, now)
      if (record === null) return 'unknown'
      if (isDisplaced(record, generation)) {
        end(sessionId, now, revocationTtl)
        return 'reused'
      }
      if (generation === record.generation) sessions.get(sessionId)!.record = { ...record, confirmed: true, lastUsedAt: now }
      return 'confirmed'
    },

    async revoke ({ sessionId, userId, mustExist, now, revocationTtl }) {
      const record = recordOf(sessionId, now)
      if (record === null ? mustExist : userId !== undefined && userId !== record.userId) return false
      end(sessionId, now, revocationTtl)
      return true
    },

    async revokeUser ({ userId, except, now, revocationTtl }) {
      marks.set(userId, performance.now())
      const ids = [...idsByUser.get(userId) ?? []].filter(id => id !== except)
      for (const id of ids) end(id, now, revocationTtl)
      return ids
    },

    async list ({ userId, now }) {
      return recordsOf(userId).filter(record => now < record.expiresAt)
    },

    async reauthenticate ({ sessionId, userId, now }) {
      const record = recordOf(sessionId, now)
      if (record === null || record.userId !== userId || now >= record.expiresAt) return false
      sessions.get(sessionId)!.record = { ...record, authenticatedAt: now }
      return true
    },

    async revokedSince (cursor, { now }) {
      sweep(now)
      return feed.read(cursor, now)
    },

    subscribe: feed.subscribe
  }
}
