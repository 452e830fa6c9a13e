// A real Cluster of three masters: what it spreads, what the loss of a master costs, and what moves while it is used.
import { test } from 'tap'
import { newSession } from '../../../lib/testing/setting.ts'
import { redisStore, type RedisClient, type RotationAttempt, type SessionRecord, type SessionStore } from '../../../lib/index.ts'
import { createPlaces } from '../../../lib/stores/redis/places.ts'
import { slotOf, tagsOf } from '../../../lib/stores/redis/slots.ts'
import { createRandom } from '../../../lib/tokens/session-claims.ts'
import { startCluster, until, withoutCluster, type ClusterNode } from '../../support/redis-cluster.ts'

const NOW = Date.now()
const CONTEXT = { now: NOW, revocationTtl: 7_260_000 }
const AT_ONCE = 200
const SHARDS = 16

async function create (store: SessionStore): Promise<SessionRecord> {
  const userId = createRandom()
  const session = newSession(userId, NOW, { id: store.newSessionId!(userId) })
  if (await store.create(session, { ...CONTEXT, elapsed: 0 }) !== true) throw new Error('not created')
  return session
}

async function createMany (store: SessionStore, count: number): Promise<SessionRecord[]> {
  const sessions: SessionRecord[] = []
  while (sessions.length < count) sessions.push(...await Promise.all(Array.from({ length: AT_ONCE }, () => create(store))))
  return sessions
}

function attempt ({ id, userId, nonceHash }: SessionRecord, generation: number): RotationAttempt {
  return {
    ...CONTEXT,
    sessionId: id,
    userId,
    generation,
    nonceHash,
    rotate: true,
    grace: 0,
    recovery: 86_400_000,
    sliding: null,
    clockTolerance: 0,
    jkt: null,
    ip: '::1',
    userAgent: 'cluster'
  }
}

async function inTurns<T> (items: readonly T[], step: (item: T) => Promise<unknown>): Promise<void> {
  for (let i = 0; i < items.length; i += AT_ONCE) await Promise.all(items.slice(i, i + AT_ONCE).map(step))
}

/** The slot of a session. */
function slotOfSession (id: string): number {
  const key = createPlaces({ shards: SHARDS }, true).ofSession(id).session(id)
  return slotOf(/\{(.+)\}/.exec(key)![1]!)
}

async function scriptCalls ({ client }: ClusterNode): Promise<number> {
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(await client.info('commandstats'))?.[1] ?? 0)
}

/** A client that comes back until it is answered. */
async function patiently<T> (call: () => Promise<T>): Promise<T> {
  let reply: T | undefined
  await until(async () => {
    reply = await call().catch(() => undefined)
    return reply !== undefined
  })
  return reply!
}

test('a Cluster of three masters', { skip: withoutCluster }, async t => {
  const cluster = await startCluster(t)
  const clients: Array<[string, RedisClient]> = [['ioredis', await cluster.connectIoredis()], ['node-redis', await cluster.connectNodeRedis()]]

  for (const [name, client] of clients) {
    await t.test(`with ${name}, the rotations of 10,000 sessions spread over the nodes within a fifth`, async t => {
      const store = redisStore(client)
      await store.open!()
      const sessions = await createMany(store, 10_000)
      for (const node of cluster.nodes) await node.client.config('RESETSTAT')
      const outcomes = new Set<string>()
      await inTurns(sessions, async session => outcomes.add((await store.rotate(attempt(session, 0))).outcome))
      t.strictSame(outcomes, new Set(['rotated']))
      const calls = await Promise.all(cluster.nodes.map(scriptCalls))
      t.comment(`rotations on each node: ${calls.join(', ')}`)
      for (const count of calls) t.ok(Math.abs(count / (10_000 / 3) - 1) <= 0.2, String(count))
    })

    await t.test(`with ${name}, a revocation in any shard is pushed, and the feed reports it`, async t => {
      const store = redisStore(client)
      const heard = new Set<string>()
      const unsubscribe = store.subscribe!(ids => { for (const id of ids) heard.add(id) })
      await until(async () => {
        await store.revoke({ sessionId: createRandom(), mustExist: false, ...CONTEXT })
        return heard.size > 0
      })
      const ids = new Set(Array.from('ABCDEFGHIJKLMNOP', digit => digit + createRandom().slice(1)))
      for (const sessionId of ids) await store.revoke({ sessionId, mustExist: false, ...CONTEXT })
      await until(async () => [...ids].every(id => heard.has(id)))
      unsubscribe()
      const { sessionIds } = await store.revokedSince(null, CONTEXT)
      t.ok([...ids].every(id => sessionIds.includes(id)))
    })
  }

  await t.test('a boot with another number of shards fails', async t => {
    for (const [, client] of clients) {
      await t.rejects(redisStore(client, { shards: 8 }).open!(), { code: 'FST_DUAL_TOKEN_OPTION_INVALID', message: /must be 16/ })
    }
  })

  for (const [name, client] of clients) {
    await t.test(`with ${name}, a slot that moves to another node while 1,000 sessions are rotated loses none`, async t => {
      for (const node of cluster.nodes) await node.client.flushall()
      const store = redisStore(client)
      const sessions = await createMany(store, 1000)
      const slot = slotOf(tagsOf(SHARDS)[3]!)
      const moving = sessions.filter(({ id }) => slotOfSession(id) === slot)
      t.ok(moving.length > 20, `${moving.length} sessions move`)
      const from = await cluster.masterOf(slot)
      const to = cluster.nodes.find(node => node !== from)!

      let failed = 0
      let isMoved = false
      const generations = new Map<string, number>()
      const outcomes: string[] = []
      const rotate = async (session: SessionRecord): Promise<void> => {
        const generation = generations.get(session.id) ?? 0
        const rotation = await patiently(() => store.rotate(attempt(session, generation)).catch(error => {
          failed++
          throw error
        }))
        if ('generation' in rotation) generations.set(session.id, rotation.generation)
        outcomes.push(rotation.outcome)
      }
      // Those that move come again and again.
      const rotations = Promise.all([
        inTurns(sessions.filter(session => !moving.includes(session)), rotate),
        ...moving.map(session => until(async () => await rotate(session).then(() => isMoved)))
      ])
      await to.client.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', from.id)
      await from.client.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', to.id)
      for (;;) {
        const keys = await from.client.call('CLUSTER', 'GETKEYSINSLOT', slot, 5) as string[]
        if (keys.length === 0) break
        await patiently(() => from.client.call('MIGRATE', '127.0.0.1', to.server.port, '', 0, 5000, 'REPLACE', 'KEYS', ...keys))
      }
      for (const node of [to, from, ...cluster.nodes]) await node.client.call('CLUSTER', 'SETSLOT', slot, 'NODE', to.id)
      isMoved = true
      await rotations
      t.comment(`${outcomes.length} rotations; ${moving.length} sessions moved; ${failed} calls were refused meanwhile, and made again`)
      t.ok(outcomes.length >= 1000)
      // Within one millisecond, there is a grace even here.
      t.strictSame(outcomes.filter(outcome => outcome !== 'rotated' && outcome !== 'repeated'), [])
      t.ok(await cluster.masterOf(slot) === to)
    })
  }
})

test('when a master of a Cluster is killed, only writes that its replica had not received are lost', { skip: withoutCluster }, async t => {
  const cluster = await startCluster(t, 1)
  const clients: Array<[string, RedisClient]> = [['ioredis', await cluster.connectIoredis()], ['node-redis', await cluster.connectNodeRedis()]]
  const store = redisStore(clients[0]![1])
  const sessions = await createMany(store, 1000)
  const generations = new Map<string, number>()
  await inTurns(sessions, async session => {
    await store.rotate(attempt(session, 0))
    generations.set(session.id, 1)
  })
  const before = await store.revokedSince(null, CONTEXT)

  const lostSlot = slotOf(tagsOf(SHARDS)[0]!)
  const master = await cluster.masterOf(lostSlot)
  const isThere = async (id: string): Promise<boolean> => await cluster.masterOf(slotOfSession(id)) === master
  const masters = new Map(await Promise.all(sessions.map(async ({ id }) => [id, await isThere(id)] as const)))
  const there = sessions.filter(({ id }) => masters.get(id))
  const elsewhere = sessions.filter(({ id }) => !masters.get(id))
  const list = await master.client.call('CLUSTER', 'REPLICAS', master.id) as string[]
  const replica = cluster.nodes.find(({ id }) => list[0]!.startsWith(id))!
  await until(async () => await master.client.wait(1, 100) === 1)

  // The replica is cut off: what comes now, it never hears of.
  replica.server.process.kill('SIGSTOP')
  await master.client.call('CLIENT', 'KILL', 'TYPE', 'replica')
  const unheard: SessionRecord[] = []
  while (unheard.length < 20) {
    const session = await create(store)
    if (await isThere(session.id)) unheard.push(session)
    else elsewhere.push(session)
    generations.set(session.id, 0)
  }
  for (const session of there.slice(0, 20)) {
    t.equal((await store.rotate(attempt(session, 1))).outcome, 'rotated')
    generations.set(session.id, 2)
  }
  const [signedOut] = there.slice(-1)
  t.equal(await store.revoke({ sessionId: signedOut!.id, mustExist: true, ...CONTEXT }), true)
  await master.server.stop('SIGKILL')
  replica.server.process.kill('SIGCONT')
  await until(async () => await cluster.masterOf(lostSlot) === replica)
  await cluster.isServed()

  for (const [i, [name, client]] of clients.entries()) {
    await t.test(`with ${name}`, async t => {
      const store = redisStore(client)
      const present = async (session: SessionRecord): Promise<string> => {
        const { outcome } = await patiently(() => store.rotate(attempt(session, generations.get(session.id)! + i)))
        return outcome
      }
      const lost: string[] = []
      for (const session of [...elsewhere, ...there]) {
        const outcome = await present(session)
        if (outcome !== 'rotated') lost.push(`${session.id} ${outcome}`)
      }
      t.strictSame(lost, [], 'nobody is logged out, of those whose rotation was lost either')
      const outcomes = await Promise.all(unheard.map(present))
      t.comment(`${outcomes.filter(outcome => outcome === 'unknown').length} sign-ins, 20 rotations and 1 sign-out were unheard of`)
      t.strictSame(outcomes, unheard.map(() => 'unknown'), 'those who signed in unheard of have to sign in again')
      const after = await patiently(() => store.revokedSince(null, CONTEXT))
      t.not(after.epoch, before.epoch, 'every process is to tell again which sessions have ended')
      t.notOk(after.sessionIds.includes(signedOut!.id))
    })
  }
})
