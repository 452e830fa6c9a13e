// The SQLite store: the sessions of the processes of one machine in one file, one transaction per step.
import { setImmediate as nextTurn } from 'node:timers/promises'
import { decideLimit, decideRotation, isDisplaced } from '../../sessions/decide.ts'
import type { CallContext, SessionRecord, SessionStore } from '../../sessions/store.ts'
import { connect, type Connection } from './connection.ts'
import { isDatabase, type SqliteDatabase } from './database.ts'
import { readOptions, type SqliteStoreOptions } from './options.ts'
import { createSteps } from './steps.ts'
import { createSweep } from './sweep.ts'
import { createTrim, SLICE } from './trim.ts'

/**
 * Makes a session store in an SQLite file, for any number of processes of one machine. The sessions outlive them. Grace and recovery are
 * measured by the plugin's clock, which is one for all processes of a machine.
 *
 * @param pathOrDatabase a path, opened through node:sqlite (Node.js 22.13 or later), made with mode 0600 and closed with the server; or a
 * connection of node:sqlite, better-sqlite3 or libsql that nothing else uses, which the application closes
 */
export function sqliteStore (pathOrDatabase: string | SqliteDatabase, options: SqliteStoreOptions = {}): SessionStore {
  const settings = readOptions(options)
  if (!isDatabase(pathOrDatabase) && (typeof pathOrDatabase !== 'string' || pathOrDatabase === '')) {
    throw new TypeError('The first argument of sqliteStore must be a path, or a database of node:sqlite, better-sqlite3 or libsql.')
  }

  const steps = createSteps(() => connect(pathOrDatabase, settings))
  const sweep = createSweep(steps)
  const listeners = new Set<(sessionIds: readonly string[]) => void>()
  /** How long the feed remembers, as last heard: the longest that any process has asked for. */
  let ttl = -1

  /** Makes the feed remember as long as this process asks. */
  async function prepare (context: CallContext): Promise<void> {
    if (context.revocationTtl <= ttl) return
    ttl = await steps.write(({ feed }) => {
      feed.prepare(context)
      return feed.readTtl()
    })
  }

  /** A step that may end sessions; those that listen in this process are told when it is done. */
  async function step<T> (context: CallContext, work: (connection: Connection, end: (id: string) => void) => T): Promise<T> {
    await prepare(context)
    let ended: string[] = []
    const result = await steps.write(connection => {
      ended = []
      return work(connection, id => {
        connection.sessions.delete(id)
        connection.feed.tell(id, context.now)
        ended.push(id)
      })
    })
    if (ended.length > 0) for (const listener of listeners) listener(ended)
    return result
  }

  const trim = createTrim(steps, step)

  function find ({ sessions }: Connection, id: string, now: number): SessionRecord | null {
    const record = sessions.find(id)
    return record !== null && now < record.expiresAt + ttl ? record : null
  }

  return {
    inProcess: false,
    duties: ['limit', 'label', 'lifetime', 'except', 'possession'],

    async open () {
      await steps.write(() => {})
    },

    async create (session, context) {
      const { now, elapsed, limit } = context
      const calledAt = performance.now()
      const trimmed: string[] = []
      for (;;) {
        const outcome = await step(context, ({ sessions, marks }, end) => {
          // The call may have waited for a database that was busy.
          if (marks.bars(session.userId, elapsed + performance.now() - calledAt)) return false
          const reached = limit === undefined ? null : decideLimit(sessions.livingOfUser(session.userId, now, 0, limit.max + SLICE), limit, now)
          if (reached?.kept === false) return reached
          const ended = reached?.ended ?? []
          if (ended.length > SLICE) return null
          for (const id of ended) end(id)
          sessions.insert(session)
          return reached ?? true
        })
        if (outcome === null) trimmed.push(...await trim(session.userId, limit!, context))
        else if (outcome === false || trimmed.length === 0) return outcome
        else return { kept: true, ended: outcome === true ? trimmed : [...trimmed, ...outcome.ended] }
      }
    },

    async rotate (attempt) {
      return await step(attempt, (connection, end) => {
        const record = find(connection, attempt.sessionId, attempt.now)
        const { rotation, write } = decideRotation(record, attempt, attempt.now)
        if (write === 'revoke') {
          steps.mayUseReserve()
          end(attempt.sessionId)
        } else if (write !== null) connection.sessions.update(record!, { ...record!, ...write })
        return rotation
      })
    },

    async confirm (confirmation) {
      const { sessionId, generation, now } = confirmation
      return await step(confirmation, (connection, end) => {
        const record = find(connection, sessionId, now)
        if (record === null) return 'unknown'
        if (isDisplaced(record, generation)) {
          steps.mayUseReserve()
          end(sessionId)
          return 'reused'
        }
        if (generation === record.generation) connection.sessions.update(record, { ...record, confirmed: true, lastUsedAt: now })
        return 'confirmed'
      })
    },

    async revoke (revocation) {
      const { sessionId, userId, mustExist, now } = revocation
      return await step(revocation, (connection, end) => {
        const record = find(connection, sessionId, now)
        if (record === null ? mustExist : userId !== undefined && userId !== record.userId) return false
        steps.mayUseReserve()
        end(sessionId)
        return true
      })
    },

    async revokeUser (revocation) {
      const { userId, except } = revocation
      const ended: string[] = []
      /** The place of the last sign-in before this call: later ones are spared. */
      let last: number | undefined
      for (;;) {
        const { ids, seq } = await step(revocation, ({ sessions, marks }, end) => {
          steps.mayUseReserve()
          if (last === undefined) marks.set(userId)
          const seq = last ?? sessions.lastPlace()
          const ids = sessions.idsOfUser(userId, seq, SLICE + 1).filter(id => id !== except).slice(0, SLICE)
          for (const id of ids) end(id)
          return { ids, seq }
        })
        last = seq
        ended.push(...ids)
        if (ids.length < SLICE) return ended
        await nextTurn()
      }
    },

    async list ({ userId, now }) {
      const records: SessionRecord[] = []
      for (let after = 0; ;) {
        const page = await steps.read(({ sessions }) => sessions.pageOfUser(userId, after, SLICE))
        records.push(...page.map(({ record }) => record).filter(record => now < record.expiresAt))
        if (page.length < SLICE) return records
        after = page.at(-1)!.seq
        await nextTurn()
      }
    },

    async reauthenticate (reauthentication) {
      const { sessionId, userId, now } = reauthentication
      return await step(reauthentication, (connection) => {
        const record = find(connection, sessionId, now)
        if (record === null || record.userId !== userId || now >= record.expiresAt) return false
        connection.sessions.update(record, { ...record, authenticatedAt: now })
        return true
      })
    },

    async revokedSince (cursor, context) {
      const { now } = context
      await prepare(context)
      const forgotTooMuch = await steps.read(({ feed }) => feed.hasForgottenTooMuch(now))
      if (forgotTooMuch) await steps.write(({ feed }) => { if (feed.hasForgottenTooMuch(now)) feed.beginAnew(now) })
      const page = await steps.read(({ feed }) => {
        ttl = feed.readTtl()
        return feed.read(cursor, now)
      })
      sweep(now)
      return page
    },

    subscribe (onRevoked) {
      listeners.add(onRevoked)
      return () => { listeners.delete(onRevoked) }
    },

    async close () {
      steps.close()
    }
  }
}
