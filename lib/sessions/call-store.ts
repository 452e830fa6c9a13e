// A call of the store → its answer in time, or STORE_UNAVAILABLE. Every call of the store goes this way.
import type { CreateRefusal } from '../errors.ts'
import type { SessionStore } from './store.ts'

/**
 * How many calls may be unsettled at once, timed-out ones included: the store's client keeps each in memory until it is answered. Calls that end sessions
 * have a higher limit than others, and reads of the feed have their own, so that none keeps the others out.
 */
const MOST = { ordinary: 1000, ending: 2000, reading: 10 }

/**
 * Makes a call; rejects with `FST_DUAL_TOKEN_STORE_UNAVAILABLE` when it fails, takes too long, or when too many calls are unsettled:
 * then it is not made. Otherwise it may still be carried out.
 */
export type CallStore = <T>(call: (store: SessionStore) => Promise<T>, kind?: keyof typeof MOST) => Promise<T>

/** @param timeout milliseconds */
export function createCallStore (store: SessionStore, timeout: number, createRefusal: CreateRefusal): CallStore {
  const reads = { unsettled: 0 }
  const others = { unsettled: 0 }

  async function make<T> (call: (store: SessionStore) => Promise<T>, among: { unsettled: number }): Promise<T> {
    among.unsettled++
    try {
      return await call(store)
    } finally {
      among.unsettled--
    }
  }

  return async function callStore (call, kind = 'ordinary') {
    const among = kind === 'reading' ? reads : others
    if (among.unsettled >= MOST[kind]) return refuse(new Error('too many calls of the session store are unsettled'))
    let timer: NodeJS.Timeout | undefined
    const tooLate = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`the session store did not answer within ${timeout} ms`)), timeout)
    })
    return await Promise.race([make(call, among), tooLate]).catch(refuse).finally(() => clearTimeout(timer))
  }

  /** Keeps only the message, because clients of stores attach whole commands, ids included, to their errors. */
  function refuse (error: unknown): never {
    throw createRefusal('STORE_UNAVAILABLE', error instanceof Error ? error.message : 'the session store failed')
  }
}
