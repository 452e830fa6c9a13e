// Four processes on one SQLite file: what they promise together, and what a kill -9 leaves. RACE_FACTOR plays more.
import { once } from 'node:events'
import { test, type Test } from 'tap'
import { newSession } from '../../../lib/testing/setting.ts'
import { createRandom } from '../../../lib/tokens/session-claims.ts'
import { sqliteStore, type LimitReached, type Rotation, type SessionRecord } from '../../../lib/index.ts'
import { newFile, openDatabase } from '../../support/sqlite.ts'
import { rotationOf, startSqliteProcess, type SqliteProcess, type StoreCall } from '../../support/sqlite-process.ts'
import {
  login, logout, patiently, refresh, sessionIn, signIn, signInBothWays, startSessionServer, tokensOf, until, visit
} from '../../support/session-process.ts'

const FACTOR = Number(process.env.RACE_FACTOR ?? 1)
const HOUR = 3_600_000
/** Sessions that are not bound, and sessions that are. */
const KEYS = [null, 'the thumbprint of a key']
const context = () => ({ now: Date.now(), revocationTtl: 4 * HOUR })

/** Deals calls to all processes at once; the answers. */
async function deal<T> (processes: SqliteProcess[], calls: StoreCall[]): Promise<T[]> {
  const answers = await Promise.all(processes.map((process, place) => process.call<T>(...calls.filter((_, i) => i % processes.length === place))))
  return answers.flat()
}

async function start (t: Test, file: string): Promise<SqliteProcess[]> {
  return await Promise.all(Array.from({ length: 4 }, () => startSqliteProcess(t, file)))
}

test('four processes on one file', async t => {
  const processes = await start(t, newFile(t))
  const [first, second, third, fourth] = processes as [SqliteProcess, SqliteProcess, SqliteProcess, SqliteProcess]

  await t.test('50 refreshes of one token at once make one successor, which all are given, round after round', async t => {
    for (const jkt of KEYS) {
      let now = Date.now()
      const session = newSession(createRandom(), now, { expiresAt: now + 10_000 * HOUR, jkt })
      await first.call(['create', session, { ...context(), elapsed: 0 }])
      for (let generation = 0; generation < 5 * FACTOR; generation++) {
        now += 2 * HOUR
        const answers = await deal<Rotation>(processes, Array.from({ length: 50 }, () => ['rotate', rotationOf(session, generation, now)]))
        const successors = new Set(answers.map(answer => JSON.stringify({ ...answer, outcome: '', sinceRotation: 0 })))
        t.equal(successors.size, 1, [...successors].join())
        t.equal(answers.filter(({ outcome }) => outcome === 'rotated').length, 1)
        t.equal((answers[0] as { generation: number }).generation, generation + 1)
      }
    }
  })

  await t.test('a sign-out during refreshes is final, on every process', async t => {
    let refreshed = 0
    for (let round = 0; round < 20 * FACTOR; round++) {
      const session = newSession(createRandom(), Date.now(), { jkt: KEYS[round % 2]! })
      await first.call(['create', session, { ...context(), elapsed: 0 }])
      const rotate: StoreCall = ['rotate', rotationOf(session, 0, Date.now())]
      const [, [ended]] = await Promise.all([
        first.call(rotate, rotate),
        second.call<boolean>(['revoke', { sessionId: session.id, userId: session.userId, mustExist: false, ...context() }]),
        third.call(rotate)
      ])
      t.equal(ended, true)
      const answers = await deal<Rotation>(processes, [0, 1, 2, 3].map(generation => ['rotate', rotationOf(session, generation, Date.now())]))
      refreshed += answers.filter(({ outcome }) => outcome !== 'unknown').length
    }
    t.equal(refreshed, 0)
  })

  await t.test('50 sign-ins at once with a limit of 3 leave 3', async t => {
    for (let round = 0; round < 4 * FACTOR; round++) {
      const userId = createRandom()
      const limit = { max: 3, whenFull: round % 2 === 0 ? 'end_oldest' : 'refuse' } as const
      const answers = await deal<boolean | LimitReached | string>(processes,
        Array.from({ length: 50 }, () => ['create', newSession(userId, Date.now()), { ...context(), elapsed: 0, limit }]))
      t.same(answers.filter(answer => typeof answer === 'string'), [], 'none fails')
      const [left] = await fourth.call<SessionRecord[]>(['list', { userId, ...context() }])
      t.equal(left!.length, 3)
      const ended = answers.flatMap(answer => typeof answer === 'object' ? answer.ended : [])
      t.equal(ended.length, limit.whenFull === 'refuse' ? 0 : 47)
      t.equal(new Set(ended).size, ended.length)
    }
  })

  await t.test('revokeUser beside sign-ins that began before leaves none of them, whichever process they are on', async t => {
    let survivors = 0
    for (let round = 0; round < 12 * FACTOR; round++) {
      const userId = createRandom()
      const older = (): StoreCall => ['create', newSession(userId, Date.now()), { ...context(), elapsed: 30_000 }]
      const [, , answers] = await Promise.all([
        first.call(older(), older()), second.call(older(), older()), third.call<unknown>(['revokeUser', { userId, ...context() }])
      ])
      t.type(answers[0], Array)
      t.equal((await third.call<boolean>(older()))[0], false, 'on this process')
      const [kept, left] = await fourth.call<unknown>(older(), ['list', { userId, ...context() }])
      t.equal(kept, false, 'and on another')
      survivors += (left as unknown[]).length
    }
    t.equal(survivors, 0)
  })
})

test('a process that is killed amid its writes leaves no second successor, logs nobody out and loses no sign-out', async t => {
  const file = newFile(t)
  const database = openDatabase(file)
  t.teardown(() => database.close())
  const store = sqliteStore(database)
  let now = Date.now()
  const create = async (i: number): Promise<SessionRecord> => {
    const session = newSession(createRandom(), now, { expiresAt: now + 1_000_000 * HOUR, jkt: KEYS[i % 2]! })
    await store.create(session, { now, revocationTtl: 4 * HOUR, elapsed: 0 })
    return session
  }
  const rotating = await Promise.all(Array.from({ length: 4 }, async (_, i): Promise<[SessionRecord, number]> => [await create(i), 0]))

  for (let kills = 0; kills < 3 * FACTOR; kills++) {
    const ending = await Promise.all(Array.from({ length: 200 }, (_, i) => create(i)))
    const { child } = await startSqliteProcess(t, file)
    const held = new Map(rotating.map(([{ id }, generation]) => [id, generation]))
    const ended = new Set<string>()
    let told = 0
    child.on('message', (message: { rotated: string, generation: number, now: number } | { revoked: string }) => {
      if ('revoked' in message) ended.add(message.revoked)
      else {
        held.set(message.rotated, message.generation)
        now = message.now
      }
      if (++told === 1 + kills * 13 % 61) child.kill('SIGKILL')
    })
    child.send({ stream: [rotating, ending, now] })
    await once(child, 'close')

    now += 1
    for (const entry of rotating) {
      const last = held.get(entry[0].id)!
      const first = await store.rotate(rotationOf(entry[0], last, now))
      const again = await store.rotate(rotationOf(entry[0], last, now))
      t.ok('generation' in first && [last, last + 1].includes(first.generation), `whoever tries again is served: ${first.outcome}`)
      if (!('generation' in first) || !('generation' in again)) return
      t.strictSame([again.generation, again.issuedAt], [first.generation, first.issuedAt], 'one successor')
      entry[1] = first.generation
    }
    const { sessionIds } = await store.revokedSince(null, { now, revocationTtl: 4 * HOUR })
    for (const id of ended) {
      t.ok(sessionIds.includes(id), 'the feed tells of what was ended')
      t.equal(await store.confirm({ sessionId: id, generation: 0, now, revocationTtl: 4 * HOUR }), 'unknown')
    }
    const lost = ending.filter(({ id }) => !ended.has(id) && sessionIds.includes(id))
    t.ok(lost.length <= 1, 'at most the one that was under way')
  }
  t.match(database.prepare('PRAGMA integrity_check').get(), { integrity_check: 'ok' })
})

test('two servers on one file', async t => {
  const file = newFile(t)
  const options = { pollInterval: 0.05, storeTimeout: 1 }
  const [here, there] = await Promise.all([startSessionServer(t, { SQLITE_FILE: file }, options), startSessionServer(t, { SQLITE_FILE: file }, options)])

  await t.test('a sign-out on one of them reaches the other with the next poll', async t => {
    const { access, refresh: token } = await signIn(here)
    t.equal((await visit(there, access)).status, 200)
    t.equal((await logout(here, token)).status, 204)
    t.equal((await visit(here, access)).status, 401)
    t.equal((await until(401, () => visit(there, access))).body.code, 'FST_DUAL_TOKEN_ACCESS_REVOKED')
    t.equal((await refresh(there, token)).status, 403)
  })

  await t.test('while another process holds the lock, requests that need the file get a 503, guards go on, and nothing is lost', async t => {
    const [kept, leaving] = [await signInBothWays(here), await signIn(there)]
    const other = await startSqliteProcess(t, file)
    t.equal(await other.ask('lock'), 'lock')
    const replies = Promise.all([...kept.map(({ refresh: token }) => refresh(here, token)), login(here), logout(there, leaving.refresh)])
    for (const server of [here, there]) t.equal((await visit(server, kept[0].access)).status, 200)
    for (const { status, body } of await replies) t.strictSame([status, body.code], [503, 'FST_DUAL_TOKEN_STORE_UNAVAILABLE'])
    t.equal(await other.ask('unlock'), 'unlock')
    t.equal((await patiently(() => logout(there, leaving.refresh))).status, 204)
    t.equal((await refresh(here, leaving.refresh)).status, 403)
    for (const { refresh: token } of kept) {
      const next = tokensOf(await patiently(() => refresh(here, token)))
      t.equal(sessionIn(next.refresh).gen, 1, 'the refresh that was not answered and the one that was are one')
      t.equal((await visit(there, next.access)).status, 200)
    }
  })

  await t.test('sessions outlive their processes', async t => {
    const kept = await signInBothWays(here)
    for (const { process: server, ended } of [here, there]) {
      server.kill('SIGKILL')
      await ended
    }
    const anew = await startSessionServer(t, { SQLITE_FILE: file }, options)
    for (const { refresh: token } of kept) {
      const next = tokensOf(await refresh(anew, token))
      t.equal((await visit(anew, next.access)).status, 200)
    }
  })
})
