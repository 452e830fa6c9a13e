// A path or a database → a connection that is set up: its tables are there, and its statements prepared.
import { createFault } from '../../errors.ts'
import type { UserId } from '../../tokens/types.ts'
import { firstOf, isBusy, isDatabase, openFile, reasonOf, type SqliteDatabase } from './database.ts'
import { createFeedTable, type FeedTable } from './feed.ts'
import { createSessionTable, type SessionTable, textOf } from './record.ts'
import { ensureTables, RESERVE_BYTES, RESERVE_ROWS } from './schema.ts'

/** SQLite waits for a lock in the event loop's own thread: so short a time does no harm. Milliseconds. */
const BUSY_TIMEOUT = 5
/** Pages of 4 KiB: when the log holds so many, a commit moves them into the file. */
const AUTOCHECKPOINT = 250
const MARK_LIFE = 60_000

export interface ConnectionOptions {
  readonly synchronous: 'full' | 'normal'
  readonly createTables: boolean
  readonly prefix: string
}

export interface Connection {
  beginWrite (): void
  beginRead (): void
  commit (): void
  rollback (): void
  /** Moves the content of the log into the file, as far as no reader is in the way. */
  checkpoint (): void
  readonly sessions: SessionTable
  readonly feed: FeedTable
  readonly marks: MarkTable
  readonly reserve: ReserveTable
  close (): void
}

/** Who was revoked lately, and when, by the machine's monotonic clock. */
export interface MarkTable {
  set (userId: UserId): void
  /** Whether a sign-in that began so many milliseconds ago began before its user was revoked. */
  bars (userId: UserId, elapsed: number): boolean
  hasOld (): boolean
  forget (most: number): void
}

/** Rows that hold room, so that sessions can be ended when the database is full. */
export interface ReserveTable {
  isWhole (): boolean
  give (): void
  take (): void
}

/** @throws `FST_DUAL_TOKEN_OPTION_INVALID` for a fault that no further try mends */
export function connect (source: string | SqliteDatabase, options: ConnectionOptions): Connection {
  let close = (): void => {}
  try {
    let database: SqliteDatabase
    if (isDatabase(source)) database = source
    else {
      const own = openFile(source)
      close = () => { own.close() }
      database = own
    }
    return setUp(database, options, close)
  } catch (error) {
    close()
    throw isBusy(error) ? error : faultOf(error)
  }
}

function setUp (database: SqliteDatabase, { synchronous, createTables, prefix }: ConnectionOptions, close: () => void): Connection {
  database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT}`)
  database.exec('PRAGMA journal_mode = WAL')
  database.exec(`PRAGMA synchronous = ${synchronous}`)
  database.exec(`PRAGMA wal_autocheckpoint = ${AUTOCHECKPOINT}`)
  database.exec('BEGIN IMMEDIATE')
  try {
    ensureTables(database, prefix, createTables)
    database.exec('COMMIT')
  } catch (error) {
    database.exec('ROLLBACK')
    throw error
  }
  const run = (sql: string) => {
    const statement = database.prepare(sql)
    return () => { statement.run() }
  }
  return {
    beginWrite: run('BEGIN IMMEDIATE'),
    beginRead: run('BEGIN'),
    commit: run('COMMIT'),
    rollback: run('ROLLBACK'),
    checkpoint () { database.exec('PRAGMA wal_checkpoint(PASSIVE)') },
    sessions: createSessionTable(database, prefix),
    feed: createFeedTable(database, prefix),
    marks: createMarkTable(database, prefix),
    reserve: createReserveTable(database, prefix),
    close
  }
}

function faultOf (error: unknown): unknown {
  const { code, message } = Object(error) as { code?: unknown, message?: unknown }
  if (code === 'FST_DUAL_TOKEN_OPTION_INVALID') return error
  const reason = reasonOf(error)
  const sentence = reason === 'noDatabase'
    ? 'The file of sqliteStore is not an SQLite database.'
    : reason === 'readOnly'
      ? 'The database of sqliteStore is read-only: the process must be able to write the file and its directory.'
      : `The database of sqliteStore cannot be opened: ${String(message)}.`
  return Object.assign(createFault('OPTION_INVALID', sentence), { cause: error })
}

function createMarkTable (database: SqliteDatabase, prefix: string): MarkTable {
  const table = `${prefix}marks`
  const find = database.prepare(`SELECT marked_at FROM ${table} WHERE user_id = ?`)
  const set = database.prepare(`INSERT OR REPLACE INTO ${table} (user_id, marked_at) VALUES (?, ?)`)
  const hasOld = database.prepare(`SELECT 1 AS some FROM ${table} WHERE marked_at < ? OR marked_at > ? LIMIT 1`)
  const forget = database.prepare(`DELETE FROM ${table} WHERE user_id IN (SELECT user_id FROM ${table} WHERE marked_at < ? OR marked_at > ? LIMIT ?)`)
  // The start of this process, by the clock that all processes of the machine share and that begins anew when the machine starts.
  const origin = Number(process.hrtime.bigint()) / 1e6 - performance.now()
  const clock = (): number => origin + performance.now()

  return {
    set (userId) { set.run(textOf(userId), clock()) },

    bars (userId, elapsed) {
      const row = firstOf(find, textOf(userId))
      if (row === null) return false
      const [now, markedAt] = [clock(), Number(row.marked_at)]
      // A mark in the future is from before the machine was started.
      return markedAt <= now && now - elapsed < markedAt
    },

    hasOld () {
      const now = clock()
      return firstOf(hasOld, now - MARK_LIFE, now) !== null
    },

    forget (most) {
      const now = clock()
      forget.run(now - MARK_LIFE, now, most)
    }
  }
}

function createReserveTable (database: SqliteDatabase, prefix: string): ReserveTable {
  const table = `${prefix}reserve`
  const count = database.prepare(`SELECT count(*) AS count FROM ${table}`)
  const give = database.prepare(`INSERT INTO ${table} (room) VALUES (zeroblob(?))`)
  const take = database.prepare(`DELETE FROM ${table} WHERE id IN (SELECT id FROM ${table} LIMIT ?)`)
  return {
    isWhole: () => Number(firstOf(count)!.count) >= RESERVE_ROWS,
    give () { give.run(RESERVE_BYTES) },
    take () { take.run(1) }
  }
}
