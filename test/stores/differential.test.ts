// All stores follow one table, in TypeScript or written again in Lua: they give the same answer to every call.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { test } from 'tap'
import { newSession } from '../../lib/testing/setting.ts'
import { memoryStore, redisStore, sqliteStore, type RedisStoreOptions, type SessionRecord, type SessionStore, type UserId } from '../../lib/index.ts'
import { createRandom } from '../../lib/tokens/session-claims.ts'
import { backdate, keysFor } from '../support/redis-record.ts'
import { openPGlite } from '../support/pglite.ts'
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
    const limited = step.limit === undefined ? {} : { limit: step.limit }
    const created = await store.create({ ...sessions[step.session]!, expiresAt: now + 20 * STEP }, { elapsed: step.elapsed, ...limited, ...context })
    return typeof created === 'boolean' ? created : { ...created, ended: [...created.ended].sort() }
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

/** A fresh store, and what makes sessions look older where the store has a clock of its own. */
interface Rival {
  readonly store: SessionStore
  age? (sessionIds: readonly string[]): Promise<unknown>
  close? (): unknown
}

interface Contender {
  readonly name: string
  readonly skip: string | false
  /** @returns a function that makes a fresh store for each game */
  prepare (t: Owner): Promise<() => Rival | Promise<Rival>>
}

function redis (name: string, tag: string, options: RedisStoreOptions): Contender {
  return {
    name,
    skip: withoutRedis,
    async prepare (t) {
      const { client, prefix } = await openRedis(t)
      return () => {
        const place = { ...options, prefix: `${prefix}${randomUUID()}${tag}:` }
        const keys = keysFor(place)
        return {
          store: redisStore(client, place),
          async age (sessionIds) { for (const id of sessionIds) await backdate(client, keys.session(id), STEP) }
        }
      }
    }
  }
}

const CONTENDERS: readonly Contender[] = [
  redis('Redis', '{case}', {}),
  redis('Redis in 4 shards', '', { shards: 4 }),
  {
    name: 'SQLite',
    skip: false,
    async prepare () {
      return () => {
        const database = openDatabase(':memory:')
        return { store: sqliteStore(database), close: () => database.close() }
      }
    }
  },
  {
    name: 'Postgres',
    skip: false,
    async prepare (t) {
      const { createStore, backdate, clear } = await openPGlite(t)
      const store = await createStore()
      return () => ({
        store,
        async age (sessionIds) { for (const id of sessionIds) await backdate(store, id, STEP) },
        close: () => clear(store)
      })
    }
  }
]

for (const { name, skip, prepare } of CONTENDERS) {
  test(`memory and ${name} give the same answer to every call`, { skip }, async t => {
    const open = await prepare(t)
    await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), async steps => {
      const [memory, rival] = [memoryStore(), await open()]
      let now = START
      const nameSession = rival.store.newSessionId ?? createRandom
      const made: string[] = []
      /** No id is used twice, and no two sessions are equally old: a limit may end either of two that are. */
      const rename = (session: SessionRecord): SessionRecord => {
        const id = nameSession(session.userId)
        made.push(id)
        return { ...session, id, createdAt: now + made.length, lastUsedAt: now + made.length }
      }
      const sessions = OWNERS.map(({ userId, ...more }) => rename(newSession(userId, now, more)))
      for (const store of [memory, rival.store]) {
        for (const session of sessions.slice(0, 2)) await store.create({ ...session, expiresAt: now + 20 * STEP }, { now, revocationTtl: REVOCATION_TTL, elapsed: 0 })
      }
      try {
        for (const step of steps) {
          // Time passes on both clocks, so that a span of 0 is over.
          now += STEP
          await rival.age?.(made)
          if (step.call === 'create') sessions[step.session] = rename(sessions[step.session]!)
          assert.deepEqual(await take(rival.store, step, sessions, now), await take(memory, step, sessions, now))
          assert.deepEqual(await look(rival.store, now), await look(memory, now))
        }
      } finally {
        await rival.close?.()
      }
    }), { numRuns: 150 })
  })
}
