// The key set of another service → the keys of this one: read at boot, and again when it is due or a token names an unknown key.
import diagnostics from 'node:diagnostics_channel'
import { setTimeout as delay } from 'node:timers/promises'
import type { FastifyBaseLogger } from 'fastify'
import { createFault } from '../errors.ts'
import type { PublicRingKey } from './check.ts'
import { fetchKeySet, type KeySetSettings } from './fetch-key-set.ts'
import { readKeySet } from './key-set.ts'
import type { KeySetEvent } from './types.ts'

/** Follows a key set for one instance of the plugin. */
export interface KeySetFollower {
  /**
   * Reads the set, trying again for a while, and follows it from then on; rejects with `FST_DUAL_TOKEN_OPTION_INVALID` when it cannot be
   * read in time.
   *
   * @param pluginTimeout Fastify's, in milliseconds; 0: it waits for ever
   */
  open (pluginTimeout: number): Promise<void>
  close (): void
  /** Has the set read in the background, at most once per cooldown: a token names a key that is not in the ring. */
  noticeUnknown (): void
}

export interface FollowParts {
  readonly settings: KeySetSettings
  /** The plugin's clock, in milliseconds. */
  readonly now: () => number
  /** Puts the keys of a new set in the place of all others. */
  readonly replace: (keys: readonly PublicRingKey[]) => void
  readonly log: FastifyBaseLogger
}

const BOOT_PATIENCE = 5000
const BOOT_PAUSE = 250
/** The part of Fastify's `pluginTimeout` after which its own error comes. */
const TOO_LONG = 0.9

const channel = diagnostics.channel('fastify-dual-token:keys')

export function createFollower ({ settings, now, replace, log }: FollowParts): KeySetFollower {
  const { algorithms, cooldown, maxAge, timeout } = settings
  // A query may hold an access key.
  const url = settings.url.replace(/[?#].*$/s, '')

  let current: { readonly text: string | null, readonly keys: number } = { text: null, keys: 0 }
  let reading: AbortController | null = null
  let isOpen = false
  let isClosed = false
  let failure: string | null = null
  let askedAt = -Infinity
  let keptFor = 0
  let timer: NodeJS.Timeout | undefined

  function take (text: string): void {
    const { keys, leftOut } = readKeySet(text, algorithms)
    replace(keys)
    current = { text, keys: keys.length }
    for (const one of leftOut) log.warn({ url, ...one }, 'A key of the key set is left out')
    if (isOpen) log.info({ url, kids: keys.map(({ kid }) => kid) }, 'The key set has changed')
  }

  /** Reads the set once; when it rejects, the keys stay as they are. */
  async function read (limit: number): Promise<void> {
    const startedAt = performance.now()
    let outcome: KeySetEvent['outcome'] = 'unchanged'
    let reason = null
    reading = new AbortController()
    try {
      const { text, freshFor } = await fetchKeySet(settings, limit, reading)
      if (text !== current.text) {
        take(text)
        outcome = 'changed'
      }
      keptFor = freshFor ?? maxAge
    } catch (error) {
      outcome = 'failed'
      reason = (error as Error).message
      keptFor = 0
      throw error
    } finally {
      reading = null
      const event: KeySetEvent = { url, outcome, reason, keys: current.keys, milliseconds: performance.now() - startedAt }
      channel.publish(Object.freeze(event))
    }
  }

  function schedule (): void {
    if (isOpen) timer = setTimeout(readAgain, Math.min(Math.max(keptFor, cooldown), maxAge)).unref()
  }

  async function readAgain (): Promise<void> {
    clearTimeout(timer)
    try {
      await read(timeout)
      if (failure !== null) log.info({ url }, 'The key set can be read again')
      failure = null
    } catch (error) {
      const { message } = error as Error
      // After `close` the failure is expected. A failure that lasts is logged once.
      if (isOpen && message !== failure) log.warn({ url, err: error }, 'Cannot read the key set; the keys stay as they are')
      failure = message
    }
    schedule()
  }

  return {
    async open (pluginTimeout) {
      const giveUpAt = performance.now() + (pluginTimeout === 0 ? BOOT_PATIENCE : Math.min(BOOT_PATIENCE, pluginTimeout * TOO_LONG))
      for (;;) {
        try {
          await read(Math.min(timeout, giveUpAt - performance.now()))
          break
        } catch (cause) {
          // The last read gets some time, too: otherwise its failure would hide the reason of the others.
          if (isClosed || performance.now() + 2 * BOOT_PAUSE >= giveUpAt) {
            const sentence = `Option keys must be a key set that can be read at boot: ${(cause as Error).message}.`
            throw Object.assign(createFault('OPTION_INVALID', sentence), { cause })
          }
        }
        await delay(BOOT_PAUSE)
      }
      isOpen = !isClosed
      schedule()
    },

    close () {
      isClosed = true
      isOpen = false
      clearTimeout(timer)
      reading?.abort()
    },

    noticeUnknown () {
      if (!isOpen || reading !== null) return
      const since = now() - askedAt
      // A clock that was set back must not make the cooldown longer.
      if (since >= 0 && since < cooldown) return
      askedAt = now()
      readAgain()
    }
  }
}
