// Servers of their own on one Postgres: what they promise together, and what they do when it fails. KILLS kills it more often.
import { setTimeout as delay } from 'node:timers/promises'
import type pg from 'pg'
import { test, type Test } from 'tap'
import { startPgBouncer, startPostgres, withoutPgBouncer, withoutPostgres } from '../../support/postgres.ts'
import {
  login, logout, patiently, refresh, refreshesAtOnce, sessionIn, signIn, signInBothWays, startSessionServer, tokensOf, until, visit,
  type Reply, type ServerProcess, type Tokens
} from '../../support/session-process.ts'
import { backdateIn } from '../../support/pglite.ts'

const PREFIX = 'dual_token_'
const HOUR = 3_600_000
const KILLS = Number(process.env.KILLS ?? 3)
/** Milliseconds: `storeTimeout`, and what a reply may take beyond it. */
const TIMEOUT = 1000
const LENIENCE = 300

/** Polled at boot and never again while a test runs, so that whatever they hear later was pushed. Nothing is beyond their grace by itself. */
const PUSHED = { pollInterval: '1h', maxStaleness: '2h', grace: '1h' } as const
const POLLED = { pollInterval: 0.05, grace: '1h' } as const
/** Each refresh rotates. */
const GRACELESS = { pollInterval: 0.05, grace: 0 } as const

/** As if a session had been rotated so much earlier. */
async function backdate (admin: pg.Pool, token: string, milliseconds: number): Promise<void> {
  await admin.query(backdateIn(PREFIX), [sessionIn(token).sid, milliseconds])
}

function isUnavailable (t: Test, { status, headers, body }: Reply, what: string): void {
  t.equal(status, 503, what)
  t.equal(body.code, 'FST_DUAL_TOKEN_STORE_UNAVAILABLE', what)
  t.match(headers.get('retry-after'), /^\d+$/, what)
}

/** A request of each kind that needs the store is told to come back in time; guards go on. */
async function isOut (t: Test, server: ServerProcess, name: string, kept: [Tokens, Tokens], leaving: string): Promise<void> {
  const startedAt = performance.now()
  const replies = Promise.all([...kept.map(({ refresh: token }) => refresh(server, token)), login(server), logout(server, leaving)])
  t.equal((await visit(server, kept[0].access)).status, 200, `${name}: guards go on`)
  for (const [i, reply] of (await replies).entries()) isUnavailable(t, reply, `${name}: ${['refresh', 'refresh', 'login', 'logout'][i]}`)
  const took = performance.now() - startedAt
  t.ok(took < TIMEOUT + LENIENCE, `${name}: within storeTimeout + ${LENIENCE} ms: ${Math.round(took)} ms`)
}

test('servers on one Postgres', { skip: withoutPostgres }, async t => {
  const server = await startPostgres(t, { synchronous_commit: 'on', max_connections: '60' })
  const admin = server.pool()
  const place = { DATABASE_URL: server.url() }
  // Boots at once: the tables are made once.
  const [here, there, polled, graceless] = await Promise.all([
    startSessionServer(t, { DATABASE_URL: `${server.url()}?application_name=here&options=-c%20log_statement%3Dall` }, PUSHED),
    startSessionServer(t, place, PUSHED),
    startSessionServer(t, place, POLLED),
    startSessionServer(t, place, GRACELESS)
  ])
  const servers = [here, there, polled, graceless]
  const issued: string[] = []
  const everywhere = (i: number): ServerProcess => servers[i % 3]!

  /** Resolves when so many connections listen. */
  async function listening (count: number): Promise<void> {
    for (;;) {
      const { rows } = await admin.query("SELECT count(*)::int AS count FROM pg_stat_activity WHERE query LIKE 'LISTEN %'").catch(() => ({ rows: [{ count: -1 }] }))
      if (rows[0].count === count) return
      await delay(20)
    }
  }

  /** Ends a session on one process, and asks the others until they refuse it, too. */
  async function isHeard (t: Test): Promise<void> {
    await listening(4)
    const { access, refresh: token } = tokensOf(await patiently(() => login(here)))
    for (const other of [there, polled]) t.equal((await visit(other, access)).status, 200)
    t.equal((await patiently(() => logout(here, token))).status, 204)
    t.equal((await visit(here, access)).status, 401, 'where it was ended, it is refused at once')
    for (const other of [there, polled]) t.equal((await until(401, () => visit(other, access))).body.code, 'FST_DUAL_TOKEN_ACCESS_REVOKED')
  }

  /** Sessions signed in and used before an outage, and proof that their tokens are good after it. */
  async function during (t: Test, name: string, breakIt: () => unknown, mendIt: () => unknown): Promise<void> {
    const [kept, { refresh: leaving }] = [await signInBothWays(here), await signIn(here)]
    await breakIt()
    await isOut(t, here, name, kept, leaving)
    await mendIt()
    for (const { refresh: token } of kept) {
      const next = tokensOf(await patiently(() => refresh(here, token)))
      t.equal(sessionIn(next.refresh).gen, 1, 'refreshes that were not answered and the one that was are one')
    }
    t.equal((await patiently(() => logout(there, leaving))).status, 204)
    t.equal((await refresh(here, leaving)).status, 403)
  }

  await t.test('50 refreshes of one token at once end with one successor, round after round', async t => {
    issued.push(...await refreshesAtOnce(t, here, everywhere, async token => await backdate(admin, token, 2 * HOUR)))
  })

  await t.test('a revocation is pushed to other processes', isHeard)

  await t.test('1,000 guarded requests send no statement; a refresh sends two, and everything else one', async t => {
    const { access, refresh: token } = tokensOf(await refresh(here, (await signIn(here)).refresh))
    const askedDuring = async (happen: () => Promise<unknown>): Promise<string[]> => {
      const statements = await server.statementsDuring('here', happen)
      return statements.map(statement => /^(?:WITH \w+|SELECT \w+|UPDATE)/.exec(statement)![0])
    }
    // The confirmation is told in the background, once.
    t.strictSame(await askedDuring(async () => {
      await visit(here, access)
      while ((await admin.query(`SELECT FROM ${PREFIX}sessions WHERE id = $1 AND confirmed`, [sessionIn(token).sid])).rowCount === 0) await delay(5)
    }), ['WITH seen'])
    t.strictSame(await askedDuring(async () => {
      for (let i = 0; i < 20; i++) {
        const replies = await Promise.all(Array.from({ length: 50 }, () => visit(here, access)))
        t.ok(replies.every(({ status }) => status === 200))
      }
    }), [])
    t.strictSame(await askedDuring(() => signIn(here)), ['SELECT barred'])
    t.strictSame(await askedDuring(() => refresh(here, token)), ['SELECT id'], 'within grace it only reads')
    await backdate(admin, token, 2 * HOUR)
    t.strictSame(await askedDuring(() => refresh(here, token)), ['SELECT id', 'UPDATE'])
    t.strictSame(await askedDuring(() => logout(here, token)), ['WITH gone'])
  })

  await t.test('nobody can make a token from a dump', async t => {
    const signedIn = await Promise.all(Array.from({ length: 6 }, (_, i) => signIn(everywhere(i), `user-${i}`)))
    const rotated = await Promise.all(signedIn.slice(0, 4).map(async ({ refresh: token }, i) => tokensOf(await refresh(everywhere(i), token))))
    await Promise.all(signedIn.slice(4).map(({ access }, i) => logout(everywhere(i), access)))
    issued.push(...[...signedIn, ...rotated].flatMap(tokens => Object.values(tokens)))
    const tables = await Promise.all(['sessions', 'users', 'revocations', 'meta'].map(name => admin.query(`SELECT * FROM ${PREFIX}${name}`)))
    const dump = JSON.stringify(tables.map(({ rows }) => rows))
    t.ok(dump.includes(sessionIn(rotated[0]!.refresh).sid))
    for (const secretOf of [(token: string) => token.split('.')[2]!, (token: string) => sessionIn(token).n]) {
      t.strictSame(issued.map(secretOf).filter(secret => secret !== 'undefined' && dump.includes(secret)), [])
    }
    t.notMatch(dump, /eyJ/)
  })

  await t.test('while Postgres hangs, requests that need it get a 503, guards go on, and the same tokens work afterwards', async t => {
    await during(t, 'SIGSTOP', () => server.signal('SIGSTOP'), () => server.signal('SIGCONT'))
    await isHeard(t)
  })

  await t.test('a Postgres that is read-only refuses nobody for good', async t => {
    const set = async (value: string): Promise<void> => {
      await admin.query(`ALTER DATABASE postgres SET default_transaction_read_only = ${value}`)
      await admin.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'")
    }
    await during(t, 'read-only', () => set('on'), async () => {
      await admin.query('SET default_transaction_read_only = off').catch(() => {})
      const writer = server.pool({ options: '-c default_transaction_read_only=off' })
      await writer.query('ALTER DATABASE postgres RESET default_transaction_read_only')
      await writer.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'")
    })
    await isHeard(t)
  })

  await t.test('a pool whose connections are all taken refuses nobody for good', async t => {
    const blocker = await admin.connect()
    const busy: Array<Promise<Reply>> = []
    await during(t, 'pool exhausted', async () => {
      await blocker.query(`BEGIN; LOCK TABLE ${PREFIX}users, ${PREFIX}sessions`)
      for (let i = 0; i < 20; i++) busy.push(login(here, 'busy'))
      for (let waiting = 0; waiting < 9;) {
        const { rows } = await admin.query("SELECT count(*)::int AS count FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        waiting = rows[0].count
      }
    }, async () => {
      await blocker.query('COMMIT')
      blocker.release()
    })
    for (const reply of await Promise.all(busy)) isUnavailable(t, reply, 'those that wait')
  })

  await t.test('a connection that is lost while idle, or a Postgres that is gone, crashes no process', async t => {
    await admin.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'")
    await isHeard(t)
    await during(t, 'connection refused', () => server.kill(), () => server.restart())
    await isHeard(t)
  })

  await t.test('a Postgres that is killed in a stream of rotations makes no second successor, logs nobody out and loses no sign-out', async t => {
    const ended: string[] = []
    /** A client that has one refresh under way at a time. */
    const createPatient = async (): Promise<(times: number) => Promise<void>> => {
      let { refresh: token } = tokensOf(await patiently(() => login(graceless)))
      return async times => {
        for (let i = 0; i < times; i++) {
          const { refresh: successor } = tokensOf(await patiently(() => refresh(graceless, token)))
          t.ok(sessionIn(successor).gen > sessionIn(token).gen || successor === token)
          token = successor
        }
      }
    }
    /** A client that refreshes each token on two processes at once, and signs out. */
    const twice = async (times: number): Promise<void> => {
      for (let i = 0; i < times; i++) {
        const { refresh: token } = tokensOf(await patiently(() => login(here)))
        const pairs = await Promise.all([here, there].map(async server => tokensOf(await patiently(() => refresh(server, token)))))
        t.equal(pairs[0]!.refresh, pairs[1]!.refresh)
        t.equal(sessionIn(pairs[0]!.refresh).gen, 1)
        t.equal((await patiently(() => logout(here, token))).status, 204)
        ended.push(pairs[0]!.refresh)
      }
    }
    const clients = [await createPatient(), await createPatient(), twice, twice]
    for (let kills = 0; kills < KILLS; kills++) {
      const stream = Promise.all(clients.map(client => client(8)))
      await delay(20)
      await server.kill()
      await server.restart()
      await stream
    }
    for (const token of ended) t.equal((await refresh(there, token)).status, 403)
    await isHeard(t)
  })

  await t.test('no process has crashed, and the logs only say that the feed was unreadable and is readable again', async t => {
    for (const { process: server, log } of servers) {
      t.equal(server.exitCode, null)
      t.equal(server.signalCode, null)
      t.strictSame(issued.filter(token => log.some(line => line.includes(token))), [])
    }
  })
})

test('servers behind PgBouncer, in transaction mode', { skip: withoutPgBouncer }, async t => {
  const server = await startPostgres(t)
  const urlOf = await startPgBouncer(t, server)
  const place = { DATABASE_URL: urlOf('postgres') }
  const [here, there] = await Promise.all([startSessionServer(t, place, POLLED), startSessionServer(t, place, POLLED)])
  for (const { access, refresh: token } of await signInBothWays(here)) {
    const replies = await Promise.all(Array.from({ length: 50 }, (_, i) => refresh(i % 2 === 0 ? here : there, token)))
    t.equal(new Set(replies.map(reply => tokensOf(reply).refresh)).size, 1)
    t.equal((await visit(there, access)).status, 200)
    t.equal((await logout(here, token)).status, 204)
    await until(401, () => visit(there, access))
    t.equal((await refresh(there, token)).status, 403)
  }
})
