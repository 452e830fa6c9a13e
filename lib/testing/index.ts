// A session store → the cases of the contract, for any test runner: `fastify-dual-token/testing`.
import { endingCases } from './ending.ts'
import { feedCases } from './feed.ts'
import { lifetimeCases } from './lifetime.ts'
import { raceCases } from './races.ts'
import { recoveryCases } from './recovery.ts'
import { rotationCases } from './rotation.ts'
import { createSetting, type Setting, type StoreContractOptions } from './setting.ts'
import { theftCases } from './theft.ts'
import { unrotatedCases } from './unrotated.ts'
import { userCases } from './users.ts'
import type { SessionStore } from '../sessions/store.ts'

export type { StoreContractOptions } from './setting.ts'
export type { SessionStore } from '../sessions/store.ts'

/** One case of the contract. */
export interface ContractCase {
  readonly name: string
  /** Rejects with an `AssertionError` of node:assert when the store does not keep it. */
  run (): Promise<void>
}

/** Makes a store for one case, which calls its `close` at the end. Stores may share a database, because the ids of users and sessions are random. */
export type CreateStore = () => SessionStore | Promise<SessionStore>

const CASES: ReadonlyArray<Readonly<Record<string, (setting: Setting) => Promise<void>>>> = [
  rotationCases, recoveryCases, theftCases, unrotatedCases, lifetimeCases, endingCases, userCases, feedCases, raceCases
]

/**
 * The contract of a session store, case by case. The cases are independent, and none waits for time to pass.
 *
 * @example
 * ```ts
 * for (const { name, run } of storeContract(() => myStore())) test(name, run)
 * ```
 */
export function storeContract (createStore: CreateStore, options: StoreContractOptions = {}): ContractCase[] {
  return CASES.flatMap(cases => Object.entries(cases)).map(([name, body]) => ({
    name,
    async run () {
      const store = await createStore()
      try {
        await body(createSetting(store, options))
      } finally {
        await store.close?.()
      }
    }
  }))
}

/**
 * Runs all cases, one after the other.
 *
 * @throws an `AggregateError` whose message names the cases that failed, and whose `errors` say why
 */
export async function runStoreContract (createStore: CreateStore, options?: StoreContractOptions): Promise<void> {
  const failures: Array<{ name: string, error: unknown }> = []
  for (const { name, run } of storeContract(createStore, options)) {
    try {
      await run()
    } catch (error) {
      failures.push({ name, error })
    }
  }
  if (failures.length === 0) return
  const names = failures.map(({ name }) => `\n- ${name}`).join('')
  throw new AggregateError(failures.map(({ error }) => error), `The store does not keep its contract:${names}`)
}
