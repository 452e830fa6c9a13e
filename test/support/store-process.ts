// Processes of their own with a Postgres store → their answers to the calls that a test sends them.
import { once } from 'node:events'
import type { SessionStore } from '../../lib/index.ts'
import type { Owner } from './redis.ts'
import { forkFile } from './server-process.ts'

type Method = Exclude<{ [Name in keyof SessionStore]-?: NonNullable<SessionStore[Name]> extends (...values: infer _) => unknown ? Name : never }[keyof SessionStore], 'subscribe'>

/** A call of a store: the method and what it is given. */
export type StoreCall = { [Name in Method]: [Name, ...Parameters<NonNullable<SessionStore[Name]>>] }[Method]

export interface StoreProcess {
  /** Makes calls at once; what each resolves to, or the message that it rejects with. */
  call<T> (...calls: StoreCall[]): Promise<T[]>
}

/** Starts one; it ends with the test. */
export async function startStoreProcess (t: Owner, databaseUrl: string, poolMax = 5): Promise<StoreProcess> {
  const child = forkFile(t, new URL('store-server.ts', import.meta.url).pathname, { DATABASE_URL: databaseUrl, POOL_MAX: String(poolMax) })
  await once(child, 'message')
  return {
    async call<T> (...calls: StoreCall[]) {
      const answered = once(child, 'message')
      child.send(calls)
      const [results] = await answered
      return results as T[]
    }
  }
}
