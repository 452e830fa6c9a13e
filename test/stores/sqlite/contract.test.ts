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
  test(`the SQLite store keeps the contract in a file, by ${driver}`, async t => {
    const database = new Database(newFile(t))
    t.teardown(() => database.close())
    let cases = 0
    // Tables of its own for each case. Nothing is asked that a power cut could break, and 20,500 revocations would wait for the disk one by one.
    const createStore = (): SessionStore => sqliteStore(database, { synchronous: 'normal', tablePrefix: `case_${++cases}_` })
    for (const { name, run } of storeContract(createStore, { fill: store => fillUp(database, store) })) await t.test(name, run)
  })

  test(`the SQLite store keeps the contract in memory, by ${driver}, and leaves out no duty but that of naming sessions`, async t => {
    t.strictSame(await runStoreContract(() => sqliteStore(new Database(':memory:'))), ['newSessionId'])
  })
}
