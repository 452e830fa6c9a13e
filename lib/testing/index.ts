// A session store → the cases of the contract, for any test runner: `fastify-dual-token/testing`.
import { endingCases } from './ending.ts'
import { feedCases } from './feed.ts'
import { lifetimeCases } from './lifetime.ts'
import { raceCases } from './races.ts'
import { recoveryCases } from './recovery.ts'
import { rotationCases } from './rotation.ts'
import { DUTY_CASES, type OptionalDuty } from './duties.ts'
import { createSetting, type Setting, type StoreContractOptions } from './setting.ts'
import { theftCases } from './theft.ts'
import { unrotatedCases } from './unrotated.ts'
import { userCases } from './users.ts'
import type { SessionStore } from '../sessions/store.ts'

export type { OptionalDuty } from './duties.ts'
export type { StoreContractOptions } from './setting.ts'
export type { SessionStore } from '../sessions/store.ts'

/** One case of the contract. */
export interface ContractCase {
  readonly name: string
  /** The optional duty that the case tests; null for a case that every store must pass. */
  readonly duty: OptionalDuty | null
  /**
   * Rejects with an `AssertionError` of node:assert when the store fails the case.
   *
   * @returns false when the store does not name the duty, so that nothing was tried
   */
  run (): Promise<boolean>
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
  const makeCase = (duty: OptionalDuty | null) => ([name, body]: [string, (setting: Setting) => Promise<void>]): ContractCase => ({
    name,
    duty,
    async run () {
      const store = await createStore()
      try {
        if (duty !== null && !fulfils(store, duty)) return false
        await body(createSetting(store, options))
        return true
      } finally {
        await store.close?.()
      }
    }
  })
  const optional = Object.entries(DUTY_CASES) as Array<[OptionalDuty, typeof DUTY_CASES[OptionalDuty]]>
  return [
    ...CASES.flatMap(cases => Object.entries(cases)).map(makeCase(null)),
    ...optional.flatMap(([duty, cases]) => Object.entries(cases).map(makeCase(duty)))
  ]
}

function fulfils (store: SessionStore, duty: OptionalDuty): boolean {
  if (duty === 'reauthenticate' || duty === 'newSessionId') return store[duty] !== undefined
  return store.duties?.includes(duty) === true
}

/**
 * Runs all cases, one after the other.
 *
 * @returns the optional duties that the store leaves out
 * @throws an `AggregateError` whose message names the cases that failed, and whose `errors` say why
 */
export async function runStoreContract (createStore: CreateStore, options?: StoreContractOptions): Promise<OptionalDuty[]> {
  const lacking = new Set<OptionalDuty>()
  const failures: Array<{ name: string, error: unknown }> = []
  for (const { name, duty, run } of storeContract(createStore, options)) {
    try {
      if (!await run()) lacking.add(duty!)
    } catch (error) {
      failures.push({ name, error })
    }
  }
  if (failures.length === 0) return [...lacking]
  const names = failures.map(({ name }) => `\n- ${name}`).join('')
  throw new AggregateError(failures.map(({ error }) => error), `The store does not keep its contract:${names}`)
}
