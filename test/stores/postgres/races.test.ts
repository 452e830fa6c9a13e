// What one plain statement gets wrong under concurrency, at each isolation level, from processes of their own. RACE_FACTOR plays more.
import { test, type Test } from 'tap'
import { newSession } from '../../../lib/testing/setting.ts'
import { createRandom } from '../../../lib/tokens/session-claims.ts'
import type { LimitReached, Rotation, SessionRecord } from '../../../lib/index.ts'
import { startPostgres, withoutPostgres } from '../../support/postgres.ts'
import { startStoreProcess, type StoreCall, type StoreProcess } from '../../support/store-process.ts'
import { backdateIn } from '../../support/pglite.ts'

const FACTOR = Number(process.env.RACE_FACTOR ?? 1)
const HOUR = 3_600_000
const PREFIX = 'dual_token_'

/** Sessions that are not bound, and sessions that are. */
const KEYS = [null, 'the thumbprint of a key']

function context () {
  return { now: Date.now(), revocationTtl: 2 * HOUR }
}

function signIn (userId: string, elapsed = 0): StoreCall {
  return ['create', newSession(userId, Date.now()), { ...context(), elapsed }]
}

function rotate ({ id, userId, nonceHash, jkt }: SessionRecord, generation: number): StoreCall {
  return ['rotate', {
    ...context(),
    sessionId: id,
    userId,
    generation,
    nonceHash,
    rotate: true,
    grace: HOUR,
    recovery: 24 * HOUR,
    clockTolerance: 0,
    sliding: null,
    jkt,
    ip: null,
    userAgent: null
  }]
}

async function startProcesses (t: Test, url: string): Promise<StoreProcess[]> {
  return await Promise.all(Array.from({ length: 4 }, () => startStoreProcess(t, url)))
}

/** Deals calls to all processes at once; the answers. */
async function deal<T> (processes: StoreProcess[], calls: StoreCall[]): Promise<T[]> {
  const answers = await Promise.all(processes.map((process, place) => process.call<T>(...calls.filter((_, i) => i % processes.length === place))))
  return answers.flat()
}

test('four processes at each isolation level', { skip: withoutPostgres }, async t => {
  const server = await startPostgres(t)
  for (const level of ['read committed', 'repeatable read', 'serializable']) {
    await t.test(level, async t => {
      const name = level.replace(' ', '_')
      const url = await server.createDatabase(name, { default_transaction_isolation: level })
      const processes = await startProcesses(t, url)
      const [first, second, third, fourth] = processes as [StoreProcess, StoreProcess, StoreProcess, StoreProcess]
      const admin = server.pool({ connectionString: url })

      await t.test('50 sign-ins at once with a limit of 3 leave 3', async t => {
        for (let round = 0; round < 4 * FACTOR; round++) {
          const userId = createRandom()
          const limit = { max: 3, whenFull: round % 2 === 0 ? 'end_oldest' : 'refuse' } as const
          const calls = Array.from({ length: 50 }, (): StoreCall => {
            const now = Date.now()
            return ['create', newSession(userId, now), { ...context(), elapsed: 0, limit }]
          })
          const answers = await deal<boolean | LimitReached | string>(processes, calls)
          t.same(answers.filter(answer => typeof answer === 'string'), [], 'none fails')
          const { rows } = await admin.query(`SELECT count(*)::int AS left FROM ${PREFIX}sessions WHERE user_id = $1`, [JSON.stringify(userId)])
          t.equal(rows[0].left, 3)
          const ended = answers.flatMap(answer => typeof answer === 'object' ? answer.ended : [])
          t.equal(ended.length, limit.whenFull === 'refuse' ? 0 : 47)
          t.equal(new Set(ended).size, ended.length)
        }
      })

      await t.test('revokeUser beside sign-ins that began before leaves none of them', async t => {
        let survivors = 0
        for (let round = 0; round < 30 * FACTOR; round++) {
          const userId = createRandom()
          const revoke: StoreCall = ['revokeUser', { userId, ...context() }]
          const [, , answers] = await Promise.all([
            first.call(signIn(userId, 30_000), signIn(userId, 30_000)),
            second.call(signIn(userId, 30_000), signIn(userId, 30_000)),
            third.call<unknown>(revoke)
          ])
          t.type(answers[0], Array)
          const [left] = await fourth.call<SessionRecord[]>(['list', { userId, ...context() }])
          survivors += left!.length
        }
        t.equal(survivors, 0)
      })

      await t.test('a recovery and a confirmation of the generation that it displaces are a theft, whichever is first', async t => {
        let missed = 0
        for (let round = 0; round < 50 * FACTOR; round++) {
          const session = newSession(createRandom(), Date.now())
          await first.call(['create', session, { ...context(), elapsed: 0 }])
          await first.call(rotate(session, 0))
          await admin.query(backdateIn(PREFIX), [session.id, 2 * HOUR])
          await Promise.all([first.call(rotate(session, 0)), second.call(['confirm', { sessionId: session.id, generation: 1, ...context() }])])
          const { rows } = await admin.query(`SELECT FROM ${PREFIX}revocations WHERE session_id = $1`, [session.id])
          if (rows.length === 0) missed++
        }
        t.equal(missed, 0)
      })

      await t.test('50 refreshes of one token at once make one successor, round after round', async t => {
        for (const jkt of KEYS) {
          const session = newSession(createRandom(), Date.now(), { jkt })
          await first.call(['create', session, { ...context(), elapsed: 0 }])
          for (let generation = 0; generation < 5 * FACTOR; generation++) {
            const answers = await deal<Rotation>(processes, Array.from({ length: 50 }, () => rotate(session, generation)))
            const successors = new Set(answers.map(answer => JSON.stringify({ ...answer, outcome: '', sinceRotation: 0 })))
            t.equal(successors.size, 1, [...successors].join())
            t.same(answers.filter(({ outcome }) => outcome === 'rotated').length, 1)
            t.equal((answers[0] as { generation: number }).generation, generation + 1)
            await admin.query(backdateIn(PREFIX), [session.id, 2 * HOUR])
          }
        }
      })

      await t.test('a sign-out during refreshes is final', async t => {
        let refreshed = 0
        for (let round = 0; round < 30 * FACTOR; round++) {
          const session = newSession(createRandom(), Date.now(), { jkt: KEYS[round % 2]! })
          await first.call(['create', session, { ...context(), elapsed: 0 }])
          const [, [ended]] = await Promise.all([
            first.call(rotate(session, 0), rotate(session, 0)),
            second.call<boolean>(['revoke', { sessionId: session.id, userId: session.userId, mustExist: false, ...context() }]),
            third.call(rotate(session, 0))
          ])
          t.equal(ended, true)
          const answers = await deal<Rotation>(processes, [0, 1, 2, 3].map(generation => rotate(session, generation)))
          refreshed += answers.filter(({ outcome }) => outcome !== 'unknown').length
        }
        t.equal(refreshed, 0)
      })
    })
  }
})
