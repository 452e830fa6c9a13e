// The stores side by side, each in a place of its own: what they take of a server's time, and how many bytes they keep.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Redis } from 'ioredis'
import { memoryStore, postgresStore, redisStore, sqliteStore, type SessionStore } from '../lib/index.ts'
import { startPostgres, withoutPostgres, type PostgresServer } from '../test/support/postgres.ts'
import { startRedis, withoutServer, type Owner, type RedisServer } from '../test/support/redis.ts'
import { DRIVERS, newFile } from '../test/support/sqlite.ts'

export interface Place {
  readonly store: SessionStore
  /** Microseconds of a server's time that it has taken until now; null where there is no server. */
  serverTime (): Promise<number> | null
  /** Bytes of memory, or on the disk, that it takes now. */
  bytes (): Promise<number>
}

/** The servers that this machine has, and the names of those that it has not. */
export interface Servers {
  readonly redis: RedisServer | null
  readonly postgres: PostgresServer | null
  readonly missing: readonly string[]
}

/** Microseconds of a tick of /proc. */
const TICK = 10_000

export async function startServers (t: Owner): Promise<Servers> {
  return {
    redis: withoutServer ? null : await startRedis(t),
    // With its defaults: what is answered is on the disk.
    postgres: withoutPostgres ? null : await startPostgres(t, {}),
    missing: [withoutServer, withoutPostgres].filter(reason => reason !== false)
  }
}

export async function openPlaces (t: Owner, { redis, postgres }: Servers): Promise<Record<string, Place>> {
  const places: Record<string, Place> = { memory: memoryPlace() }
  for (const driver of DRIVERS.keys()) {
    for (const synchronous of ['full', 'normal'] as const) places[`SQLite ${synchronous}, ${driver}`] = sqlitePlace(t, driver, synchronous)
  }
  if (postgres !== null) places.Postgres = await postgresPlace(postgres)
  if (redis !== null) {
    const client = await redis.connect()
    for (const shards of [1, 16]) places[`Redis, ${shards} shard${shards === 1 ? '' : 's'}`] = redisPlace(client, shards)
  }
  for (const { store } of Object.values(places)) {
    await store.open?.()
    t.teardown(() => store.close?.())
  }
  return places
}

function memoryPlace (): Place {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  return {
    store: memoryStore({ maxSessions: 10_000_000 }),
    serverTime: () => null,
    async bytes () {
      collect()
      return process.memoryUsage().heapUsed
    }
  }
}

function sqlitePlace (t: Owner, driver: string, synchronous: 'full' | 'normal'): Place {
  const file = newFile(t)
  const database = new (DRIVERS.get(driver)!)(file)
  t.teardown(() => database.close())
  return {
    store: sqliteStore(database, { synchronous }),
    serverTime: () => null,
    async bytes () {
      database.prepare('PRAGMA wal_checkpoint(TRUNCATE)').all()
      return statSync(file).size
    }
  }
}

async function postgresPlace (server: PostgresServer): Promise<Place> {
  const pool = server.pool()
  const { rows: [row] } = await pool.query("SELECT pg_read_file('postmaster.pid') AS text")
  const pid = parseInt(row.text)
  return {
    store: postgresStore(pool),
    async serverTime () {
      const processes = readdirSync('/proc').filter(name => /^\d+$/.test(name)).flatMap(statOf)
      const own = processes.filter(one => one.pid === pid || one.parent === pid)
      return own.reduce((sum, { ticks }) => sum + ticks, 0) * TICK
    },
    async bytes () {
      const { rows: [size] } = await pool.query("SELECT pg_total_relation_size('dual_token_sessions') AS bytes")
      return Number(size.bytes)
    }
  }
}

/** The times of a process, user and system, and of its children that have ended; none when it has ended meanwhile. */
function statOf (pid: string): Array<{ pid: number, parent: number, ticks: number }> {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ').map(Number)
    return [{ pid: Number(pid), parent: fields[1]!, ticks: fields.slice(11, 15).reduce((sum, ticks) => sum + ticks, 0) }]
  } catch {
    return []
  }
}

function redisPlace (client: Redis, shards: number): Place {
  return {
    store: redisStore(client, { shards, prefix: `bench-${shards}:` }),
    async serverTime () {
      return Number(/cmdstat_evalsha:calls=\d+,usec=(\d+)/.exec(await client.info('commandstats'))?.[1] ?? 0)
    },
    async bytes () {
      return Number(/used_memory:(\d+)/.exec(await client.info('memory'))![1])
    }
  }
}
