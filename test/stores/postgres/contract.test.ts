// The contract over Postgres: in this process always, and on a server where there is one.
import { test } from 'tap'
import { storeContract } from '../../../lib/testing/index.ts'
import { openPGlite } from '../../support/pglite.ts'

test('the Postgres store keeps the contract, over PGlite', async t => {
  const { createStore, backdate } = await openPGlite(t)
  for (const { name, duty, run } of storeContract(createStore, { backdate })) {
    await t.test(name, async t => {
      t.equal(await run(), duty !== 'newSessionId', 'all duties are fulfilled but this')
    })
  }
})
