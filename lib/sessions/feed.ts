// The store's feed of revocations → the map of revoked sessions that guards look into, and how fresh it is.
import { setTimeout as delay } from 'node:timers/promises'
import type { FastifyBaseLogger } from 'fastify'
import { createFault } from '../errors.ts'
import type { SessionSettings } from '../session-options.ts'
import type { Ask } from './ask.ts'

const BOOT_PATIENCE = 5000
const BOOT_PAUSE = 50

export interface Feed {
  /** Reads all there is, trying again for a while; rejects with `FST_DUAL_TOKEN_OPTION_INVALID` when the store cannot be read at boot. */
  load (): Promise<void>
  /** Polls and listens from now on. */
  start (): void
  stop (): void
  /** Takes sessions as revoked at once, without waiting for the store to say so. */
  add (sessionIds: readonly string[]): void
  isRevoked (sessionId: string): boolean
  /** Epoch seconds: access tokens issued before this moment may have been revoked without the feed remembering it. */
  remembersSince (): number
  /** Whether the feed has been cut for longer than `maxStaleness`. */
  isStale (): boolean
}

/** @param now the plugin's clock, in milliseconds */
export function createFeed (settings: SessionSettings, now: () => number, ask: Ask, log: FastifyBaseLogger): Feed {
  const { store, keepFor, pollInterval, maxStaleness } = settings
  const revoked = new Map<string, number>()

  let epoch: string | undefined
  let cursor: string | null = null
  let since = Infinity
  let fresh = { wall: -Infinity, monotonic: -Infinity, plugin: -Infinity }
  let reading = false
  let cut = false
  let timer: NodeJS.Timeout | undefined
  let unsubscribe: (() => void) | undefined

  function add (sessionIds: readonly string[]): void {
    const until = now() + keepFor
    for (const id of sessionIds) {
      // Told again it may have been revoked again: last in the map is what is to be forgotten last.
      revoked.delete(id)
      revoked.set(id, until)
    }
  }

  function sweep (): void {
    const moment = now()
    for (const [id, until] of revoked) {
      if (moment < until) break
      revoked.delete(id)
    }
  }

  async function read (): Promise<void> {
    const began = { wall: Date.now(), monotonic: performance.now(), plugin: now() }
    for (let more = true; more;) {
      const page = await ask(store => store.revokedSince(cursor, { now: now(), keepFor }))
      add(page.sessionIds)
      more = page.more
      if (page.epoch !== epoch) {
        // Not seen before, or begun anew: what the store wrote before this cursor may be new to us.
        more ||= cursor !== null
        epoch = page.epoch
        since = Math.floor((began.plugin - page.age) / 1000)
        cursor = cursor === null ? page.cursor : null
      } else {
        cursor = page.cursor
      }
    }
    fresh = began
    sweep()
  }

  async function poll (): Promise<void> {
    if (reading) return
    reading = true
    try {
      await read()
      if (cut) log.info('The feed of revoked sessions is back')
      cut = false
    } catch (error) {
      if (!cut) log.warn({ err: error }, 'The feed of revoked sessions is cut')
      cut = true
    }
    reading = false
  }

  async function pollForEver (): Promise<void> {
    await poll()
    timer = timer && setTimeout(pollForEver, pollInterval).unref()
  }

  return {
    async load () {
      const giveUpAt = performance.now() + BOOT_PATIENCE
      for (;;) {
        try {
          return await read()
        } catch (error) {
          if (performance.now() >= giveUpAt) {
            const fault = createFault('OPTION_INVALID', 'Option sessions.store must be a store that can be read at boot.')
            fault.cause = error
            throw fault
          }
        }
        await delay(BOOT_PAUSE)
      }
    },

    start () {
      unsubscribe = store.subscribe?.(add)
      timer = setTimeout(pollForEver, pollInterval).unref()
    },

    stop () {
      clearTimeout(timer)
      timer = undefined
      unsubscribe?.()
    },

    add,
    isRevoked: sessionId => revoked.has(sessionId),
    remembersSince: () => since,

    isStale () {
      // Monotonic time can stand still while a machine sleeps, and the wall clock can be set back: the larger one counts.
      const age = Math.max(Date.now() - fresh.wall, performance.now() - fresh.monotonic)
      // The option `now` may be a clock of its own, that runs ahead of both.
      if (cut) return !(Math.max(age, now() - fresh.plugin) <= maxStaleness)
      if (age <= maxStaleness) return false
      // No poll has failed, so the process has slept: ask now. Within one process there is nothing to be cut.
      poll()
      return store.inProcess !== true
    }
  }
}
