import { test } from 'tap'
import { memoryStore, postgresStore, redisStore, sqliteStore } from '../../lib/index.ts'

const client = { query: async () => ({ rows: [] }) }
const redis = { evalsha: async () => null } as unknown as Parameters<typeof redisStore>[0]

test('each store refuses options that are no object, and one that it does not know', async t => {
  const stores: Array<[string, (options: object) => unknown]> = [
    ['memoryStore', options => memoryStore(options)],
    ['sqliteStore', options => sqliteStore(':memory:', options)],
    ['postgresStore', options => postgresStore(client, options)],
    ['redisStore', options => redisStore(redis, options)]
  ]
  for (const [name, make] of stores) {
    for (const wrong of [null, 'shop:', 7]) t.throws(() => make(wrong as never), { name: 'TypeError', message: `The options of ${name} must be an object.` })
    t.throws(() => make({ tableprefix: 'shop_' }), { name: 'TypeError', message: `Option tableprefix of ${name} is not known.` })
    t.doesNotThrow(() => make({}))
  }
})
