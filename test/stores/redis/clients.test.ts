// The clients of each library: what each makes of a server that is not there, and how each listens.
import { readFileSync } from 'node:fs'
import { createClient, createClientPool } from 'redis'
import { test, type Test } from 'tap'
import { redisStore, type NodeRedisClient, type RedisClient, type SessionStore } from '../../../lib/index.ts'
import { runStoreContract } from '../../../lib/testing/index.ts'
import { newSession } from '../../../lib/testing/setting.ts'
import { createRandom } from '../../../lib/tokens/session-claims.ts'
import { createSessionApp, createToldStore, outcomeOf } from '../../support/session-app.ts'
import { openRedis, startRedis, withoutRedis, withoutServer } from '../../support/redis.ts'
import { backdate, keysFor } from '../../support/redis-record.ts'
import { until } from '../../support/redis-cluster.ts'

const NOW = 1_750_000_000_000
const CONTEXT = { now: NOW, revocationTtl: 7_260_000 }

/** Ends sessions until one is heard of. */
async function hearsOne (store: SessionStore, heard: Set<string>): Promise<void> {
  heard.clear()
  await until(async () => {
    await store.revoke({ sessionId: createRandom(), mustExist: false, ...CONTEXT }).catch(() => {})
    return heard.size > 0
  })
}

function makeClients (t: Test, url: string): Array<[string, NodeRedisClient & { connect (): Promise<unknown> }]> {
  const socket = { reconnectStrategy: 20 } as const
  const [single, pool] = [createClient({ url, socket }), createClientPool({ url, socket }, { acquireTimeout: 200 })]
  for (const client of [single, pool]) client.on('error', () => {})
  t.teardown(() => { for (const client of [single, pool]) if (client.isOpen) client.destroy() })
  return [['a client', single], ['a pool', pool]]
}

test('with node-redis, no command waits for a connection, and a push is heard again when there is one', { skip: withoutServer }, async t => {
  const server = await startRedis(t)
  for (const [name, client] of makeClients(t, server.url)) {
    await t.test(name, async t => {
      const store = redisStore(client)
      await t.rejects(store.open!(), { message: 'the Redis client is not ready: closed' })
      await client.connect()
      await store.open!()
      const session = newSession('a', NOW, { id: store.newSessionId!('a') })
      await store.create(session, { ...CONTEXT, elapsed: 0 })
      t.strictSame(await store.list({ userId: 'a', ...CONTEXT }), [session])

      const heard = new Set<string>()
      const unsubscribe = store.subscribe!(ids => { for (const id of ids) heard.add(id) })
      await hearsOne(store, heard)
      await server.stop()
      await until(async () => await store.revokedSince(null, CONTEXT).then(() => false, error => error.message === 'the Redis client is not ready: connecting'))
      await server.restart()
      await hearsOne(store, heard)
      t.strictSame(await store.list({ userId: 'a', ...CONTEXT }), [], 'no command of then was carried out now')
      unsubscribe()
    })
  }
})

test('with node-redis, a subscription that cannot be made is tried again, and one that has ended is not', { skip: withoutServer }, async t => {
  const server = await startRedis(t)
  const client = createClient({ url: server.url })
  await client.connect()
  t.teardown(() => client.destroy())
  let tries = 0
  const { duplicate } = client
  const store = redisStore(Object.assign(client, {
    duplicate: () => {
      if (++tries === 1) throw new Error('not now')
      return duplicate.call(client)
    }
  }))
  const heard = new Set<string>()
  const end = store.subscribe!(ids => { for (const id of ids) heard.add(id) })
  await hearsOne(store, heard)
  t.equal(tries, 2)
  end()
  store.subscribe!(() => {})()
  await until(async () => tries === 3 && (await client.clientList()).length === 1)
})

test('with node-redis, a connection that gives up is opened again, until it succeeds', { skip: withoutServer }, async t => {
  const server = await startRedis(t)
  const admin = redisStore(await server.connect({ retryStrategy: () => 20 }))
  const client = createClient({ url: server.url, socket: { reconnectStrategy: false } })
  client.on('error', () => {})
  await server.stop()
  const heard = new Set<string>()
  const unsubscribe = redisStore(client).subscribe!(ids => { for (const id of ids) heard.add(id) })
  await t.rejects(client.connect())
  await server.restart()
  await hearsOne(admin, heard)
  unsubscribe()
  t.pass('heard')
})

test('a command that waits in a transaction of node-redis does not count as executed', { skip: withoutRedis }, async t => {
  const { client: admin, prefix } = await openRedis(t)
  const client = createClient({ url: `redis://${admin.options.host}:${admin.options.port}` })
  await client.connect()
  t.teardown(() => client.destroy())
  await client.sendCommand(['MULTI'])
  await t.rejects(redisStore(client, { prefix }).list({ userId: 7, ...CONTEXT }), { message: /transaction/ })
})

test('the number of shards is kept, and a boot with another one fails, also after the memory was lost', { skip: withoutServer }, async t => {
  const server = await startRedis(t)
  const client = await server.connect()
  const store = redisStore(client, { shards: 4 })
  await store.open!()
  await store.revokedSince(null, CONTEXT)
  const refusal = {
    code: 'FST_DUAL_TOKEN_OPTION_INVALID',
    message: 'Option shards of redisStore must be 4, as the sessions in Redis are kept: 1 would end all of them. Use another prefix to begin anew.'
  }
  await t.rejects(redisStore(client).open!(), refusal)
  await t.resolves(redisStore(client, { prefix: 'other:' }).open!())
  await client.flushall()
  await store.revokedSince(null, CONTEXT)
  await t.rejects(redisStore(client).open!(), refusal)
  const life = await client.pttl('dual-token:shards')
  t.ok(life > 399 * 86_400_000 && life <= 400 * 86_400_000)
  await client.config('SET', 'maxmemory', '1')
  await t.resolves(redisStore(client, { prefix: 'new:' }).open!(), 'a full server is no reason not to boot')
})

test('an application with shards signs in, refreshes, lists and signs out, with any client', { skip: withoutServer }, async t => {
  const server = await startRedis(t)
  const [[, single]] = makeClients(t, server.url) as [[string, NodeRedisClient & { connect (): Promise<unknown> }]]
  await single.connect()
  const clients: RedisClient[] = [await server.connect(), single]
  for (const client of clients) {
    const { app, signIn, renew, me } = await createSessionApp(t, { told: createToldStore(redisStore(client, { shards: 4 }), false), sessions: { storeTimeout: 5 } })
    const first = await signIn()
    t.equal(outcomeOf(await renew(first.refresh_token)), '201')
    t.equal((await app.dualToken.listSessions(7)).length, 1)
    await app.dualToken.revokeUser(7)
    t.equal(await me(first.token), 'ACCESS_REVOKED')
    t.equal(outcomeOf(await renew(first.refresh_token)), 'REFRESH_REVOKED')
  }
})

test('a session whose id is of another shard is refused', { skip: withoutRedis }, async t => {
  const { client, prefix } = await openRedis(t)
  const store = redisStore(client, { prefix, shards: 2 })
  const id = store.newSessionId!('a')
  const other = (id.charAt(0) === 'A' ? 'B' : 'A') + id.slice(1)
  await t.rejects(store.create(newSession('a', NOW, { id: other }), { ...CONTEXT, elapsed: 0 }), { message: 'the id of the session is not of newSessionId' })
})

test('the id of an ended session may stay in the index for a while: the next list removes it', { skip: withoutServer }, async t => {
  const server = await startRedis(t)
  const client = await server.connect()
  const store = redisStore(client)
  const session = newSession('a', NOW, { id: store.newSessionId!('a') })
  await store.create(session, { ...CONTEXT, elapsed: 0 })
  await client.call('ACL', 'SETUSER', 'default', '-zrem')
  t.equal(await store.revoke({ sessionId: session.id, mustExist: true, ...CONTEXT }), true)
  await client.call('ACL', 'SETUSER', 'default', '+zrem')
  t.equal(await client.zcard(keysFor().index('a')), 1)
  t.strictSame(await store.list({ userId: 'a', ...CONTEXT }), [])
  t.equal(await client.zcard(keysFor().index('a')), 0)
})

test('a sign-in that other sign-ins of its user overtake again and again is given up', { skip: withoutRedis }, async t => {
  const { client, prefix } = await openRedis(t)
  let calls = 0
  const overtaken = Object.assign(Object.create(client) as typeof client, {
    evalsha: async () => {
      calls++
      return ['name', createRandom()]
    }
  })
  const store = redisStore(overtaken, { prefix })
  const session = newSession('a', NOW, { id: store.newSessionId!('a') })
  await t.rejects(store.create(session, { ...CONTEXT, elapsed: 0, limit: { max: 1, whenFull: 'refuse' } }), { message: 'too many sign-ins of one user at once' })
  t.equal(calls, 100)
})

test('the permissions that docs/stores.md names are enough', { skip: withoutServer }, async t => {
  const server = await startRedis(t)
  const admin = await server.connect()
  const [, block] = /```\nACL SETUSER ([^`]+)```/.exec(readFileSync(new URL('../../../docs/stores.md', import.meta.url), 'utf8'))!
  const words = block!.trim().split(/\s+/)
  await admin.call('ACL', 'SETUSER', ...words)
  for (const client of [
    await server.connect({ username: words[0]!, password: 'secret' }),
    createClient({ url: server.url, username: words[0]!, password: 'secret' })
  ]) {
    if ('isReady' in client) {
      await client.connect()
      t.teardown(() => client.destroy())
    }
    const store = redisStore(client)
    await store.open!()
    const heard = new Set<string>()
    const unsubscribe = store.subscribe!(ids => { for (const id of ids) heard.add(id) })
    await hearsOne(store, heard)
    unsubscribe()
  }
  const store = redisStore(await server.connect({ username: words[0]!, password: 'secret' }))
  const lacking = await runStoreContract(() => store, {
    backdate: async (_store, id, milliseconds) => await backdate(admin, keysFor().session(id), milliseconds)
  })
  t.strictSame(lacking, [])
})
