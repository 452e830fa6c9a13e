// The contract of session stores, over a file and in memory, with each driver that there is.
import { test } from 'tap'
import { newSession } from '../../../lib/testing/setting.ts'
import { runStoreContract, storeContract } from '../../../lib/testing/index.ts'
import { sqliteStore, type SessionStore } from '../../../lib/index.ts'
import { DRIVERS, newFile, type OpenDatabase } from '../../support/sqlite.ts'

const TOO_MANY = 1_000_000

/** As many pages as there are now, and no more; sign-ins until no room is left in them. */
async function fillUp (database: OpenDatabase, store: SessionStore): Promise<() => void> {
  const { page_count: pages } = Object(database.prepare('PRAGMA page_count').get()) as { page_count: number }
  database.prepare(`PRAGMA max_page_count = ${pages}`).get()
  const now = Date.now()
  for (let i = 0; i < TOO_MANY; i++) {
    try {
      await store.create(newSession('another', now), { now, revocationTtl: 0, elapsed: 0 })
    } catch {
      break
    }
  }
  return () => { database.prepare(`PRAGMA max_page_count = ${TOO_MANY}`).get() }
}

for (const [driver, Database] of DRIVERS) {
  for (const place of ['a file', 'memory']) {
    test(`the SQLite store keeps the contract in ${place}, by ${driver}`, async t => {
      const databases = new WeakMap<SessionStore, OpenDatabase>()
      const createStore = (): SessionStore => {
        const database = new Database(place === 'memory' ? ':memory:' : newFile(t))
        // The contract asks nothing that a power cut could break, and 20,500 revocations wait for the disk 20,500 times.
        const store = sqliteStore(database, { synchronous: 'normal' })
        databases.set(store, database)
        return store
      }
      const cases = storeContract(createStore, { fill: store => fillUp(databases.get(store)!, store) })
      for (const { name, run } of cases) await t.test(name, run)
    })
  }

  test(`the SQLite store leaves out no duty but that of naming sessions, by ${driver}`, async t => {
    const store = (): SessionStore => sqliteStore(new Database(':memory:'), { tablePrefix: 'other_' })
    t.strictSame(await runStoreContract(store), ['newSessionId'])
  })
}
