// A call of the store → its answer in time, or STORE_UNAVAILABLE. Every call of the store goes this way, and is published on a diagnostics channel.
import diagnostics from 'node:diagnostics_channel'
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

/** A call of the session store, as a message on the diagnostics channel `fastify-dual-token:store`. */
export interface StoreCallEvent {
  /** The method of the store. */
  readonly method: string
  /** `timeout`: it took longer than `storeTimeout`. `refused`: it was not made, because too many were unsettled. */
  readonly outcome: 'ok' | 'failed' | 'timeout' | 'refused'
  /** How long it took. */
  readonly milliseconds: number
}

const channel = diagnostics.channel('fastify-dual-token:store')

class TooLate extends Error {}
class TooMany extends Error {}

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

  async function settle<T> (call: (store: SessionStore) => Promise<T>, kind: keyof typeof MOST): Promise<T> {
    const among = kind === 'reading' ? reads : others
    if (among.unsettled >= MOST[kind]) throw new TooMany('too many calls of the session store are unsettled')
    let timer: NodeJS.Timeout | undefined
    const tooLate = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new TooLate(`the session store did not answer within ${timeout} ms`)), timeout)
    })
    return await Promise.race([make(call, among), tooLate]).finally(() => clearTimeout(timer))
  }

  /** Only for a channel with a subscriber: names the method, and measures the call. */
  async function settleSeen<T> (call: (store: SessionStore) => Promise<T>, kind: keyof typeof MOST): Promise<T> {
    const startedAt = performance.now()
    let method = ''

    function tell (outcome: StoreCallEvent['outcome']): void {
      const event: StoreCallEvent = { method, outcome, milliseconds: performance.now() - startedAt }
      channel.publish(Object.freeze(event))
    }

    try {
      const answer = await settle(given => call(naming(given, name => { method = name })), kind)
      tell('ok')
      return answer
    } catch (error) {
      if (error instanceof TooMany) method = nameOf(call)
      tell(error instanceof TooLate ? 'timeout' : error instanceof TooMany ? 'refused' : 'failed')
      throw error
    }
  }

  return async function callStore (call, kind = 'ordinary') {
    return await (channel.hasSubscribers ? settleSeen(call, kind) : settle(call, kind)).catch(refuse)
  }

  /** Keeps only the message, because clients of stores attach whole commands, ids included, to their errors. */
  function refuse (error: unknown): never {
    throw createRefusal('STORE_UNAVAILABLE', error instanceof Error ? error.message : 'the session store failed')
  }
}

/** The store, reporting the name of each method that is called. */
function naming (store: SessionStore, say: (name: string) => void): SessionStore {
  return stand(name => {
    const own: unknown = Reflect.get(store, name)
    if (typeof own !== 'function') return own
    // Called on the store itself, which may have private members.
    return (...values: unknown[]) => {
      say(String(name))
      return Reflect.apply(own, store, values)
    }
  })
}

/** The method that a call would have called. */
function nameOf (call: (store: SessionStore) => Promise<unknown>): string {
  let method = ''
  call(stand(name => {
    method = String(name)
    return async () => {}
  })).catch(() => {})
  return method
}

/** Stands for a store. It is not a proxy of the store itself, because a proxy of a frozen object must not change its members. */
function stand (memberOf: (name: string | symbol) => unknown): SessionStore {
  return new Proxy({} as SessionStore, { get: (_target, name) => memberOf(name) })
}
