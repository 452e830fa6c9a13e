// The store at boot → opened, and its feed read to the end, or one sentence that says why not: the store fails, or the time is too short.
import { setTimeout as delay } from 'node:timers/promises'
import type { FastifyBaseLogger } from 'fastify'
import { createFault } from '../errors.ts'

const BOOT_PATIENCE = 5000
const BOOT_PAUSE = 50
/** Shares of `pluginTimeout`. */
const LONG = 0.5
const TOO_LONG = 0.9

export interface LoadParts {
  /** Reads to the end; resolves to false when the moment, by `performance.now()`, has come before that. */
  read (giveUpAt: number): Promise<boolean>
  /** How many sessions were read. */
  count (): number
  /** Fastify's option, in milliseconds; 0: it waits for ever. */
  readonly pluginTimeout: number
  readonly log: FastifyBaseLogger
}

/** Tries again for a while; rejects with `FST_DUAL_TOKEN_OPTION_INVALID` when the store cannot be read, or not to its end in time. */
export async function loadFeed ({ read, count, pluginTimeout, log }: LoadParts): Promise<void> {
  const startedAt = performance.now()
  const tooLongAt = pluginTimeout === 0 ? Infinity : startedAt + pluginTimeout * TOO_LONG
  const soFar = (): string => `pluginTimeout of Fastify, ${pluginTimeout} ms: ${count()} revoked sessions were read so far`
  const slow = pluginTimeout === 0
    ? undefined
    : setTimeout(() => log.warn(`Reading the feed takes long, measured by the option ${soFar()}. Raise it`), pluginTimeout * LONG).unref()
  try {
    while (true) {
      const outcome = await read(tooLongAt).catch(cause => ({ cause }))
      if (outcome === true) return
      if (outcome === false) throw createFault('OPTION_INVALID', `The feed is longer than can be read within the option ${soFar()}. Raise it.`)
      if (performance.now() >= startedAt + BOOT_PATIENCE) throw unreadable(outcome.cause)
      await delay(BOOT_PAUSE)
    }
  } finally {
    clearTimeout(slow)
  }
}

/** Tries again for a while; rejects with `FST_DUAL_TOKEN_OPTION_INVALID`, at once when the store itself says so. */
export async function openStore (open: () => Promise<void>): Promise<void> {
  const startedAt = performance.now()
  while (true) {
    try {
      return await open()
    } catch (error) {
      if (error instanceof Error && (error as { code?: unknown }).code === 'FST_DUAL_TOKEN_OPTION_INVALID') throw error
      if (performance.now() >= startedAt + BOOT_PATIENCE) throw unreadable(error)
    }
    await delay(BOOT_PAUSE)
  }
}

function unreadable (cause: unknown): Error {
  return Object.assign(createFault('OPTION_INVALID', 'Option sessions.store must be a store that can be read at boot.'), { cause })
}
