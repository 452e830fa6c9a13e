// A call of the store → its answer in time, or STORE_UNAVAILABLE: the one way to it.
import type { CreateRefusal } from '../errors.ts'
import type { SessionStore } from './store.ts'

/** Makes a call; rejects with `FST_DUAL_TOKEN_STORE_UNAVAILABLE` when it fails or takes too long. It may still be carried out. */
export type Ask = <T>(call: (store: SessionStore) => Promise<T>) => Promise<T>

/** @param timeout milliseconds */
export function createAsk (store: SessionStore, timeout: number, createRefusal: CreateRefusal): Ask {
  return async function ask (call) {
    let timer: NodeJS.Timeout | undefined
    const tooLate = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`the session store did not answer within ${timeout} ms`)), timeout)
    })
    const answer = async () => await call(store)
    return await Promise.race([answer(), tooLate]).catch(refuse).finally(() => clearTimeout(timer))
  }

  /** Only the message: clients of stores hang whole commands, ids included, on their errors. */
  function refuse (error: unknown): never {
    throw createRefusal('STORE_UNAVAILABLE', error instanceof Error ? error.message : 'the session store failed')
  }
}
