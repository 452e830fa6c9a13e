// With a million sessions on disk: how long does a rotation take, and how long do rotations, checkpoints and sweeps hold the event loop?
// Run it alone: `npx tsx bench/large.ts` takes seven minutes.
import { strictEqual } from 'node:assert'
import { createHash } from 'node:crypto'
import { statSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type pg from 'pg'
import { postgresStore, sqliteStore, type SessionRecord, type SessionStore } from '../lib/index.ts'
import { newSession } from '../lib/testing/setting.ts'
import { startPostgres, withoutPostgres } from '../test/support/postgres.ts'
import type { Owner } from '../test/support/redis.ts'
import { DRIVERS, newFile } from '../test/support/sqlite.ts'

export interface LargeSize {
  readonly sessions: number
  /** Rotations of each kind. */
  readonly count: number
}

const HOUR = 3_600_000
const REVOCATION_TTL = 2 * HOUR
const IP = '198.51.100.200'
const USER_AGENT = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36'.slice(0, 110)
/** One session in so many expires before the sweep. */
const ONE_IN = 50
const AT_ONCE = 32
const CONNECTIONS = 4

/** A client: what it sends with its next refresh. */
type Client = Pick<SessionRecord, 'id' | 'userId' | 'nonceHash'> & { generation: number }

/** A server that is missing is left out, and named. */
export async function benchLarge (t: Owner, size: LargeSize): Promise<string> {
  const lines: string[] = []
  for (const driver of DRIVERS.keys()) lines.push(await benchSqlite(t, driver, size))
  lines.push(withoutPostgres === false ? await benchPostgres(t, size) : `Left out: ${withoutPostgres}\n`)
  return lines.join('\n')
}

async function benchSqlite (t: Owner, driver: string, { sessions, count }: LargeSize): Promise<string> {
  const file = newFile(t)
  const open = () => {
    const database = new (DRIVERS.get(driver)!)(file)
    t.teardown(() => database.close())
    return database
  }
  const database = open()
  const [normal, full] = [sqliteStore(database, { synchronous: 'normal' }), sqliteStore(open())]
  const startedAt = Date.now()
  await normal.open!()
  const clients = await fill(normal, { from: 0, to: sessions, now: startedAt, wanted: count })
  const before = performance.now()
  await full.open!()
  const { cursor } = await full.revokedSince(null, contextAt(startedAt))
  const boot = performance.now() - before
  const turns = {
    'rotation, normal': await turnsOf(clients, client => rotate(normal, client)),
    'rotation, full': await turnsOf(clients, client => rotate(full, client)),
    'rotation, full, beside a sweep': [] as Turn[]
  }

  const later = startedAt + HOUR + REVOCATION_TTL
  const ended = database.prepare('SELECT 1 AS one FROM dual_token_sessions WHERE expires_at <= ? LIMIT 1')
  await full.revokedSince(cursor, contextAt(later))
  const sweepsSince = performance.now()
  let moment = later
  while (ended.all(later - REVOCATION_TTL).length > 0) {
    turns['rotation, full, beside a sweep'].push(...await turnsOf(clients.slice(0, 20), client => rotate(full, client, ++moment)))
  }
  const swept = performance.now() - sweepsSince
  return [
    `SQLite, ${driver}: ${commas(sessions)} sessions of ${Math.round(statSync(file).size / sessions)} bytes; boot ${boot.toFixed(1)} ms`,
    ...Object.entries(turns).map(([name, list]) => lineOf(name, list)),
    `  sweep of ${commas(sessions / ONE_IN)} sessions: ${(swept / 1000).toFixed(1)} s`,
    ''
  ].join('\n')
}

async function benchPostgres (t: Owner, { sessions, count }: LargeSize): Promise<string> {
  const server = await startPostgres(t, {})
  const pool = server.pool({ max: CONNECTIONS })
  const store = postgresStore(pool)
  const now = Date.now()
  await store.open!()
  const few = Math.min(1000, sessions / 2)
  const first = await fill(store, { from: 0, to: few, now, wanted: few })
  const atFew = await rotations(store, first, count)
  const clients = await fill(store, { from: few, to: sessions, now, wanted: count })
  await pool.query('VACUUM ANALYZE dual_token_sessions')
  const { rows: [bytes] } = await pool.query("SELECT pg_relation_size('dual_token_sessions') AS heap, pg_indexes_size('dual_token_sessions') AS indexes")
  const updatesBefore = await updatesOf(pool)
  const atMany = await rotations(store, clients, count)
  const updates = await updatesOf(pool)
  const inPage = (updates.hot - updatesBefore.hot) / (updates.all - updatesBefore.all)

  const before = performance.now()
  const again = postgresStore(pool)
  await again.open!()
  await again.revokedSince(null, contextAt(now))
  const boot = performance.now() - before
  const revokedSince = performance.now()
  for (let i = 0; i < clients.length; i += AT_ONCE) {
    await Promise.all(clients.slice(i, i + AT_ONCE).map(({ id }) => store.revoke({ ...contextAt(Date.now()), sessionId: id, mustExist: false })))
  }
  const perSecond = clients.length / (performance.now() - revokedSince) * 1000
  return [
    `Postgres: ${commas(sessions)} sessions of ${Math.round(bytes.heap / sessions)} bytes and ${Math.round(bytes.indexes / sessions)} of indexes; boot ${boot.toFixed(1)} ms`,
    lineOf(`rotation, ${commas(few)} sessions`, atFew),
    lineOf(`rotation, ${commas(sessions)} sessions`, atMany),
    `  updates that stayed in their page: ${Math.round(inPage * 100)} %`,
    `  revocations, ${AT_ONCE} at a time: ${commas(perSecond)} a second`,
    ''
  ].join('\n')
}

async function updatesOf (pool: pg.Pool): Promise<{ all: number, hot: number }> {
  // Each connection reports its own counts, at the latest when it is asked to.
  await Promise.all(Array.from({ length: CONNECTIONS }, () => pool.query('SELECT pg_stat_force_next_flush(), pg_sleep(0.05)')))
  const { rows: [row] } = await pool.query("SELECT n_tup_upd::float8 AS all, n_tup_hot_upd::float8 AS hot FROM pg_stat_user_tables WHERE relname = 'dual_token_sessions'")
  return row
}

/** The rotations of all clients, as many at a time as there are connections. */
async function rotations (store: SessionStore, clients: Client[], count: number): Promise<Turn[]> {
  const turns: Turn[] = []
  let next = 0
  await Promise.all(Array.from({ length: CONNECTIONS }, async () => {
    for (let i = next++; i < count; i = next++) {
      const before = performance.now()
      await rotate(store, clients[i % clients.length]!)
      turns.push({ took: performance.now() - before, held: 0 })
    }
  }))
  return turns
}

interface Filling {
  readonly from: number
  readonly to: number
  readonly now: number
  readonly wanted: number
}

/** Creates sessions whose ids are in no order, and answers the clients of some that do not expire soon. */
async function fill (store: SessionStore, { from, to, now, wanted }: Filling): Promise<Client[]> {
  const every = Math.max(1, Math.floor((to - from) / wanted))
  const clients: Client[] = []
  for (let i = from; i < to; i += AT_ONCE) {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, to - i) }, async (_, j) => {
      const expiresSoon = (i + j) % ONE_IN === 0
      const name = createHash('sha256').update(String(i + j)).digest('base64url')
      const session = newSession(name.slice(0, 36), now, {
        id: name.slice(0, 22), ip: IP, userAgent: USER_AGENT, expiresAt: now + (expiresSoon ? HOUR : 8760 * HOUR)
      })
      strictEqual(await store.create(session, { ...contextAt(now), elapsed: 0 }), true)
      if (!expiresSoon && (i + j) % every === 1 % every) clients.push({ ...session })
    }))
  }
  return clients
}

function contextAt (now: number) {
  return { now, revocationTtl: REVOCATION_TTL }
}

async function rotate (store: SessionStore, client: Client, now = Date.now()): Promise<void> {
  const { id, userId, nonceHash, generation } = client
  const rotation = await store.rotate({
    ...contextAt(now),
    sessionId: id,
    userId,
    nonceHash,
    generation,
    ip: IP,
    userAgent: USER_AGENT,
    rotate: true,
    grace: 0,
    recovery: 24 * HOUR,
    clockTolerance: 0,
    sliding: null,
    jkt: null
  })
  strictEqual(rotation.outcome, 'rotated')
  client.generation++
}

/** Milliseconds. */
interface Turn {
  /** From the call to its answer. */
  readonly took: number
  /** How long the event loop could do nothing else; 0 where other processes do the work. */
  readonly held: number
}

/** One after the other, each in a turn of the event loop of its own. */
async function turnsOf (clients: readonly Client[], step: (client: Client) => Promise<void>): Promise<Turn[]> {
  const turns: Turn[] = []
  await nextTurn()
  for (const client of clients) {
    const before = performance.now()
    await step(client)
    const took = performance.now() - before
    await nextTurn()
    turns.push({ took, held: performance.now() - before })
  }
  return turns
}

function lineOf (name: string, turns: readonly Turn[]): string {
  const times = turns.map(({ took }) => took).sort((a, b) => a - b)
  const at = (share: number): string => `${Math.round(times[Math.min(times.length - 1, Math.floor(times.length * share))]! * 1000)} µs`
  const held = turns.reduce((longest, turn) => Math.max(longest, turn.held), 0)
  return `  ${name}: median ${at(0.5)}, 99 % ${at(0.99)}, 99.9 % ${at(0.999)}${held === 0 ? '' : `; longest turn of the event loop ${held.toFixed(1)} ms`}`
}

function commas (count: number): string {
  return Math.round(count).toLocaleString('en')
}

if (import.meta.filename === process.argv[1]) {
  const ends: Array<() => unknown> = []
  console.log(await benchLarge({ teardown: end => ends.push(end) }, { sessions: 1_000_000, count: 5_000 }))
  for (const end of ends.reverse()) await end()
}
