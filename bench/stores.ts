// What do a sign-in, a rotation, a list and a revocation cost in each store, and how large is a session?
import { strictEqual } from 'node:assert'
import { randomUUID } from 'node:crypto'
import { newSession } from '../lib/testing/setting.ts'
import type { SessionRecord, SessionStore } from '../lib/sessions/store.ts'
import type { Owner } from '../test/support/redis.ts'
import { compare, median, ratio, sampleOf, type Case, type Samples, type Size } from './measure.ts'
import { openPlaces, startServers, type Place } from './places.ts'
import { benchRefreshes } from './refreshes.ts'

const AT_ONCE = 32
const REVOCATION_TTL = 7_260_000
const USER_AGENT = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36'.slice(0, 110)

export interface StoresSize extends Size {
  /** How many sessions are in each store, before anything is measured. */
  readonly sessions: number
}

type Step = (store: SessionStore, session: SessionRecord) => Promise<void>

const context = () => ({ now: Date.now(), revocationTtl: REVOCATION_TTL })

const signIn: Step = async (store, session) => strictEqual(await store.create(session, { ...context(), elapsed: 0 }), true)

/** What is measured, each with sessions of its own; but for the sign-in, they are in the store before. */
const STEPS: Readonly<Record<string, Step>> = {
  'sign-in': signIn,
  async rotation (store, { id, userId, nonceHash, generation, ip, userAgent }) {
    const { outcome } = await store.rotate({
      ...context(),
      sessionId: id,
      userId,
      nonceHash,
      generation,
      ip,
      userAgent,
      rotate: true,
      grace: 10_000,
      recovery: 86_400_000,
      clockTolerance: 0,
      sliding: null,
      jkt: null
    })
    strictEqual(outcome, 'rotated')
  },
  async list (store, { id, userId }) {
    const [found] = await store.list({ ...context(), userId })
    strictEqual(found?.id, id)
  },
  async revocation (store, { id, userId }) {
    strictEqual(await store.revoke({ ...context(), sessionId: id, userId, mustExist: false }), true)
  }
}

/** Stores whose server is missing are left out, and named. */
export async function benchStores (t: Owner, size: StoresSize): Promise<string> {
  const servers = await startServers(t)
  const places = await openPlaces(t, servers)
  const bytes: Record<string, number> = {}
  for (const [name, place] of Object.entries(places)) bytes[name] = await bytesPerSession(place, size.sessions)
  const columns: Column[] = []
  for (const [name, step] of Object.entries(STEPS)) columns.push(await measure(name, step, places, size))
  return [
    ...servers.missing.map(reason => `Left out: ${reason}\n`),
    `Sessions in each store: ${size.sessions.toLocaleString('en')}; ${AT_ONCE} calls at a time. µs of CPU of the process / of the server, calls per second\n`,
    tableOf(bytes, columns),
    ratiosOf(columns),
    await benchRefreshes(t, servers, size)
  ].join('\n')
}

async function bytesPerSession ({ store, bytes }: Place, count: number): Promise<number> {
  // The first one brings the tables' first pages, and the scripts.
  await signIn(store, sessionFor(store))
  const before = await bytes()
  for (let made = 0; made < count; made += AT_ONCE) {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, count - made) }, () => signIn(store, sessionFor(store))))
  }
  return (await bytes() - before) / count
}

function sessionFor (store: SessionStore): SessionRecord {
  const userId = randomUUID()
  const id = store.newSessionId?.(userId)
  return newSession(userId, Date.now(), { ip: '198.51.100.200', userAgent: USER_AGENT, ...(id !== undefined && { id }) })
}

interface Column {
  readonly name: string
  readonly samples: Samples<string>
  /** By store, µs of the server's time of one call, one for each round; none where there is no server. */
  readonly server: Readonly<Record<string, readonly number[]>>
}

async function measure (name: string, step: Step, places: Readonly<Record<string, Place>>, size: Size): Promise<Column> {
  const server: Record<string, number[]> = {}
  const cases: Record<string, Case> = {}
  for (const [placeName, { store, serverTime }] of Object.entries(places)) {
    cases[placeName] = async count => {
      const sessions = Array.from({ length: count }, () => sessionFor(store))
      if (step !== signIn) await inTurns(sessions, session => signIn(store, session))
      const timeBefore = await serverTime()
      const cpuBefore = process.cpuUsage()
      const before = performance.now()
      await inTurns(sessions, session => step(store, session))
      const sample = sampleOf(process.cpuUsage(cpuBefore), performance.now() - before, count)
      const time = await serverTime()
      if (time !== null) (server[placeName] ??= []).push((time - timeBefore!) / count)
      return sample
    }
  }
  const samples = await compare(cases, size)
  // The first one is the warm-up.
  for (const times of Object.values(server)) times.shift()
  return { name, samples, server }
}

async function inTurns<T> (items: readonly T[], step: (item: T) => Promise<void>): Promise<void> {
  for (let i = 0; i < items.length; i += AT_ONCE) await Promise.all(items.slice(i, i + AT_ONCE).map(step))
}

/** What is compared within each column, where both are there. */
const PAIRS = [
  ['SQLite full, libsql', 'SQLite normal, libsql'], ['SQLite full, node:sqlite', 'SQLite full, libsql'], ['Postgres', 'Redis, 1 shard'],
  ['Redis, 16 shards', 'Redis, 1 shard']
] as const

function ratiosOf (columns: readonly Column[]): string {
  const [width] = PAIRS.map(pair => pair.join(' ÷ ').length).sort((a, b) => b - a) as [number]
  const lines = PAIRS.filter(([over, under]) => columns.every(({ samples }) => over in samples && under in samples)).map(([over, under]) => {
    const ratios = columns.map(({ name, samples }) => `${name} ${ratio(samples, [over, under]).toFixed(2)}`)
    return `  ${`${over} ÷ ${under}`.padEnd(width)}  ${ratios.join(', ')}`
  })
  return [...lines, ''].join('\n')
}

/** In Markdown, for docs/performance.md. */
function tableOf (bytes: Readonly<Record<string, number>>, columns: readonly Column[]): string {
  const rows = Object.entries(bytes).map(([place, size]) => {
    const cells = columns.map(({ samples, server }) => {
      const times = server[place]
      const cpu = median(samples[place]!.map(sample => sample.cpu)).toFixed(0)
      const perSecond = Math.round(median(samples[place]!.map(sample => sample.perSecond))).toLocaleString('en')
      return `${cpu}${times === undefined ? '' : ` / ${median(times).toFixed(0)}`}, ${perSecond}`
    })
    return `| ${[place, ...cells, size.toFixed(0)].join(' | ')} |`
  })
  return [
    `| store | ${columns.map(({ name }) => name).join(' | ')} | bytes per session |`,
    `|---|${columns.map(() => '---|').join('')}---|`,
    ...rows,
    ''
  ].join('\n')
}
