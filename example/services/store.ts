// The environment → the session store that both services share, so that a sign-out at one holds at the other.
import type { FastifyInstance } from 'fastify'
import { Redis } from 'ioredis'
import pg from 'pg'
import { postgresStore, redisStore, sqliteStore, type SessionStore } from '../../lib/index.ts'

/** Redis by `REDIS_URL`, Postgres by `DATABASE_URL`, otherwise the file `SQLITE_FILE`. What it opens is closed with the server. */
export async function openStore (fastify: FastifyInstance): Promise<SessionStore> {
  const { DATABASE_URL, REDIS_URL, SQLITE_FILE = 'services.db' } = process.env
  if (REDIS_URL !== undefined) {
    const redis = new Redis(REDIS_URL)
    redis.on('error', error => fastify.log.error({ err: error }, 'Redis is out of reach'))
    fastify.addHook('onClose', async () => redis.disconnect())
    return redisStore(redis, { prefix: 'services:' })
  }
  if (DATABASE_URL !== undefined) {
    const pool = new pg.Pool({ connectionString: DATABASE_URL })
    pool.on('error', error => fastify.log.error({ err: error }, 'Postgres is out of reach'))
    fastify.addHook('onClose', async () => await pool.end())
    return postgresStore(pool)
  }
  if (process.getBuiltinModule('node:sqlite') !== undefined) return sqliteStore(SQLITE_FILE)
  // Node.js 20 has no SQLite of its own; libsql comes with `npm install` in this repository.
  const { default: Database } = await import('libsql')
  const database = new Database(SQLITE_FILE)
  fastify.addHook('onClose', async () => { database.close() })
  return sqliteStore(database)
}
