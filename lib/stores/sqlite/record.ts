// A session's record ⇄ its row, and the statements on the table of sessions.
import type { UserId } from '../../tokens/types.ts'
import type { SessionRecord } from '../../sessions/store.ts'
import { firstOf, type Row, rowsOf, type SqliteDatabase, type SqliteValue } from './database.ts'

/** Each member's column; the order of the values of an insert. */
const COLUMNS = {
  id: 'id',
  userId: 'user_id',
  generation: 'generation',
  parentGeneration: 'parent_generation',
  confirmed: 'confirmed',
  rotatedAt: 'rotated_at',
  displacedAt: 'displaced_at',
  issuedAt: 'issued_at',
  nonceHash: 'nonce_hash',
  createdAt: 'created_at',
  authenticatedAt: 'authenticated_at',
  expiresAt: 'expires_at',
  lastUsedAt: 'last_used_at',
  ip: 'ip',
  userAgent: 'user_agent',
  label: 'label',
  lifetime: 'lifetime',
  jkt: 'jkt'
} as const satisfies Record<keyof SessionRecord, string>

/** What decides which sessions a limit ends. */
export interface SessionAge extends Pick<SessionRecord, 'id' | 'createdAt' | 'lastUsedAt' | 'expiresAt'> {
  readonly seq: number
}

export interface SessionTable {
  find (id: string): SessionRecord | null
  /** To insert a session again is no error: a call whose answer was lost may have done its work. */
  insert (session: SessionRecord): void
  /** Writes the columns that can change; the expiry, which is in an index, only when it has moved. */
  update (before: SessionRecord, after: SessionRecord): void
  delete (id: string): void
  /** Some sessions of a user that have not expired, in the order of sign-in, after a place in that order. */
  livingOfUser (userId: UserId, now: number, after: number, most: number): SessionAge[]
  /** Some sessions of a user, in the order of sign-in, after a place in that order. */
  pageOfUser (userId: UserId, after: number, most: number): Array<{ readonly seq: number, readonly record: SessionRecord }>
  /** Some ids of a user's sessions, up to a place. */
  idsOfUser (userId: UserId, last: number, most: number): string[]
  /** The place of the last sign-in of any user. */
  lastPlace (): number
  hasEnded (before: number): boolean
  /** Deletes some of the sessions that expired before a moment. */
  deleteEnded (before: number, most: number): void
}

/** JSON keeps `7` and `'7'` apart, and lets every character through, halves of surrogate pairs and NUL too. */
export function textOf (value: UserId): string {
  return JSON.stringify(value)
}

export function createSessionTable (database: SqliteDatabase, prefix: string): SessionTable {
  const table = `${prefix}sessions`
  const columns = Object.values(COLUMNS)
  const find = database.prepare(`SELECT ${columns.join(', ')} FROM ${table} WHERE id = ?`)
  const insert = database.prepare(`INSERT OR REPLACE INTO ${table} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`)
  const update = database.prepare(`UPDATE ${table} SET generation = ?, parent_generation = ?, confirmed = ?, rotated_at = ?, displaced_at = ?,
    issued_at = ?, authenticated_at = ?, last_used_at = ?, ip = ?, user_agent = ? WHERE id = ?`)
  const move = database.prepare(`UPDATE ${table} SET expires_at = ? WHERE id = ?`)
  const remove = database.prepare(`DELETE FROM ${table} WHERE id = ?`)
  const pageOfUser = database.prepare(`SELECT seq, ${columns.join(', ')} FROM ${table} WHERE user_id = ? AND seq > ? ORDER BY seq LIMIT ?`)
  // The plus keeps SQLite from the index over the end, which would find the living sessions of all users.
  const livingOfUser = database.prepare(`SELECT seq, id, created_at, last_used_at, expires_at FROM ${table}
    WHERE user_id = ? AND +expires_at > ? AND seq > ? ORDER BY seq LIMIT ?`)
  const idsOfUser = database.prepare(`SELECT id FROM ${table} WHERE user_id = ? AND seq <= ? ORDER BY seq LIMIT ?`)
  const lastPlace = database.prepare(`SELECT max(seq) AS seq FROM ${table}`)
  const hasEnded = database.prepare(`SELECT 1 AS some FROM ${table} WHERE expires_at <= ? LIMIT 1`)
  const deleteEnded = database.prepare(`DELETE FROM ${table} WHERE seq IN (SELECT seq FROM ${table} WHERE expires_at <= ? LIMIT ?)`)

  return {
    find (id) {
      const row = firstOf(find, id)
      return row === null ? null : recordOf(row)
    },

    insert (session) {
      insert.run(...valuesOf(session))
    },

    update (before, after) {
      const { id, expiresAt, generation, parentGeneration, confirmed, rotatedAt, displacedAt, issuedAt, authenticatedAt, lastUsedAt, ip, userAgent } = after
      update.run(generation, parentGeneration, Number(confirmed), rotatedAt, displacedAt, issuedAt, authenticatedAt, lastUsedAt,
        jsonOf(ip), jsonOf(userAgent), id)
      if (expiresAt !== before.expiresAt) move.run(expiresAt, id)
    },

    delete (id) { remove.run(id) },
    livingOfUser: (userId, now, after, most) => rowsOf(livingOfUser, textOf(userId), now, after, most).map(ageOf),
    pageOfUser: (userId, after, most) => rowsOf(pageOfUser, textOf(userId), after, most).map(row => ({ seq: Number(row.seq), record: recordOf(row) })),
    idsOfUser: (userId, last, most) => rowsOf(idsOfUser, textOf(userId), last, most).map(({ id }) => String(id)),
    lastPlace: () => Number(firstOf(lastPlace)!.seq),
    hasEnded: before => firstOf(hasEnded, before) !== null,
    deleteEnded (before, most) { deleteEnded.run(before, most) }
  }
}

function valuesOf (session: SessionRecord): SqliteValue[] {
  const values: Record<keyof SessionRecord, SqliteValue> = {
    ...session,
    userId: textOf(session.userId),
    confirmed: Number(session.confirmed),
    ip: jsonOf(session.ip),
    userAgent: jsonOf(session.userAgent),
    label: jsonOf(session.label)
  }
  return Object.keys(COLUMNS).map(name => values[name as keyof SessionRecord])
}

function ageOf (row: Row): SessionAge {
  return {
    seq: Number(row.seq),
    id: String(row.id),
    createdAt: Number(row.created_at),
    lastUsedAt: Number(row.last_used_at),
    expiresAt: Number(row.expires_at)
  }
}

function recordOf (row: Row): SessionRecord {
  const lifetime = row.lifetime
  return {
    id: String(row.id),
    userId: JSON.parse(String(row.user_id)),
    generation: Number(row.generation),
    parentGeneration: Number(row.parent_generation),
    confirmed: Number(row.confirmed) === 1,
    rotatedAt: Number(row.rotated_at),
    displacedAt: Number(row.displaced_at),
    issuedAt: Number(row.issued_at),
    nonceHash: String(row.nonce_hash),
    createdAt: Number(row.created_at),
    authenticatedAt: Number(row.authenticated_at),
    expiresAt: Number(row.expires_at),
    lastUsedAt: Number(row.last_used_at),
    ip: stringOf(row.ip),
    userAgent: stringOf(row.user_agent),
    label: stringOf(row.label),
    lifetime: lifetime === null ? null : Number(lifetime),
    jkt: row.jkt === null ? null : String(row.jkt)
  }
}

function jsonOf (text: string | null): string | null {
  return text === null ? null : JSON.stringify(text)
}

function stringOf (json: unknown): string | null {
  return json === null ? null : JSON.parse(String(json))
}
