// The table of revocations → pages of the feed; and now and then a call of `keep`, which sweeps the tables.
import { untilDone, type Ask, type Row } from './client.ts'
import { createClockWatch } from '../redis/clock.ts'
import type { Statements } from './statements.ts'
import type { CallContext, RevocationPage } from '../../sessions/store.ts'

const PAGE = 20_000
/** A late commit or a clock step can give a revocation a time before the moment at which it becomes visible. Milliseconds. */
const OVERLAP = 60_000
/** Milliseconds between two calls of `keep` by one process, when the last one was done with all there was. */
const KEEP_INTERVAL = 30_000

export type ReadFeed = (cursor: string | null, context: CallContext) => Promise<RevocationPage>

/** Where a page begins. */
interface Position {
  /** The moment, by the server's clock, and the id after which it begins. */
  readonly after: number
  readonly afterId: string
  /** The server's clock at the first page of this read, as text; undefined before it. */
  readonly startedAt: string | undefined
}

/** A cursor is the start of the previous read or, between the pages of one read, `after id startedAt`; null reads from the beginning. */
function positionOf (cursor: string | null): Position {
  if (cursor === null) return { after: -Infinity, afterId: '', startedAt: undefined }
  const [after, afterId, startedAt] = cursor.split(' ') as [string, string?, string?]
  if (afterId === undefined) return { after: Number(after) - OVERLAP, afterId: '', startedAt: undefined }
  return { after: Number(after), afterId, startedAt }
}

/** @param timelineOf the SQL that reads the server's timeline, once it is known whether it may be read */
export function createReadFeed (ask: Ask, statements: Statements, timelineOf: () => string): ReadFeed {
  const hasStepped = createClockWatch()
  let keepAt = -Infinity

  async function keep ({ now, revocationTtl }: CallContext, over: unknown): Promise<void> {
    keepAt = performance.now() + KEEP_INTERVAL
    const [row] = await untilDone(async () => await ask(statements.keep(timelineOf()), [revocationTtl, now, over]))
    if (row!.more === true) keepAt = -Infinity
  }

  async function read ({ after, afterId }: Position): Promise<{ row: Row, stepped: boolean }> {
    const sentAt = performance.now()
    const [row] = await ask(statements.page(timelineOf()), [after, afterId, PAGE])
    if (row === undefined) throw new Error('the tables of the session store have lost their epoch')
    return { row, stepped: hasStepped(Number(row.clock), sentAt, String(row.epoch)) }
  }

  return async function readFeed (cursor, context) {
    const position = positionOf(cursor)
    // A server that is read-only or full still tells what it has; the next poll tries again.
    if (performance.now() >= keepAt) await keep(context, null).catch(() => {})
    let { row, stepped } = await read(position)
    if (stepped || row.moved === true) {
      await keep(context, row.epoch)
      row = (await read(position)).row
    }
    const startedAt = position.startedAt ?? String(row.clock)
    const sessionIds = row.ids === null ? [] : String(row.ids).split(' ')
    const more = sessionIds.length === PAGE
    return {
      epoch: `${String(row.epoch)} ${String(row.run)}`,
      age: Math.max(0, Number(row.clock) - Number(row.began_at)),
      sessionIds,
      cursor: more ? `${String(row.last)} ${sessionIds.at(-1)!} ${startedAt}` : startedAt,
      more
    }
  }
}
