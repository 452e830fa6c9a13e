// All stores follow one table, in TypeScript or written again in Lua: whatever is asked of them, they answer alike.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { test } from 'tap'
import { newSession } from '../../lib/testing/setting.ts'
import { memoryStore, redisStore, sqliteStore, type SessionRecord, type SessionStore } from '../../lib/index.ts'
import { openRedis, withoutRedis, type Owner } from '../support/redis.ts'
import { openDatabase } from '../support/sqlite.ts'

const START = 1_750_000_000_000
const STEP = 3_600_000
/** Longer than any game: Redis forgets revocations by its own clock, which cannot be moved. */
const REVOCATION_TTL = 1000 * STEP
const NEVER = 0
const ALWAYS = Number.MAX_SAFE_INTEGER

/** The owners of the first two sessions, which are there from the beginning. */
const USERS = [7, '7'] as const

const session = fc.nat(2)
const generation = fc.oneof({ weight: 4, arbitrary: fc.nat(5) }, { weight: 1, arbitrary: fc.constant(2 ** 31) })
const span = fc.constantFrom(NEVER, ALWAYS)

const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      call: fc.constant('rotate' as const),
      session,
      generation,
      grace: span,
      recovery: span,
      rotate: fc.oneof({ weight: 7, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
      goodNonce: fc.oneof({ weight: 20, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
      goodUser: fc.oneof({ weight: 20, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
      sliding: fc.constantFrom(null, { lifetime: 10 * STEP, maxLifetime: 30 * STEP }),
      userAgent: fc.constantFrom(null, 'one', 'other')
    })
  },
  { weight: 3, arbitrary: fc.record({ call: fc.constant('confirm' as const), session, generation }) },
  {
    weight: 1,
    arbitrary: fc.record({
      call: fc.constant('revoke' as const), session, mustExist: fc.boolean(), userId: fc.constantFrom(undefined, ...USERS)
    })
  },
  { weight: 1, arbitrary: fc.record({ call: fc.constant('revokeUser' as const), userId: fc.constantFrom(...USERS) }) },
  { weight: 1, arbitrary: fc.record({ call: fc.constant('create' as const), session, elapsed: fc.constantFrom(0, 3_600_000) }) }
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

/** What can be told of a store from outside, but for its own clock. */
async function look (store: SessionStore, now: number): Promise<unknown> {
  const lists = await Promise.all(USERS.map(userId => store.list({ userId, now, revocationTtl: REVOCATION_TTL })))
  const records = lists.map(list => list
    .map(({ rotatedAt, displacedAt, ...rest }) => ({ ...rest, rotated: rotatedAt > 0, recovered: rotatedAt > displacedAt }))
    .sort((a, b) => a.id < b.id ? -1 : 1))
  const { sessionIds } = await store.revokedSince(null, { now, revocationTtl: REVOCATION_TTL })
  return { records, revoked: [...sessionIds].sort() }
}

async function take (store: SessionStore, step: Step, sessions: SessionRecord[], now: number): Promise<unknown> {
  const context = { now, revocationTtl: REVOCATION_TTL }
  if (step.call === 'revokeUser') return [...await store.revokeUser({ userId: step.userId, ...context })].sort()
  const { id, userId, nonceHash } = sessions[step.session]!
  if (step.call === 'confirm') return await store.confirm({ sessionId: id, generation: step.generation, ...context })
  if (step.call === 'create') {
    const alive = (await store.list({ userId, ...context })).some(session => session.id === id)
    const revoked = (await store.revokedSince(null, context)).sessionIds.includes(id)
    return alive || revoked || await store.create({ ...sessions[step.session]!, expiresAt: now + 20 * STEP }, { elapsed: step.elapsed, ...context })
  }
  if (step.call === 'revoke') {
    const owner = step.userId === undefined ? {} : { userId: step.userId }
    return await store.revoke({ sessionId: id, mustExist: step.mustExist, ...owner, ...context })
  }
  const { goodNonce, goodUser, generation, grace, recovery, rotate, sliding, userAgent } = step
  const rotation = await store.rotate({
    sessionId: id,
    userId: goodUser ? userId : USERS.find(other => other !== userId)!,
    nonceHash: goodNonce ? nonceHash : 'another',
    generation,
    grace,
    recovery,
    rotate,
    sliding,
    clockTolerance: 0,
    jkt: null,
    ip: null,
    userAgent,
    ...context
  })
  // Both are an end: a store may have forgotten what it was that ended.
  const outcome = rotation.outcome === 'unknown' ? 'revoked' : rotation.outcome
  return { ...rotation, outcome, sinceRotation: rotation.sinceRotation !== null }
}

/** A fresh store, and what makes sessions look older where the store has a clock of its own. */
interface Rival {
  readonly store: SessionStore
  age? (sessionIds: readonly string[]): Promise<unknown>
  close? (): unknown
}

interface Contender {
  readonly name: string
  readonly skip: string | false
  /** @returns what makes a fresh store for each game */
  prepare (t: Owner): Promise<() => Rival | Promise<Rival>>
}

const CONTENDERS: readonly Contender[] = [
  {
    name: 'Redis',
    skip: withoutRedis,
    async prepare (t) {
      const { client, prefix } = await openRedis(t)
      return () => {
        const place = `${prefix}${randomUUID()}{case}:`
        return {
          store: redisStore(client, { prefix: place }),
          async age (sessionIds) {
            for (const id of sessionIds) {
              const key = `${place}session:${id}`
              for (const field of ['rotatedAt', 'displacedAt']) if (Number(await client.hget(key, field)) > 0) await client.hincrby(key, field, -STEP)
            }
          }
        }
      }
    }
  },
  {
    name: 'SQLite',
    skip: false,
    async prepare () {
      return () => {
        const database = openDatabase(':memory:')
        return { store: sqliteStore(database), close: () => database.close() }
      }
    }
  }
]

for (const { name, skip, prepare } of CONTENDERS) {
  test(`memory and ${name} answer alike, whatever is asked`, { skip }, async t => {
    const open = await prepare(t)
    await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), async steps => {
      const [memory, rival] = [memoryStore(), await open()]
      let now = START
      const sessions = [newSession(7, now), newSession('7', now), newSession(7, now)]
      for (const store of [memory, rival.store]) {
        for (const session of sessions.slice(0, 2)) await store.create({ ...session, expiresAt: now + 20 * STEP }, { now, revocationTtl: REVOCATION_TTL, elapsed: 0 })
      }
      for (const step of steps) {
        // Time goes by on both clocks, so that a span of 0 is over.
        now += STEP
        await rival.age?.(sessions.map(({ id }) => id))
        assert.deepEqual(await take(rival.store, step, sessions, now), await take(memory, step, sessions, now))
        assert.deepEqual(await look(rival.store, now), await look(memory, now))
      }
      await rival.close?.()
    }), { numRuns: 150 })
  })
}
