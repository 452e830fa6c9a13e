// The two stores are the same table written twice, in TypeScript and in Lua: whatever is asked of both, both answer alike.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { test } from 'tap'
import { newSession } from '../../lib/testing/setting.ts'
import { memoryStore, redisStore, type SessionRecord, type SessionStore, type UserId } from '../../lib/index.ts'
import { backdate, keysFor } from '../support/redis-record.ts'
import { openRedis, withoutRedis } from '../support/redis.ts'

const START = 1_750_000_000_000
const STEP = 3_600_000
/** Longer than any game: Redis forgets revocations by its own clock, which cannot be moved. */
const REVOCATION_TTL = 1000 * STEP
const NEVER = 0
const ALWAYS = Number.MAX_SAFE_INTEGER

/** The owners of the first two sessions, which are there from the beginning. */
const USERS = [7, '7'] as const
const KEY = 'key'

/** Two are there from the beginning; half of all are bound to a key, and every other has what a sign-in may add. */
const OWNERS: ReadonlyArray<Partial<SessionRecord> & { userId: UserId }> = [
  { userId: 7, jkt: KEY, label: 'kitchen', ip: '::1' },
  { userId: '7', lifetime: 5 * STEP },
  { userId: 7 },
  { userId: 7, jkt: KEY, lifetime: 5 * STEP, label: '', ip: null, userAgent: null }
]

const session = fc.nat(OWNERS.length - 1)
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
      userAgent: fc.constantFrom(null, 'one', 'other'),
      jkt: fc.constantFrom(KEY, KEY, null, '', 'another')
    })
  },
  { weight: 3, arbitrary: fc.record({ call: fc.constant('confirm' as const), session, generation }) },
  {
    weight: 1,
    arbitrary: fc.record({
      call: fc.constant('revoke' as const), session, mustExist: fc.boolean(), userId: fc.constantFrom(undefined, ...USERS)
    })
  },
  { weight: 1, arbitrary: fc.record({ call: fc.constant('revokeUser' as const), userId: fc.constantFrom(...USERS), except: fc.option(session, { nil: undefined }) }) },
  { weight: 1, arbitrary: fc.record({ call: fc.constant('reauthenticate' as const), session, userId: fc.constantFrom(...USERS) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      call: fc.constant('create' as const),
      session,
      elapsed: fc.constantFrom(0, 3_600_000),
      limit: fc.option(fc.record({ max: fc.integer({ min: 1, max: 2 }), whenFull: fc.constantFrom('end_oldest' as const, 'refuse' as const) }), { nil: undefined })
    })
  }
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
  if (step.call === 'revokeUser') {
    const spared = step.except === undefined ? {} : { except: sessions[step.except]!.id }
    return [...await store.revokeUser({ userId: step.userId, ...spared, ...context })].sort()
  }
  const { id, userId, nonceHash } = sessions[step.session]!
  if (step.call === 'confirm') return await store.confirm({ sessionId: id, generation: step.generation, ...context })
  if (step.call === 'reauthenticate') return await store.reauthenticate!({ sessionId: id, userId: step.userId, ...context })
  if (step.call === 'create') {
    const alive = (await store.list({ userId, ...context })).some(session => session.id === id)
    const revoked = (await store.revokedSince(null, context)).sessionIds.includes(id)
    const limited = step.limit === undefined ? {} : { limit: step.limit }
    return alive || revoked || await store.create({ ...sessions[step.session]!, expiresAt: now + 20 * STEP }, { elapsed: step.elapsed, ...limited, ...context })
  }
  if (step.call === 'revoke') {
    const owner = step.userId === undefined ? {} : { userId: step.userId }
    return await store.revoke({ sessionId: id, mustExist: step.mustExist, ...owner, ...context })
  }
  const { goodNonce, goodUser, generation, grace, recovery, rotate, sliding, userAgent, jkt } = step
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
    jkt,
    ip: null,
    userAgent,
    ...context
  })
  // Both are an end: a store may have forgotten what it was that ended.
  const outcome = rotation.outcome === 'unknown' ? 'revoked' : rotation.outcome
  return { ...rotation, outcome, sinceRotation: rotation.sinceRotation !== null }
}

for (const [name, tag, options] of [['Redis', '{case}', {}], ['Redis in 4 shards', '', { shards: 4 }]] as const) {
  test(`memory and ${name} answer alike, whatever is asked`, { skip: withoutRedis }, async t => {
    const { client, prefix } = await openRedis(t)

    await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), async steps => {
      const place = { ...options, prefix: `${prefix}${randomUUID()}${tag}:` }
      const keys = keysFor(place)
      const redis = redisStore(client, place)
      const memory = memoryStore()
      let now = START
      const sessions = OWNERS.map(({ userId, ...more }) => newSession(userId, now, { id: redis.newSessionId!(userId), ...more }))
      for (const store of [memory, redis]) {
        for (const session of sessions.slice(0, 2)) await store.create({ ...session, expiresAt: now + 20 * STEP }, { now, revocationTtl: REVOCATION_TTL, elapsed: 0 })
      }
      for (const step of steps) {
        // Time goes by on both clocks, so that a span of 0 is over.
        now += STEP
        for (const { id } of sessions) await backdate(client, keys.session(id), STEP)
        assert.deepEqual(await take(redis, step, sessions, now), await take(memory, step, sessions, now))
        assert.deepEqual(await look(redis, now), await look(memory, now))
      }
    }), { numRuns: 150 })
  })
}
