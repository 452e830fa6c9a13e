// A server as a process of its own: sessions in the Redis of REDIS_URL, the Postgres of DATABASE_URL or the file SQLITE_FILE, the members of `sessions` from SESSION_OPTIONS, as JSON.
import { Type } from '@sinclair/typebox'
import Fastify from 'fastify'
import { Redis } from 'ioredis'
import pg from 'pg'
import dualToken, { defineRoutes, memoryStore, postgresStore, redisStore, sqliteStore } from '../../lib/index.ts'
import { openDatabase } from './sqlite.ts'
import { SECRET } from './tokens.ts'

const { DATABASE_URL, REDIS_URL, SQLITE_FILE, SESSION_OPTIONS, PORT } = process.env
const fastify = Fastify({ logger: true, disableRequestLogging: true })

function createStore () {
  if (SQLITE_FILE !== undefined) return sqliteStore(openDatabase(SQLITE_FILE))
  if (DATABASE_URL !== undefined) {
    // Without a listener for errors: a connection that is lost must not end the process.
    const pool = new pg.Pool({ connectionString: DATABASE_URL })
    fastify.addHook('onClose', async () => await pool.end())
    return postgresStore(pool)
  }
  if (REDIS_URL === undefined) return memoryStore()
  const client = new Redis(REDIS_URL, { retryStrategy: () => 20 })
  // The requests that fail of it say so.
  client.on('error', () => {})
  fastify.addHook('onClose', async () => client.disconnect())
  return redisStore(client)
}

await fastify.register(dualToken, {
  secret: SECRET,
  routes: defineRoutes({ body: Type.Object({ username: Type.String() }), login: ({ username }) => ({ user_id: username }) }),
  sessions: { store: createStore(), ...JSON.parse(SESSION_OPTIONS!) }
})
fastify.get('/me', { preHandler: fastify.loginRequired }, async request => ({ user: request.user }))
await fastify.listen({ port: Number(PORT), host: '127.0.0.1' })
