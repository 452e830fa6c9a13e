// A call of the store → its answer in time, or STORE_UNAVAILABLE. Every call of the store goes this way.
import type { CreateRefusal } from '../errors.ts'
import type { SessionStore } from './store.ts'

/** How many calls may be unsettled at once, timed-out ones included: the store's client keeps each in memory until it is answered. */
const MOST = 1000
/** How many more calls may be unsettled when they end sessions. */
const RESERVE = 1000

/**
 * Makes a call; rejects with `FST_DUAL_TOKEN_STORE_UNAVAILABLE` when it fails, takes too long, or when too many calls are unsettled:
 * then it is not made. Otherwise it may still be carried out.
 *
 * @param ends whether it ends sessions: such calls are made when others no longer are
 */
export type CallStore = <T>(call: (store: SessionStore) => Promise<T>, ends?: boolean) => Promise<T>

/** @param timeout milliseconds */
export function createCallStore (store: SessionStore, timeout: number, createRefusal: CreateRefusal): CallStore {
  let unsettled = 0

  async function make<T> (call: (store: SessionStore) => Promise<T>): Promise<T> {
    unsettled++
    try {
      return await call(store)
    } finally {
      unsettled--
    }
  }

  return async function callStore (call, ends = false) {
    if (unsettled >= (ends ? MOST + RESERVE : MOST)) return refuse(new Error('too many calls of the session store are unsettled'))
    let timer: NodeJS.Timeout | undefined
    const tooLate = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`the session store did not answer within ${timeout} ms`)), timeout)
    })
    return await Promise.race([make(call), tooLate]).catch(refuse).finally(() => clearTimeout(timer))
  }

  /** Keeps only the message, because clients of stores attach whole commands, ids included, to their errors. */
  function refuse (error: unknown): never {
    throw createRefusal('STORE_UNAVAILABLE', error instanceof Error ? error.message : 'the session store failed')
  }
}
