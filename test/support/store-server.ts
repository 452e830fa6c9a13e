// A process of its own with a Postgres store, that makes the calls it is sent, all at once, and sends back what they resolve to.
import pg from 'pg'
import { postgresStore, type SessionStore } from '../../lib/index.ts'

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: Number(process.env.POOL_MAX ?? 5) })
const store = postgresStore(pool) as Required<SessionStore>
await store.open()

type Call = [method: string, ...values: unknown[]]

async function make ([method, ...values]: Call): Promise<unknown> {
  const call = store[method as keyof SessionStore] as (...values: unknown[]) => Promise<unknown>
  return await call.apply(store, values).catch(error => `${error.code ?? ''} ${error.message}`)
}

process.on('message', async (calls: Call[]) => process.send!(await Promise.all(calls.map(make))))
process.on('disconnect', () => process.exit())
process.send!('ready')
