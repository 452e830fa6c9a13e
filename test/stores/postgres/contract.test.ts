// The contract over Postgres: in this process always, and on a server where there is one.
import { test } from 'tap'
import { postgresStore, type SessionStore } from '../../../lib/index.ts'
import { storeContract } from '../../../lib/testing/index.ts'
import { backdateIn, newPrefix, openPGlite } from '../../support/pglite.ts'
import { startPostgres, withoutPostgres } from '../../support/postgres.ts'

test('the Postgres store keeps the contract, over PGlite', async t => {
  const { createStore, backdate } = await openPGlite(t)
  for (const { name, duty, run } of storeContract(createStore, { backdate })) {
    await t.test(name, async t => {
      t.equal(await run(), duty !== 'newSessionId', 'all duties are fulfilled but this')
    })
  }
})

test('the Postgres store keeps the contract, over a pool of connections to a server', { skip: withoutPostgres }, async t => {
  const server = await startPostgres(t)
  const pool = server.pool({ max: 20 })
  const prefixes = new WeakMap<SessionStore, string>()
  const createStore = async (): Promise<SessionStore> => {
    const tablePrefix = newPrefix()
    const store = postgresStore(pool, { tablePrefix })
    prefixes.set(store, tablePrefix)
    await store.open!()
    return store
  }
  const backdate = (store: SessionStore, sessionId: string, milliseconds: number): Promise<unknown> =>
    pool.query(backdateIn(prefixes.get(store)!), [sessionId, milliseconds])
  for (const { name, duty, run } of storeContract(createStore, { backdate })) {
    await t.test(name, async t => {
      t.equal(await run(), duty !== 'newSessionId')
    })
  }
})
