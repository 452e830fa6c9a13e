// The contract of stores, over each client and each number of shards that a single server can hold.
import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { Redis as Valkey } from 'iovalkey'
import { createClient, createClientPool } from 'redis'
import { test, type Test } from 'tap'
import { redisStore, type RedisClient, type SessionStore } from '../../../lib/index.ts'
import { storeContract } from '../../../lib/testing/index.ts'
import { eventOf, openRedis, startRedis, withoutRedis, withoutServer } from '../../support/redis.ts'
import { backdate, keysFor } from '../../support/redis-record.ts'

type Connect = (t: Test, url: string) => Promise<RedisClient>

const CLIENTS: Array<[string, Connect, { shards?: number }]> = [
  ['an ioredis client', connectIoredis, {}],
  ['4 shards', connectIoredis, { shards: 4 }],
  ['an iovalkey client', connectValkey, {}],
  ['a node-redis client', connectNodeRedis, { shards: 3 }],
  ['a pool of node-redis clients', connectPool, {}]
]

async function connectIoredis (t: Test, url: string): Promise<RedisClient> {
  const client = new Redis(url)
  t.teardown(() => client.disconnect())
  await eventOf(client, 'ready')
  return client
}

async function connectValkey (t: Test, url: string): Promise<RedisClient> {
  const client = new Valkey(url)
  t.teardown(() => client.disconnect())
  await new Promise<void>(resolve => client.once('ready', () => resolve()))
  return client
}

async function connectNodeRedis (t: Test, url: string): Promise<RedisClient> {
  const client = createClient({ url })
  t.teardown(() => client.destroy())
  await client.connect()
  return client
}

async function connectPool (t: Test, url: string): Promise<RedisClient> {
  const pool = createClientPool({ url }, { acquireTimeout: 0 })
  t.teardown(() => pool.destroy())
  await pool.connect()
  return pool
}

for (const [name, connect, options] of CLIENTS) {
  test(`the Redis store keeps the contract, all of it, with ${name}`, { skip: withoutRedis }, async t => {
    // One of its own where there can be: it is filled up.
    const own = withoutServer === false ? await startRedis(t) : null
    const { client: admin, prefix } = own === null ? await openRedis(t) : { client: await own.connect(), prefix: 'test-' }
    const client = await connect(t, own?.url ?? process.env.REDIS_URL!)
    const places = new WeakMap<SessionStore, ReturnType<typeof keysFor>>()
    const createStore = () => {
      const place = { ...options, prefix: `${prefix}${randomUUID()}:` }
      const store = redisStore(client, place)
      places.set(store, keysFor(place))
      return store
    }
    const cases = storeContract(createStore, {
      ...(own !== null && {
        async fill () {
          await admin.config('SET', 'maxmemory', '1')
          return async () => await admin.config('SET', 'maxmemory', '0')
        }
      }),
      backdate: async (store, sessionId, milliseconds) => await backdate(admin, places.get(store)!.session(sessionId), milliseconds)
    })
    for (const { name, run } of cases) await t.test(name, async t => { t.equal(await run(), true, 'it was tried') })
  })
}
