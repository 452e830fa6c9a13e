// The table of revocations → the pages of the feed, and what the feed knows of itself: its epoch, since when it remembers, and for how long.
import type { CallContext, RevocationPage } from '../../sessions/store.ts'
import { firstOf, rowsOf, type SqliteDatabase } from './database.ts'

const PAGE = 2000
/** How far a clock may step back without harm: processes keep what they know this much longer than tokens live. */
const SKEW = 60_000

export interface FeedTable {
  /** Begins the feed, unless it has begun, and makes it remember as long as a call asks. */
  prepare (context: CallContext): void
  tell (id: string, now: number): void
  /** Whether the clock has stepped back behind a moment at which the feed forgot: it forgot too much. */
  hasForgottenTooMuch (now: number): boolean
  /** Begins a new epoch, which remembers from now on. */
  beginAnew (now: number): void
  /** The cursor is the number of the last revocation read: SQLite has one writer at a time, so none becomes visible late. */
  read (cursor: string | null, now: number): RevocationPage
  /** How long the feed remembers: the longest that any process has asked for. */
  readTtl (): number
  hasOld (before: number): boolean
  /** Forgets some of the revocations that are older than a moment. */
  forget (before: number, most: number, now: number): void
}

export function createFeedTable (database: SqliteDatabase, prefix: string): FeedTable {
  const [meta, revocations] = [`${prefix}meta`, `${prefix}revocations`]
  const readMeta = database.prepare(`SELECT epoch, began_at, forgot_at, revocation_ttl FROM ${meta}`)
  const prepare = database.prepare(`UPDATE ${meta} SET began_at = coalesce(began_at, ?), revocation_ttl = max(revocation_ttl, ?)`)
  const begin = database.prepare(`UPDATE ${meta} SET epoch = lower(hex(randomblob(16))), began_at = ?, forgot_at = 0`)
  const tell = database.prepare(`INSERT OR IGNORE INTO ${revocations} (id, revoked_at) VALUES (?, ?)`)
  const page = database.prepare(`SELECT seq, id FROM ${revocations} WHERE seq > ? ORDER BY seq LIMIT ?`)
  const hasOld = database.prepare(`SELECT 1 AS some FROM ${revocations} WHERE revoked_at <= ? LIMIT 1`)
  const forget = database.prepare(`DELETE FROM ${revocations} WHERE seq IN (SELECT seq FROM ${revocations} WHERE revoked_at <= ? LIMIT ?)`)
  const noteForgotten = database.prepare(`UPDATE ${meta} SET forgot_at = max(forgot_at, ?) WHERE id = ?`)

  function metaNow () {
    const row = firstOf(readMeta)!
    return {
      epoch: String(row.epoch),
      beganAt: Number(row.began_at),
      forgotAt: Number(row.forgot_at),
      ttl: Number(row.revocation_ttl)
    }
  }

  return {
    prepare ({ now, revocationTtl }) { prepare.run(now, revocationTtl) },
    tell (id, now) { tell.run(id, now) },
    hasForgottenTooMuch: now => now < metaNow().forgotAt - SKEW,
    beginAnew (now) { begin.run(now) },

    read (cursor, now) {
      const { epoch, beganAt } = metaNow()
      const rows = rowsOf(page, Number(cursor), PAGE)
      return {
        epoch,
        age: Math.max(0, now - beganAt),
        sessionIds: rows.map(({ id }) => String(id)),
        cursor: String(rows.at(-1)?.seq ?? Number(cursor)),
        more: rows.length === PAGE
      }
    },

    readTtl: () => metaNow().ttl,
    hasOld: before => firstOf(hasOld, before) !== null,

    forget (before, most, now) {
      forget.run(before, most)
      noteForgotten.run(now, 1)
    }
  }
}
