// The Postgres store: the sessions of many processes in Postgres, by compare and swap, with no transaction held over a round trip.
import { createAsk, isConflict, untilDone, type PostgresClient, type Row } from './client.ts'
import { createReadFeed } from './feed.ts'
import { canListen, listen, surviveErrors } from './listen.ts'
import { namesOf, type PostgresNameOptions } from './names.ts'
import { openTables } from './open.ts'
import { mustKnowOptions } from '../options.ts'
import { changingOf, recordOf, rowOf, usedOf, userKeyOf } from './record.ts'
import { CHANGING, statementsOf, USED } from './statements.ts'
import { decideRotation, type Decision } from '../../sessions/decide.ts'
import type { RotationAttempt, SessionRecord, SessionStore } from '../../sessions/store.ts'

/** Options of `postgresStore`. */
export interface PostgresStoreOptions extends PostgresNameOptions {
  /** Whether missing tables are created at boot; default true. False: `npx fastify-dual-token schema postgres` prints their SQL. */
  readonly createTables?: boolean
}

const MOST_ROTATIONS = 5

/**
 * Makes a session store in Postgres 13 or newer, timed by the server's clock. It never closes the client, which belongs to the application.
 * With a pool, one connection of it listens for revocations.
 *
 * @param client a Pool or a Client of `pg` that nothing else uses for transactions, `fastify.pg`, or PGlite
 * @throws TypeError when an option is not valid
 * @example
 * ```ts
 * const store = postgresStore(new pg.Pool({ connectionString: process.env.DATABASE_URL }))
 * ```
 */
export function postgresStore (client: PostgresClient, options: PostgresStoreOptions = {}): SessionStore {
  mustKnowOptions(options, 'postgresStore', ['schema', 'tablePrefix', 'createTables'])
  const { createTables = true, ...nameOptions } = options
  if (typeof client?.query !== 'function') throw new TypeError('client must be a Pool or a Client of pg, fastify.pg, or PGlite.')
  if (typeof createTables !== 'boolean') throw new TypeError('createTables must be true or false.')
  const names = namesOf(nameOptions)
  const statements = statementsOf(names)
  const ask = createAsk(client)
  let timeline = 'NULL::integer'
  surviveErrors(client)

  async function askOne (text: string, values: unknown[]): Promise<Row | undefined> {
    const [row] = await untilDone(async () => await ask(text, values))
    return row
  }

  /** @returns whether it was written; false when another step came between */
  async function write (record: SessionRecord, version: unknown, change: NonNullable<Decision['write']>, revocationTtl: number): Promise<boolean> {
    const { id } = record
    const rows = await (change === 'revoke'
      ? ask(statements.end, [id, version, revocationTtl])
      : change.generation === undefined
        ? ask(statements.touch, [id, ...valuesOf(USED, usedOf({ ...record, ...change }))])
        : ask(statements.write, [id, version, ...valuesOf(CHANGING, changingOf({ ...record, ...change }, revocationTtl))]))
    return rows.length > 0
  }

  /** @returns null when another step came between */
  async function tryToRotate (attempt: RotationAttempt): Promise<Decision['rotation'] | null> {
    const [row] = await ask(statements.read, [attempt.sessionId, attempt.now])
    const record = row === undefined ? null : recordOf(row, attempt.userId)
    const decision = decideRotation(record, attempt, Number(row?.clock))
    if (record === null || decision.write === null) return decision.rotation
    return await write(record, row!.version, decision.write, attempt.revocationTtl) ? decision.rotation : null
  }

  return {
    duties: ['limit', 'label', 'lifetime', 'except', 'possession'],

    async open () {
      timeline = await openTables(ask, names, createTables)
    },

    async create (session, { now, revocationTtl, elapsed, limit }) {
      const record = JSON.stringify(rowOf(session, revocationTtl))
      const askedAt = performance.now()
      const [row] = await untilDone(async () => await ask(statements.create, [
        record, elapsed + performance.now() - askedAt, now, revocationTtl, limit?.max ?? null, limit?.whenFull === 'refuse'
      ]))
      if (row!.barred === true) return false
      return row!.ended === null ? true : { kept: row!.kept === true, ended: idsOf(row!.ended) }
    },

    async rotate (attempt) {
      for (let tries = 0; tries < MOST_ROTATIONS; tries++) {
        const rotation = await tryToRotate(attempt).catch(error => {
          if (isConflict(error)) return null
          throw error
        })
        if (rotation !== null) return rotation
      }
      throw new Error('other steps of the session came between again and again')
    },

    async confirm ({ sessionId, generation, now, revocationTtl }) {
      const row = await askOne(statements.confirm, [sessionId, generation, now, revocationTtl])
      if (row === undefined) return 'unknown'
      return row.ended === true ? 'reused' : 'confirmed'
    },

    async revoke ({ sessionId, userId, mustExist, now, revocationTtl }) {
      const owner = userId === undefined ? null : userKeyOf(userId)
      return await askOne(statements.revoke, [sessionId, owner, mustExist, now, revocationTtl]) !== undefined
    },

    async revokeUser ({ userId, except, now, revocationTtl }) {
      const row = await askOne(statements.revokeUser, [userKeyOf(userId), except ?? null, now, revocationTtl])
      return idsOf(row!.ended)
    },

    async list ({ userId, now }) {
      const rows = await untilDone(async () => await ask(statements.list, [userKeyOf(userId), now]))
      return rows.map(row => recordOf(row, userId))
    },

    async reauthenticate ({ sessionId, userId, now }) {
      return await askOne(statements.reauthenticate, [sessionId, userKeyOf(userId), now]) !== undefined
    },

    revokedSince: createReadFeed(ask, statements, () => timeline),

    ...(canListen(client) && { subscribe: onRevoked => listen(client, names.channel, onRevoked) })
  }
}

function valuesOf (columns: readonly string[], row: Row): unknown[] {
  return columns.map(column => row[column])
}

function idsOf (text: unknown): string[] {
  return text === null || text === '' ? [] : String(text).split(' ')
}
