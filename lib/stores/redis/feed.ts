// The feeds of all shards, read side by side → one page, with one cursor and one epoch.
import { randomUUID } from 'node:crypto'
import type { CallContext, RevocationPage } from '../../sessions/store.ts'
import type { Connection } from './client.ts'
import { createClockWatch } from './clock.ts'
import { cursorWithin, type FeedPosition, positionOf } from './cursor.ts'
import type { Shard } from './places.ts'
import { REVOKED_SINCE } from './scripts.ts'

/** Ids in one page. */
const PAGE = 20_000

export type ReadFeed = (cursor: string | null, context: CallContext) => Promise<RevocationPage>

/**
 * A composed cursor has the cursors of the shards in their order. As long as one shard has more to read, those that have not are read again
 * from a minute ago, like at any poll, so that each page carries the epoch of every shard.
 */
export function createReadFeed (run: Connection['run'], shards: readonly Shard[]): ReadFeed {
  const readers = shards.map(shard => createReader(run, shard, Math.ceil(PAGE / shards.length)))

  return async function readFeed (cursor, { revocationTtl }) {
    const cursors = cursor?.split(',') ?? []
    const pages = await Promise.all(readers.map((read, i) => read(cursors[i] ?? null, revocationTtl)))
    return {
      epoch: pages.map(({ epoch }) => epoch).join(','),
      // Access tokens from before the youngest feed began may be of a session that only this one knew to be ended.
      age: Math.min(...pages.map(({ age }) => age)),
      sessionIds: pages.flatMap(({ sessionIds }) => sessionIds),
      cursor: pages.map(({ cursor }) => cursor).join(','),
      more: pages.some(({ more }) => more)
    }
  }
}

/** Reads the feed of one shard, which its server's clock measures. */
function createReader (run: Connection['run'], { feed, epoch }: Shard, size: number) {
  const hasStepped = createClockWatch()

  /** @param over the id of an epoch that is to end here */
  async function readPage ({ lowest, skip }: FeedPosition, revocationTtl: number, over = '') {
    const sentAt = performance.now()
    const [epochId, runId, age, clock, ids, score, passed] = await run(REVOKED_SINCE,
      [feed, epoch], [lowest, skip, size, revocationTtl, randomUUID(), over]) as [string, string, string, string, string[], string, number]
    return { epochId, runId, age: Number(age), clock, ids, score, passed, hasStepped: hasStepped(Number(clock), sentAt, epochId) }
  }

  return async function read (cursor: string | null, revocationTtl: number): Promise<RevocationPage> {
    const position = positionOf(cursor)
    let page = await readPage(position, revocationTtl)
    if (page.hasStepped) page = await readPage(position, revocationTtl, page.epochId)
    const startedAt = position.startedAt ?? page.clock
    const more = page.ids.length === size
    return {
      epoch: page.epochId + page.runId,
      age: page.age,
      sessionIds: page.ids,
      more,
      cursor: more ? cursorWithin(page.score, page.passed, startedAt) : startedAt
    }
  }
}
