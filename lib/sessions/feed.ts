// The store's feed of revocations → the map of revoked sessions that guards read, and its age.
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { FastifyBaseLogger } from 'fastify'
import type { SessionSettings } from './settings.ts'
import type { CallStore } from './call-store.ts'
import { loadFeed } from './load.ts'
import { createSliced, SLICE } from './sliced.ts'
import { createTellAgain } from './tell-again.ts'
import { createTellReads } from './tell-reads.ts'

/** How far the plugin's clock may step back without harm, in milliseconds: revocations are kept this much longer than tokens live. */
const SKEW = 60_000

export interface Feed {
  /**
   * Reads all there is, trying again for a while; rejects with `FST_DUAL_TOKEN_OPTION_INVALID` when the store cannot be read at boot, or not in time.
   *
   * @param pluginTimeout Fastify's, in milliseconds; 0: it waits for ever
   */
  load (pluginTimeout: number): Promise<void>
  /** Polls and listens from now on. */
  start (): void
  stop (): void
  /** Marks sessions as revoked at once, without waiting for the feed. */
  add (sessionIds: readonly string[]): void
  isRevoked (sessionId: string): boolean
  /** Epoch seconds: access tokens issued before this moment may have been revoked without the feed remembering it. */
  remembersSince (): number
  /** Whether the feed was last read longer ago than `maxStaleness`. */
  isStale (): boolean
}

/** @param now the plugin's clock, in milliseconds */
export function createFeed (settings: SessionSettings, now: () => number, callStore: CallStore, log: FastifyBaseLogger): Feed {
  const { store, revocationTtl, pollInterval, maxStaleness } = settings
  const revoked = new Map<string, number>()

  let epoch: string | undefined
  let cursor: string | null = null
  let since = Infinity
  let fresh = { wall: -Infinity, monotonic: -Infinity, plugin: -Infinity }
  let reading = false
  let unreachable = false
  let timer: NodeJS.Timeout | undefined
  let unsubscribe: (() => void) | undefined
  let sweptAt = -Infinity

  const lost = createTellAgain(
    revoked,
    async sessionId => await callStore(store => store.revoke({ sessionId, mustExist: false, now: now(), revocationTtl })),
    count => log.warn(`The session store had lost ${count} ended sessions; it was told again`)
  )

  function add (sessionIds: readonly string[]): void {
    lost.heard(sessionIds)
    const until = now() + revocationTtl
    for (const id of sessionIds) {
      // Re-inserts the id, so that the map stays in order of expiry and the sweep can stop early.
      revoked.delete(id)
      revoked.set(id, until)
    }
  }

  /** Before the clock stepped back, the sweep may have forgotten too much, so tokens issued until now are no longer trusted. */
  function noticeStep (): void {
    const moment = now()
    if (!(moment < sweptAt - SKEW)) return
    since = Math.max(since, Math.ceil(moment / 1000))
    sweptAt = moment
  }

  const sweep = createSliced(function * () {
    for (const [id, until] of revoked) {
      if (now() < until) return
      revoked.delete(id)
      yield
    }
  })

  /** Reads page by page to the end, and from the beginning when the store's memory proves to have begun anew; false when it is not at the end in time. */
  async function read (giveUpAt: number): Promise<boolean> {
    const startedAt = { wall: Date.now(), monotonic: performance.now(), plugin: now() }
    let sinceTurn = 0
    for (;;) {
      const page = await callStore(store => store.revokedSince(cursor, { now: now(), revocationTtl }), 'reading')
      const isNew = page.epoch !== epoch
      if (isNew) {
        epoch = page.epoch
        since = Math.floor((startedAt.plugin - Math.max(0, page.age)) / 1000)
        if (cursor !== null) lost.begin()
      }
      add(page.sessionIds)
      if (isNew && cursor !== null) {
        // Entries before this cursor may be new to this process.
        cursor = null
        continue
      }
      cursor = page.cursor
      if (!page.more) break
      if (performance.now() >= giveUpAt) return false
      // A store in this process answers without any I/O.
      sinceTurn += page.sessionIds.length
      if (sinceTurn < SLICE) continue
      sinceTurn = 0
      await nextTurn()
    }
    fresh = startedAt
    noticeStep()
    sweptAt = now()
    sweep()
    lost.run()
    return true
  }

  const readAndTell = createTellReads(read, ageByProcess, () => revoked.size)

  async function poll (): Promise<void> {
    if (reading) return
    reading = true
    try {
      await readAndTell(Infinity)
      if (unreachable) log.info('The feed of revoked sessions can be read again')
      unreachable = false
    } catch (error) {
      // After `stop` the application has closed its client, so a failure is expected.
      if (timer !== undefined && !unreachable) log.warn({ err: error }, 'Cannot read the feed of revoked sessions')
      unreachable = true
    }
    reading = false
  }

  async function pollForEver (): Promise<void> {
    await poll()
    timer = timer && setTimeout(pollForEver, pollInterval).unref()
  }

  /** The age of the last complete read. Monotonic time may stop while the machine sleeps and the wall clock may be set back, so the larger counts. */
  function ageByProcess (): number {
    return Math.max(Date.now() - fresh.wall, performance.now() - fresh.monotonic)
  }

  /** Negated, so that a clock that returns NaN counts as too old. */
  function isTooOld (age: number): boolean {
    return !(age <= maxStaleness)
  }

  return {
    load: async pluginTimeout => await loadFeed({ read: readAndTell, count: () => revoked.size, pluginTimeout, log }),

    start () {
      unsubscribe = store.subscribe?.(add)
      timer = setTimeout(pollForEver, pollInterval).unref()
    },

    stop () {
      clearTimeout(timer)
      timer = undefined
      lost.stop()
      unsubscribe?.()
    },

    add,
    isRevoked: sessionId => revoked.has(sessionId),

    // Notices a step at once, because the next read of the feed may be far.
    remembersSince () {
      noticeStep()
      return since
    },

    isStale () {
      const isOld = isTooOld(ageByProcess())
      // The option `now` may run ahead of both clocks.
      if (unreachable) return isOld || isTooOld(now() - fresh.plugin)
      if (!isOld) return false
      // No poll has failed, so the process has slept: poll now. A store in this process is never out of reach.
      poll()
      return store.inProcess !== true
    }
  }
}
