import { createHash } from 'node:crypto'
import type { Redis } from 'ioredis'
import { test, type Test } from 'tap'
import { newSession } from '../../../lib/testing/setting.ts'
import { redisStore, type RedisClient, type RotationAttempt, type SessionRecord, type SessionStore, type UserId } from '../../../lib/index.ts'
import { tagsOf } from '../../../lib/stores/redis/slots.ts'
import { createRandom, hashNonce } from '../../../lib/tokens/session-claims.ts'
import { backdate, keysFor, setGeneration } from '../../support/redis-record.ts'
import { commandsDuring, dumpOf, eventOf, keysOf, openRedis, type RedisServer, startRedis, withoutRedis, withoutServer } from '../../support/redis.ts'

const NOW = 1_750_000_000_000
const REVOCATION_TTL = 7_260_000
const CONTEXT = { now: NOW, revocationTtl: REVOCATION_TTL }

function sessionOf (store: SessionStore, userId: UserId, more: Partial<SessionRecord> = {}): SessionRecord {
  return newSession(userId, NOW, { id: store.newSessionId!(userId), ...more })
}

async function create (store: SessionStore, userId: UserId = 'a', more: Partial<SessionRecord> = {}): Promise<SessionRecord> {
  const session = sessionOf(store, userId, more)
  await store.create(session, { ...CONTEXT, elapsed: 0 })
  return session
}

function attempt ({ id, userId, nonceHash }: SessionRecord, generation = 0): RotationAttempt {
  return {
    ...CONTEXT, sessionId: id, userId, generation, nonceHash, rotate: true, grace: 10_000, recovery: 86_400_000, sliding: null, clockTolerance: 0, jkt: null, ip: '::1', userAgent: null
  }
}

function revoke (store: SessionStore, sessionId: string): Promise<boolean> {
  return store.revoke({ sessionId, mustExist: false, ...CONTEXT })
}

/** One call of every method; each is told a session of its own. */
async function callAll (store: SessionStore): Promise<void> {
  const [rotated, reused, revoked] = [await create(store), await create(store, 7), await create(store, '{odd} ')]
  await store.rotate(attempt(rotated))
  await store.confirm({ sessionId: rotated.id, generation: 1, ...CONTEXT })
  await store.rotate({ ...attempt(reused), nonceHash: '' })
  await store.revoke({ sessionId: revoked.id, userId: '{odd} ', mustExist: true, ...CONTEXT })
  await store.list({ userId: 'a', ...CONTEXT })
  await store.revokedSince(null, CONTEXT)
  await store.revokeUser({ userId: 8, ...CONTEXT })
}

/** What each method makes of a server that is out of order. */
function allCalls (store: SessionStore, session: SessionRecord): Array<[string, () => Promise<unknown>]> {
  return [
    ['create', () => store.create(sessionOf(store, 'b'), { ...CONTEXT, elapsed: 0 })],
    ['rotate', () => store.rotate(attempt(session))],
    ['confirm', () => store.confirm({ sessionId: session.id, generation: 0, ...CONTEXT })],
    ['revoke', () => store.revoke({ sessionId: session.id, userId: session.userId, mustExist: false, ...CONTEXT })],
    ['revokeUser', () => store.revokeUser({ userId: session.userId, ...CONTEXT })],
    ['list', () => store.list({ userId: session.userId, ...CONTEXT })],
    ['revokedSince', () => store.revokedSince(null, CONTEXT)]
  ]
}

async function readFeed (store: SessionStore): Promise<{ ids: string[], pages: number, cursor: string }> {
  const ids: string[] = []
  let cursor: string | null = null
  for (let pages = 1; ; pages++) {
    const page = await store.revokedSince(cursor, CONTEXT)
    ids.push(...page.sessionIds)
    cursor = page.cursor
    if (!page.more) return { ids, pages, cursor }
  }
}

/** Resolves when a client has seen that its server is gone. */
async function stopAndSee (server: RedisServer, ...clients: Redis[]): Promise<void> {
  const seen = clients.map(client => eventOf(client, 'close'))
  await server.stop()
  await Promise.all(seen)
}

async function slotOf (client: Redis, key: string): Promise<number> {
  return await client.call('CLUSTER', 'KEYSLOT', key) as number
}

test('every key begins with the prefix and expires, and none outlives its purpose', { skip: withoutRedis }, async t => {
  const { client, prefix } = await openRedis(t)
  const store = redisStore(client, { prefix })
  const session = await create(store)
  await callAll(store)
  const keys = await keysOf(client, `*${prefix}*`)
  t.ok(keys.includes(keysFor({ prefix }).session(session.id)))
  for (const key of keys) {
    t.ok(key.startsWith(prefix), key)
    const life = await client.pttl(key)
    t.ok(life > 0 && life <= session.expiresAt - NOW + REVOCATION_TTL, `${key} lives ${life} ms`)
  }
  const kinds = new Set(keys.map(key => key.replace(prefix, '').replace(/^{\w+}:/, '').replace(/:.*/s, '')))
  t.strictSame([...kinds].sort(), ['epoch', 'm', 'revoked', 's', 'u'])
})

test('the mark of revokeUser lives a minute', { skip: withoutRedis }, async t => {
  const { client, prefix } = await openRedis(t)
  await redisStore(client, { prefix }).revokeUser({ userId: 'a', ...CONTEXT })
  const life = await client.pttl(keysFor({ prefix }).mark('a'))
  t.ok(life > 50_000 && life <= 60_000, String(life))
})

test('a sliding session keeps its keys as long as it lives', { skip: withoutRedis }, async t => {
  const { client, prefix } = await openRedis(t)
  const store = redisStore(client, { prefix })
  const session = await create(store, 'a', { expiresAt: NOW + 10_000 })
  await store.rotate({ ...attempt(session), sliding: { lifetime: 1_000_000_000, maxLifetime: 2_000_000_000 } })
  for (const key of [keysFor({ prefix }).session(session.id), keysFor({ prefix }).index('a')]) {
    const life = await client.pttl(key)
    t.ok(life > 999_000_000 && life <= 1_000_000_000 + REVOCATION_TTL, `${key} lives ${life} ms`)
  }
})

test('only the ids of ended sessions remain, in the feed', { skip: withoutRedis }, async t => {
  const { client, prefix } = await openRedis(t)
  const store = redisStore(client, { prefix })
  const sessions = [await create(store), await create(store), await create(store)]
  await store.revoke({ sessionId: sessions[0]!.id, userId: 'a', mustExist: true, ...CONTEXT })
  await store.rotate({ ...attempt(sessions[1]!), nonceHash: '' })
  await revoke(store, sessions[2]!.id)
  t.strictSame(await store.list({ userId: 'a', ...CONTEXT }), [])
  await readFeed(store)
  const keys = await keysOf(client, `${prefix}*`)
  t.strictSame(keys.sort(), [keysFor({ prefix }).epoch, keysFor({ prefix }).feed].sort())
})

test('all keys are in one slot, under the default prefix and under one with a hash tag of its own', { skip: withoutServer }, async t => {
  const server = await startRedis(t, ['--cluster-enabled', 'yes'])
  const client = await server.connect()
  await client.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
  while (!(await client.call('CLUSTER', 'INFO') as string).includes('cluster_state:ok')) await client.ping()
  const [one] = tagsOf(1)
  for (const [prefix, tag] of [[undefined, one], ['app:', one], ['{app}:', 'app'], ['a{b}c{d}:', 'b'], ['}{x:', `x:{${one}`]] as const) {
    await client.flushall()
    await callAll(redisStore(client, prefix === undefined ? {} : { prefix }))
    const keys = await keysOf(client)
    t.ok(keys.length >= 5)
    for (const key of keys) t.equal(await slotOf(client, key), await slotOf(client, `{${tag}}`), key)
  }
})

test('a prefix with an empty hash tag would spread the keys over a Cluster, and is refused', { skip: withoutRedis }, async t => {
  const { client } = await openRedis(t)
  for (const prefix of ['{}', 'a{}:', '{}{app}:']) {
    t.throws(() => redisStore(client, { prefix }), { name: 'TypeError', message: 'prefix must not have an empty hash tag.' })
  }
})

test('redisStore refuses anything but a client of ioredis, iovalkey or node-redis at once, and any prefix but a string', { skip: withoutRedis }, async t => {
  for (const client of [undefined, null, 'redis://localhost', { evalsha: true }]) {
    t.throws(() => redisStore(client as unknown as RedisClient), { name: 'TypeError', message: 'client must be a client of ioredis, iovalkey or node-redis.' })
  }
  const { client } = await openRedis(t)
  t.throws(() => redisStore(client, { prefix: null as unknown as string }), { name: 'TypeError', message: 'prefix must be a string.' })
})

test("a client's own key prefix is kept, and so is the push", { skip: withoutRedis }, async t => {
  const { client, connect, prefix } = await openRedis(t)
  const prefixed = await connect({ keyPrefix: prefix })
  const store = redisStore(prefixed)
  const session = await create(store)
  t.equal(await client.exists(prefix + keysFor().session(session.id)), 1)

  const heard = new Set<string>()
  const unsubscribe = store.subscribe!(ids => { for (const id of ids) heard.add(id) })
  while (heard.size === 0) await revoke(store, createRandom())
  unsubscribe()
  await callAll(store)
  t.strictSame((await keysOf(client, 'dual-token:*')), [])
})

test('the store accepts a client that returns numbers as strings', { skip: withoutRedis }, async t => {
  const { connect, prefix } = await openRedis(t)
  const store = redisStore(await connect({ stringNumbers: true }), { prefix })
  const session = sessionOf(store, 'a')
  t.equal(await store.create(session, { ...CONTEXT, elapsed: 0 }), true)
  t.equal(await revoke(store, session.id), true)
})

test('a command queued in a transaction of the application does not count as executed', { skip: withoutRedis }, async t => {
  const { client, prefix } = await openRedis(t)
  const store = redisStore(client, { prefix })
  const session = await create(store)
  await client.multi({ pipeline: false })
  for (const [name, call] of allCalls(store, session)) await t.rejects(call(), { message: /transaction/ }, name)
  await client.discard()
  t.equal((await store.rotate(attempt(session))).outcome, 'rotated')
})

test('the store loads the scripts again when the server has lost them', { skip: withoutServer }, async t => {
  const server = await startRedis(t)
  const client = await server.connect()
  const store = redisStore(client)
  const session = await create(store)
  for (const [name, call] of allCalls(store, session)) {
    await client.script('FLUSH')
    await t.resolves(call(), name)
  }
})

test('a call is one round trip to the server', { skip: withoutServer }, async t => {
  const server = await startRedis(t)
  const client = await server.connect()
  const store = redisStore(client)
  const sessions = [await create(store), await create(store)]
  await callAll(store)
  const calls: Array<[string, () => Promise<unknown>]> = allCalls(store, sessions[0]!).filter(([name]) => !['list', 'revokeUser'].includes(name))
  const sent = await commandsDuring(server, async () => { for (const [, call] of calls) await call() })
  t.strictSame(sent.map(({ command }) => command), calls.map(() => 'evalsha'))
})

test('sign-ins of one user at a limit take two round trips each, however many come at once', { skip: withoutServer }, async t => {
  const server = await startRedis(t)
  const store = redisStore(await server.connect())
  const creation = { ...CONTEXT, elapsed: 0, limit: { max: 3, whenFull: 'end_oldest' as const } }
  for (let i = 0; i < 3; i++) await create(store)
  const sent = await commandsDuring(server, async () => {
    await Promise.all(Array.from({ length: 150 }, async () => await store.create(sessionOf(store, 'a'), creation)))
  })
  t.equal(sent.filter(({ command }) => command === 'evalsha').length, 300)
  t.equal((await store.list({ userId: 'a', ...CONTEXT })).length, 3)
})

test('one step ends a session, whether its user is known or not; another step removes it from the index of its user', { skip: withoutServer }, async t => {
  const server = await startRedis(t)
  const client = await server.connect()
  const store = redisStore(client)
  await callAll(store)
  const [revoked, displaced, reused] = [await create(store), await create(store), await create(store)]
  await setGeneration(client, keysFor().session(displaced.id), 2)
  const index = keysFor().index('a')
  await revoke(store, (await create(store)).id)
  for (const [{ id }, end] of [
    [revoked, () => revoke(store, revoked.id)],
    [displaced, () => store.confirm({ sessionId: displaced.id, generation: 1, ...CONTEXT })],
    [reused, () => store.rotate({ ...attempt(reused), userId: 'b' })]
  ] as const) {
    t.type(await client.zscore(index, id), 'string')
    const sent = await commandsDuring(server, end)
    t.strictSame(sent.map(({ command }) => command), ['evalsha', 'evalsha'])
    t.equal(await client.zscore(index, id), null)
  }
})

test('no command waits for a client that is not connected: each call rejects at once', { skip: withoutServer }, async t => {
  const server = await startRedis(t)
  const client = await server.connect({ retryStrategy: () => 60_000 })
  const store = redisStore(client)
  const session = await create(store)
  await stopAndSee(server, client)
  for (const [name, call] of allCalls(store, session)) {
    await t.rejects(call(), { message: /^the Redis client is not ready: (close|reconnecting)$/ }, name)
  }
  const { offlineQueue, commandQueue } = client as unknown as Record<'offlineQueue' | 'commandQueue', { length: number }>
  t.equal(offlineQueue.length, 0)
  t.equal(commandQueue.length, 0)
})

test('a client that was never connected is connected by the first call', { skip: withoutRedis }, async t => {
  const { connect, prefix } = await openRedis(t)
  const client = await connect({ lazyConnect: true })
  t.equal(client.status, 'wait')
  const store = redisStore(client, { prefix })
  const ready = eventOf(client, 'ready')
  await t.rejects(readFeed(store), { message: 'the Redis client is not ready: connecting' })
  await ready
  await t.resolves(callAll(store))
})

test('without a server, calls reject on a client that was never connected, and nothing else happens', { skip: withoutServer }, async t => {
  const server = await startRedis(t)
  const client = await server.connect({ lazyConnect: true, retryStrategy: () => 60_000 })
  await server.stop()
  const closed = eventOf(client, 'close')
  await t.rejects(redisStore(client).revokedSince(null, CONTEXT), { message: /^the Redis client is not ready/ })
  await closed
  await t.rejects(redisStore(client).revokedSince(null, CONTEXT), { message: /^the Redis client is not ready/ })
})

test('a full server stores nothing new, leaves nothing half done, and still serves the feed', { skip: withoutServer }, async t => {
  const server = await startRedis(t, ['--maxmemory-policy', 'noeviction'])
  const client = await server.connect()
  const store = redisStore(client)
  const session = await create(store)
  const other = await create(store, 'c')
  await store.rotate(attempt(other))
  await revoke(store, 'gone')
  await store.revokedSince(null, CONTEXT)
  const before = await dumpOf(client)

  await client.config('SET', 'maxmemory', '1')
  for (const [name, call] of allCalls(store, session).filter(([name]) => ['create', 'rotate', 'confirm'].includes(name))) {
    await t.rejects(call(), { message: /OOM/ }, name)
  }
  t.equal(await dumpOf(client), before)
  t.strictSame((await readFeed(store)).ids, ['gone'])
  t.match(await store.rotate(attempt(other)), { outcome: 'repeated' })
  t.strictSame(await store.list({ userId: 'a', ...CONTEXT }), [session])

  await client.config('SET', 'maxmemory', '0')
  t.match(await store.rotate(attempt(session)), { outcome: 'rotated' }, 'the same token works when there is room')
})

test('a full server ends sessions all the same, in every way, and begins a new epoch', { skip: withoutServer }, async t => {
  const server = await startRedis(t, ['--maxmemory-policy', 'noeviction'])
  const client = await server.connect()
  const store = redisStore(client)
  const [revoked, reused, displaced, ofUser] = [await create(store), await create(store), await create(store), await create(store, 'b')]
  await setGeneration(client, keysFor().session(displaced.id), 2)

  await client.config('SET', 'maxmemory', '1')
  await t.rejects(create(store), { message: /OOM/ }, 'it is full')
  t.equal(await revoke(store, revoked.id), true)
  t.match(await store.rotate({ ...attempt(reused), nonceHash: '' }), { outcome: 'reused' })
  t.equal(await store.confirm({ sessionId: displaced.id, generation: 1, ...CONTEXT }), 'reused')
  t.strictSame(await store.revokeUser({ userId: 'b', ...CONTEXT }), [ofUser.id])
  const ended = [revoked, reused, displaced, ofUser]
  for (const session of ended) t.match(await store.rotate(attempt(session)), { outcome: 'revoked' })
  t.strictSame((await readFeed(store)).ids.sort(), ended.map(({ id }) => id).sort())

  await client.del(keysFor().epoch)
  t.equal((await store.revokedSince(null, CONTEXT)).age < 1000, true)
})

test('an ended session leaves nothing in the index of its user, however it ended', { skip: withoutRedis }, async t => {
  const { client, prefix } = await openRedis(t)
  const store = redisStore(client, { prefix })
  for (let i = 0; i < 50; i++) {
    const [revoked, displaced, reused] = [await create(store), await create(store), await create(store)]
    await setGeneration(client, keysFor({ prefix }).session(displaced.id), 2)
    t.equal(await revoke(store, revoked.id), true)
    t.equal(await store.confirm({ sessionId: displaced.id, generation: 1, ...CONTEXT }), 'reused')
    t.match(await store.rotate({ ...attempt(reused), userId: 'b' }), { outcome: 'reused' })
  }
  t.equal(await client.exists(keysFor({ prefix }).index('a')), 0)
})

test('on a server that became a replica, writing calls reject and leave nothing half done', { skip: withoutServer }, async t => {
  const primary = await startRedis(t)
  await primary.stop()
  const server = await startRedis(t)
  const client = await server.connect()
  const store = redisStore(client)
  const session = await create(store)
  await revoke(store, 'gone')
  const before = await dumpOf(client)

  await client.call('REPLICAOF', '127.0.0.1', String(primary.port))
  for (const [name, call] of allCalls(store, session).filter(([name]) => name !== 'list')) {
    await t.rejects(call(), { message: /READONLY/ }, name)
  }
  await client.call('REPLICAOF', 'NO', 'ONE')
  t.equal(await dumpOf(client), before)
  t.match(await store.rotate(attempt(session)), { outcome: 'rotated' }, 'the same token works when it is a primary again')
})

test('the feed is read page by page, even when more revocations share a millisecond than fit on a page', { skip: withoutRedis }, async t => {
  const { client, prefix } = await openRedis(t)
  const store = redisStore(client, { prefix })
  const [seconds, micros] = await client.time()
  const clock = Number(seconds) * 1000 + Math.floor(Number(micros) / 1000)
  const groups: Array<[number, number]> = [[clock - 5000, 14_000], [clock - 4000, 46_000], [clock - 3000, 1], [clock - 2000, 24_000]]
  const ids: string[] = []
  for (const [score, count] of groups) {
    const group = Array.from({ length: count }, createRandom)
    ids.push(...group)
    for (let i = 0; i < count; i += 1000) await client.zadd(keysFor({ prefix }).feed, ...group.slice(i, i + 1000).flatMap(id => [score, id]))
  }
  const { ids: read, pages, cursor } = await readFeed(store)
  t.equal(read.length, ids.length, 'each is told once')
  t.strictSame(new Set(read), new Set(ids))
  t.equal(pages, Math.ceil(ids.length / 20_000))
  t.ok(Number(cursor) >= clock, 'the cursor is the moment at which the reading began')
})

test('revocations that are forgotten between two pages hide no others', { skip: withoutRedis }, async t => {
  const { client, prefix } = await openRedis(t)
  const store = redisStore(client, { prefix })
  const { feed } = keysFor({ prefix })
  const [seconds] = await client.time()
  const clock = Number(seconds) * 1000
  const old = Array.from({ length: 20_000 }, createRandom)
  const young = Array.from({ length: 100 }, createRandom)
  for (let i = 0; i < old.length; i += 1000) await client.zadd(feed, ...old.slice(i, i + 1000).flatMap(id => [clock - 10_000, id]))
  await client.zadd(feed, ...young.flatMap(id => [clock, id]))
  const first = await store.revokedSince(null, CONTEXT)
  t.equal(first.more, true)
  await client.zremrangebyscore(feed, '-inf', clock - 10_000)
  const second = await store.revokedSince(first.cursor, CONTEXT)
  t.strictSame(new Set(second.sessionIds), new Set(young))
})

test('many revocations are forgotten over many reads, none of which blocks the server', { skip: withoutRedis }, async t => {
  const { client, prefix } = await openRedis(t)
  const store = redisStore(client, { prefix })
  const { feed } = keysFor({ prefix })
  await revoke(store, 'young')
  const [seconds] = await client.time()
  const old = (Number(seconds) - 3600) * 1000 - REVOCATION_TTL
  for (let i = 0; i < 45_000; i += 1000) await client.zadd(feed, ...Array.from({ length: 1000 }, (_, j) => [old, `old-${i + j}`]).flat())
  const counts: number[] = []
  for (let i = 0; i < 6; i++) {
    await store.revokedSince(null, CONTEXT)
    counts.push(await client.zcount(feed, '-inf', '(+inf'))
  }
  t.strictSame(counts, [35_001, 25_001, 15_001, 5001, 1, 1])
})

test('revocations are forgotten when no access token can be alive', { skip: withoutRedis }, async t => {
  const { client, prefix } = await openRedis(t)
  const store = redisStore(client, { prefix })
  const { feed } = keysFor({ prefix })
  const [seconds] = await client.time()
  const clock = Number(seconds) * 1000
  await client.zadd(feed, clock - REVOCATION_TTL - 1000, 'old', clock - REVOCATION_TTL + 60_000, 'young')
  t.strictSame((await readFeed(store)).ids, ['young'])
  t.strictSame(await client.zrangebyscore(feed, '-inf', '(+inf'), ['young'])
})

test('a process with a shorter access lifetime forgets nothing that other processes need', { skip: withoutRedis }, async t => {
  const { client, prefix } = await openRedis(t)
  const store = redisStore(client, { prefix })
  const shorter = { now: NOW, revocationTtl: 61_000 }
  const { feed } = keysFor({ prefix })
  await store.revokedSince(null, CONTEXT)
  const [seconds] = await client.time()
  await client.zadd(feed, Number(seconds) * 1000 - 120_000, 'old')
  await store.revoke({ sessionId: createRandom(), mustExist: false, ...shorter })
  t.equal((await store.revokedSince(null, shorter)).sessionIds.includes('old'), true)
  t.match(await client.zscore(feed, 'old'), /./)
  t.ok(await client.pttl(feed) > 61_000)

  await client.hset(keysFor({ prefix }).epoch, 'keepUntil', Number(seconds) * 1000 - 1)
  t.strictSame((await store.revokedSince(null, shorter)).sessionIds.includes('old'), false, 'when no token of the longer lifetime can be alive')
})

test('each read begins a minute before its cursor', { skip: withoutRedis }, async t => {
  const { client, prefix } = await openRedis(t)
  const store = redisStore(client, { prefix })
  const { cursor } = await readFeed(store)
  await client.zadd(keysFor({ prefix }).feed, Number(cursor) - 60_000, 'late', Number(cursor) - 60_001, 'too late')
  t.strictSame((await store.revokedSince(cursor, CONTEXT)).sessionIds, ['late'])
})

test('the epoch changes when the memory is flushed, and the feed remembers from then on', { skip: withoutServer }, async t => {
  const server = await startRedis(t)
  const client = await server.connect()
  const store = redisStore(client)
  const before = await store.revokedSince(null, CONTEXT)
  await client.hincrby(keysFor().epoch, 'since', -100_000)
  t.ok((await store.revokedSince(null, CONTEXT)).age >= 100_000)
  await client.flushall()
  const after = await store.revokedSince(before.cursor, CONTEXT)
  t.not(after.epoch, before.epoch)
  t.ok(after.age < 100_000)
})

test('the epoch changes when the server starts again, with its data or without', { skip: withoutServer }, async t => {
  for (const settings of [[], ['--appendonly', 'yes', '--appendfsync', 'always']]) {
    const server = await startRedis(t, settings)
    const client = await server.connect({ retryStrategy: () => 10 })
    const store = redisStore(client)
    const session = await create(store)
    await revoke(store, 'gone')
    const before = await store.revokedSince(null, CONTEXT)
    await stopAndSee(server, client)
    const ready = eventOf(client, 'ready')
    await server.restart()
    await ready
    const after = await store.revokedSince(before.cursor, CONTEXT)
    t.not(after.epoch, before.epoch)
    const kept = settings.length > 0
    t.strictSame(after.sessionIds, kept ? ['gone'] : [])
    t.match(await store.rotate(attempt(session)), { outcome: kept ? 'rotated' : 'unknown' })
  }
})

test('pushes arrive again after a lost connection', { skip: withoutServer }, async t => {
  const server = await startRedis(t)
  const client = await server.connect({ retryStrategy: () => 10 })
  const store = redisStore(client)
  const heard = new Set<string>()
  const unsubscribe = store.subscribe!(ids => { for (const id of ids) heard.add(id) })
  while (heard.size === 0) await revoke(store, createRandom())
  const ready = eventOf(client, 'ready')
  await stopAndSee(server, client)
  await server.restart()
  await ready
  heard.clear()
  while (heard.size === 0) await revoke(store, createRandom())
  unsubscribe()
  t.pass('heard')
})

test('a server that dies while the store is idle causes no error, with a subscription or without', { skip: withoutServer }, async t => {
  const rejections: unknown[] = []
  const note = (error: unknown): void => { rejections.push(error) }
  process.on('unhandledRejection', note)
  t.teardown(() => process.removeListener('unhandledRejection', note))
  const server = await startRedis(t)
  const client = await server.connect({ retryStrategy: () => 60_000 })
  const store = redisStore(client)
  const heard = new Set<string>()
  const unsubscribe = store.subscribe!(ids => { for (const id of ids) heard.add(id) })
  while (heard.size === 0) await revoke(store, createRandom())
  await stopAndSee(server, client)
  unsubscribe()
  await new Promise(resolve => setImmediate(resolve))
  t.strictSame(rejections, [])
})

test('a subscription that ends before it is connected causes no error', { skip: withoutRedis }, async t => {
  const { client, connect, prefix } = await openRedis(t)
  for (const owner of [client, await connect({ lazyConnect: true })]) redisStore(owner, { prefix }).subscribe!(() => {})()
  t.equal(await client.ping(), 'PONG')
})

test("the application's client is never closed", { skip: withoutRedis }, async t => {
  const { client, prefix } = await openRedis(t)
  const store = redisStore(client, { prefix })
  store.subscribe!(() => {})()
  await store.close?.()
  t.equal(client.status, 'ready')
  t.equal(await client.ping(), 'PONG')
})

test('what is kept holds no nonce, token or user id, so it makes no token and names no user', { skip: withoutServer }, async t => {
  const server = await startRedis(t)
  const client = await server.connect()
  const store = redisStore(client)
  const nonce = createRandom()
  const userId = 'ada@example.org'
  const session = await create(store, userId, { nonceHash: hashNonce(nonce) })
  await store.rotate(attempt(session))
  await revoke(store, (await create(store, userId)).id)
  await store.revokeUser({ userId, except: session.id, ...CONTEXT })
  const kept = await dumpOf(client)
  t.ok(kept.includes(session.id))
  t.ok(kept.includes(createHash('sha256').update(nonce).digest().toString('latin1')))
  t.notOk(kept.includes(nonce))
  t.notOk(kept.includes('ada'))
  t.notMatch(kept, /eyJ/)
})

test('a rotation that the server executes too late, after the same token was used on another connection, does no harm', { skip: withoutRedis }, async t => {
  const { client, prefix } = await openRedis(t)
  const store = redisStore(client, { prefix })
  const session = await create(store)
  await store.rotate({ ...attempt(session), now: NOW + 1500 })
  await store.confirm({ sessionId: session.id, generation: 1, ...CONTEXT })
  await backdate(client, keysFor({ prefix }).session(session.id), 60_000)
  t.match(await store.rotate({ ...attempt(session), now: NOW }), { outcome: 'late' })
  t.match(await store.rotate({ ...attempt(session, 1), now: NOW + 60_000 }), { outcome: 'rotated', generation: 2 })
  t.match(await store.rotate({ ...attempt(session), now: NOW + 60_000 }), { outcome: 'reused' })
})

test('a process reads what another process wrote', { skip: withoutRedis }, async (t: Test) => {
  const { client, connect, prefix } = await openRedis(t)
  const [here, there] = [redisStore(client, { prefix }), redisStore(await connect(), { prefix })]
  const session = await create(here)
  t.strictSame(await there.list({ userId: 'a', ...CONTEXT }), [session])
  t.match(await there.rotate(attempt(session)), { outcome: 'rotated' })
  t.match(await here.rotate(attempt(session)), { outcome: 'repeated', generation: 1 })
  await there.revokeUser({ userId: 'a', ...CONTEXT })
  t.match(await here.rotate(attempt(session)), { outcome: 'revoked' })
  t.strictSame((await readFeed(here)).ids, [session.id])
})
