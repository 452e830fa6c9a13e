// The tables of the store → their SQL, and the check that they are there, and of this version.
import { createFault } from '../../errors.ts'
import { firstOf, type SqliteDatabase } from './database.ts'

/** Raised when a table changes. */
const VERSION = 1

export const DEFAULT_PREFIX = 'dual_token_'
const IDENTIFIER = /^[a-z_][a-z0-9_]{0,40}$/i

/** Rows that the store gives up to make room for ending sessions in a full database; four pages each. */
export const RESERVE_ROWS = 16
export const RESERVE_BYTES = 15_000

const TABLES = ['meta', 'sessions', 'revocations', 'marks', 'reserve'] as const

/** @throws a TypeError for a prefix that is no identifier, or that SQLite reserves */
export function checkPrefix (prefix: unknown): string {
  if (typeof prefix !== 'string' || !IDENTIFIER.test(prefix) || /^sqlite_/i.test(prefix)) {
    throw new TypeError('tablePrefix must be letters, digits and underscores, at most 41, that begin with no digit and not with sqlite_.')
  }
  return prefix
}

/**
 * The SQL that makes the tables of `sqliteStore`, for migrations. It can be run again. With it, set `createTables: false`.
 *
 * @param options `tablePrefix`: as in the options of the store
 */
export function sqliteSchema ({ tablePrefix = DEFAULT_PREFIX }: { tablePrefix?: string } = {}): string {
  const prefix = checkPrefix(tablePrefix)
  return `-- The tables of fastify-dual-token. Text in user_id, ip, user_agent and label is JSON; instants are epoch milliseconds.
CREATE TABLE IF NOT EXISTS ${prefix}meta (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  version INTEGER NOT NULL,
  epoch TEXT NOT NULL,
  began_at INTEGER,
  forgot_at INTEGER NOT NULL DEFAULT 0,
  revocation_ttl INTEGER NOT NULL DEFAULT 0
);
INSERT OR IGNORE INTO ${prefix}meta (id, version, epoch) VALUES (1, ${VERSION}, lower(hex(randomblob(16))));
CREATE TABLE IF NOT EXISTS ${prefix}sessions (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  user_id TEXT NOT NULL,
  generation INTEGER NOT NULL,
  parent_generation INTEGER NOT NULL,
  confirmed INTEGER NOT NULL,
  rotated_at INTEGER NOT NULL,
  displaced_at INTEGER NOT NULL,
  issued_at INTEGER NOT NULL,
  nonce_hash TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  authenticated_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  last_used_at INTEGER NOT NULL,
  ip TEXT,
  user_agent TEXT,
  label TEXT,
  lifetime INTEGER,
  jkt TEXT
);
CREATE INDEX IF NOT EXISTS ${prefix}sessions_by_user ON ${prefix}sessions (user_id);
CREATE INDEX IF NOT EXISTS ${prefix}sessions_by_end ON ${prefix}sessions (expires_at);
CREATE TABLE IF NOT EXISTS ${prefix}revocations (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  revoked_at INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS ${prefix}revocations_by_time ON ${prefix}revocations (revoked_at);
CREATE TABLE IF NOT EXISTS ${prefix}marks (
  user_id TEXT PRIMARY KEY,
  marked_at REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ${prefix}reserve (
  id INTEGER PRIMARY KEY,
  room BLOB NOT NULL
);
WITH RECURSIVE rows (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM rows WHERE id < ${RESERVE_ROWS})
INSERT OR IGNORE INTO ${prefix}reserve (id, room) SELECT id, zeroblob(${RESERVE_BYTES}) FROM rows;
`
}

/** Makes missing tables, or refuses to. Call it in a transaction. */
export function ensureTables (database: SqliteDatabase, prefix: string, createTables: boolean): void {
  const find = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name = ?")
  const missing = TABLES.filter(table => firstOf(find, `${prefix}${table}`) === null)
  if (missing.length > 0) {
    if (!createTables) {
      throw createFault('OPTION_INVALID',
        `The SQLite database has no table ${prefix}${missing[0]}: run the SQL of npx fastify-dual-token schema sqlite, or leave out createTables: false.`)
    }
    database.exec(sqliteSchema({ tablePrefix: prefix }))
  }
  const version = Number(firstOf(database.prepare(`SELECT version FROM ${prefix}meta`))?.version)
  if (version === VERSION) return
  throw createFault('OPTION_INVALID', `The tables ${prefix}… of the SQLite database are of version ${version}, ` +
    `and this release needs version ${VERSION}: see npx fastify-dual-token schema sqlite.`)
}
