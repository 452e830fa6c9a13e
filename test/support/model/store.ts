// Stores for the model: one that can lose what it wrote, and a way to any store that is slow and keeps a log.
import { decideRotation, isDisplaced } from '../../../lib/sessions/decide.ts'
import type { Rotation, SessionRecord, SessionStore } from '../../../lib/sessions/store.ts'
import type { Time } from './time.ts'

const PAGE = 3
const DEFAULT_OVERLAP = 60_000

/** A legal store of a user's own, that can be made to fail as databases do. */
export interface FallibleStore extends SessionStore {
  /** Forgets the last write to a session, as a failover does; never the sign-in itself. */
  loseLastWrite (sessionId: string): void
  /** Is as it was at a moment before, as from a backup; never before the sign-in. */
  restore (record: SessionRecord): void
  /** Forgets everything, as a store that has lost its memory. */
  flush (): void
  /** Is as good as new, for the next game: nobody is to notice. */
  reset (): void
  peek (sessionId: string): SessionRecord | null
  /** How long the next revocations take from their time stamp until they can be seen. */
  commitDelay: number
  /** Whether revocations are pushed. */
  pushes: boolean
  /** What the contract asks of a store with late commits: how long before its cursor each read starts. */
  overlap: number
}

export function createFallibleStore (time: Time): FallibleStore {
  const sessions = new Map<string, SessionRecord>()
  const undo = new Map<string, () => void>()
  const listeners = new Set<(ids: readonly string[]) => void>()
  let told: Array<{ readonly id: string, readonly at: number }> = []
  let epoch = 0
  let beganAt = time.now()

  function write (record: SessionRecord): void {
    const before = sessions.get(record.id)!
    undo.set(record.id, () => sessions.set(record.id, before))
    sessions.set(record.id, record)
  }

  function end (id: string, at = time.now()): void {
    const before = sessions.get(id)
    const entry = { id, at }
    undo.set(id, () => {
      if (before !== undefined) sessions.set(id, before)
      told = told.filter(other => other !== entry)
    })
    sessions.delete(id)
    told.push(entry)
    if (store.pushes) for (const listener of listeners) listener([id])
  }

  const store: FallibleStore = {
    duties: ['possession'],
    commitDelay: 0,
    pushes: true,
    overlap: DEFAULT_OVERLAP,

    async create (session) {
      sessions.set(session.id, session)
      return true
    },

    async rotate (attempt) {
      const record = sessions.get(attempt.sessionId) ?? null
      const decision = decideRotation(record, attempt, time.now())
      if (decision.write === 'revoke') end(attempt.sessionId)
      else if (decision.write !== null) write({ ...record!, ...decision.write })
      return decision.rotation
    },

    async confirm ({ sessionId, generation }) {
      const record = sessions.get(sessionId)
      if (record === undefined) return 'unknown'
      if (isDisplaced(record, generation)) {
        end(sessionId)
        return 'reused'
      }
      if (generation === record.generation) write({ ...record, confirmed: true })
      return 'confirmed'
    },

    async revoke ({ sessionId }) {
      const at = time.now()
      await time.sleep(store.commitDelay)
      end(sessionId, at)
      return true
    },

    async revokeUser ({ userId }) {
      const ids = [...sessions.values()].filter(record => record.userId === userId).map(({ id }) => id)
      for (const id of ids) end(id)
      return ids
    },

    async list ({ userId }) {
      return [...sessions.values()].filter(record => record.userId === userId)
    },

    async revokedSince (cursor, { revocationTtl }) {
      const now = time.now()
      told = told.filter(({ at }) => now - at <= revocationTtl)
      const [from = 0, passed = 0] = cursor?.split('+').map(Number) ?? []
      const rows = told.filter(({ at }) => at >= from - store.overlap).slice(passed)
      const more = rows.length > PAGE
      return {
        epoch: String(epoch),
        age: now - beganAt,
        sessionIds: rows.slice(0, PAGE).map(({ id }) => id),
        cursor: more ? `${from}+${passed + PAGE}` : String(now),
        more
      }
    },

    subscribe (listener) {
      listeners.add(listener)
      return () => { listeners.delete(listener) }
    },

    loseLastWrite (sessionId) {
      undo.get(sessionId)?.()
      undo.delete(sessionId)
    },

    restore (record) {
      if (sessions.has(record.id)) sessions.set(record.id, record)
      undo.delete(record.id)
    },

    flush () {
      store.reset()
      epoch++
      beganAt = time.now()
    },

    reset () {
      sessions.clear()
      undo.clear()
      told = []
    },

    peek: sessionId => sessions.get(sessionId) ?? null
  }
  return store
}

/** A rotation that the store has decided. */
export type Turn = Rotation & { readonly at: number, readonly sessionId: string, readonly presented: number }

export interface SlowStore extends SessionStore {
  /** How long calls take on their way to the store and back, one after the other and over again; a sign-in takes no time. */
  pace: readonly number[]
  turnsOf (sessionId: string): Turn[]
}

export function createSlowStore (time: Time, store: SessionStore): SlowStore {
  let turns: Turn[] = []
  let calls = 0

  async function slowly<T> (call: () => Promise<T>): Promise<T> {
    await way()
    const answer = await call()
    await way()
    return answer
  }

  function way (): Promise<void> {
    return time.sleep(slow.pace[calls++ % slow.pace.length] ?? 0)
  }

  const slow: SlowStore = {
    duties: store.duties ?? [],
    pace: [],
    turnsOf (sessionId) {
      turns = turns.filter(turn => turn.sessionId === sessionId)
      return turns
    },
    rotate: attempt => slowly(async () => {
      const rotation = await store.rotate(attempt)
      turns.push({ at: time.now(), sessionId: attempt.sessionId, presented: attempt.generation, ...rotation })
      return rotation
    }),
    create: (session, context) => store.create(session, context),
    confirm: confirmation => slowly(() => store.confirm(confirmation)),
    revoke: revocation => slowly(() => store.revoke(revocation)),
    revokeUser: revocation => slowly(() => store.revokeUser(revocation)),
    list: user => slowly(() => store.list(user)),
    revokedSince: (cursor, context) => slowly(() => store.revokedSince(cursor, context)),
    subscribe: listener => store.subscribe!(listener)
  }
  return slow
}
