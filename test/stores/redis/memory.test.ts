// What a session costs in the server's memory, with its share of the index, of the tables and of the allocator's rounding.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'tap'
import { redisStore } from '../../../lib/index.ts'
import { newSession } from '../../../lib/testing/setting.ts'
import { startRedis, withoutServer } from '../../support/redis.ts'

/** MEMORY_SESSIONS=100000 measures at full size. */
const COUNT = Number(process.env.MEMORY_SESSIONS ?? 20_000)
const AT_ONCE = 200
const MOST = 600
const NOW = Date.now()
const CONTEXT = { now: NOW, revocationTtl: 7_260_000 }
const USER_AGENT = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36'.slice(0, 110).padEnd(110, ' ')

for (const shards of [1, 16]) {
  test(`a session takes at most ${MOST} bytes of Redis, its index included, with ${shards} ${shards === 1 ? 'shard' : 'shards'}`, { skip: withoutServer }, async t => {
    const server = await startRedis(t)
    const client = await server.connect()
    const used = async (): Promise<number> => Number(/used_memory:(\d+)/.exec(await client.info('memory'))![1])
    const store = redisStore(client, { shards })
    const signIn = async (): Promise<{ id: string, userId: string, nonceHash: string }> => {
      const userId = randomUUID()
      const session = newSession(userId, NOW, { id: store.newSessionId!(userId), ip: '198.51.100.200', userAgent: USER_AGENT })
      assert.equal(await store.create(session, { ...CONTEXT, elapsed: 0 }), true)
      return { id: session.id, userId, nonceHash: session.nonceHash }
    }
    const rotate = async ({ id, userId, nonceHash }: Awaited<ReturnType<typeof signIn>>): Promise<void> => {
      const { outcome } = await store.rotate({
        ...CONTEXT,
        now: NOW + 1000,
        sessionId: id,
        userId,
        nonceHash,
        generation: 0,
        rotate: true,
        grace: 0,
        recovery: 0,
        clockTolerance: 0,
        sliding: { lifetime: 2_000_000_000, maxLifetime: 9_000_000_000 },
        jkt: null,
        ip: '198.51.100.201',
        userAgent: USER_AGENT
      })
      assert.equal(outcome, 'rotated')
    }
    await rotate(await signIn())
    const before = await used()
    for (let made = 0; made < COUNT; made += AT_ONCE) {
      const sessions = await Promise.all(Array.from({ length: AT_ONCE }, signIn))
      await Promise.all(sessions.map(rotate))
    }
    const bytes = (await used() - before) / COUNT
    t.comment(`${bytes.toFixed(0)} bytes each, at ${COUNT}`)
    t.ok(bytes <= MOST, `${bytes} bytes each`)
  })
}
