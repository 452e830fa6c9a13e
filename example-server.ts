// A small but complete application: users in memory, sign-in and renewal at /authorizations, one guarded and one open route,
// sessions when REDIS_URL or SESSIONS=memory asks for them, and pages to try it on at / and /docs.
import { randomBytes, scrypt, scryptSync, timingSafeEqual } from 'node:crypto'
import { Type } from '@sinclair/typebox'
import Fastify, { type FastifyInstance } from 'fastify'
import { Redis } from 'ioredis'
import { pages } from './example/pages.ts'
import dualToken, { defineRoutes, loginRequired, memoryStore, redisStore, type SessionStore } from './lib/index.ts'

const maxSignIns = 32
const drainTime = 3_000

async function createServer (): Promise<FastifyInstance> {
  const fastify = Fastify({ logger: true })

  const cost = { N: 2 ** 14, r: 8, p: 5 } // scrypt as OWASP asks for it, in 16 MiB
  const salt = randomBytes(16)
  const users = new Map([['demo', { salt, key: scryptSync('demo-password', salt, 32, cost) }]])
  const nobody = { salt, key: randomBytes(32) } // so that an unknown user takes as long as a known one
  let signIns = 0
  fastify.log.info('demo user: { "username": "demo", "password": "demo-password" }')

  if (process.env.JWT_SECRET === undefined) {
    fastify.log.warn('JWT_SECRET is not set: a random secret is used, and every token ends with this process')
  }
  await fastify.register(pages)
  const store = createStore(fastify)
  await fastify.register(dualToken, {
    ...(store && { sessions: { store, grace: process.env.GRACE ?? '10s' } }),
    ...(process.env.ISSUER !== undefined && { issuer: process.env.ISSUER, oauth: true }),
    secret: process.env.JWT_SECRET ?? randomBytes(32),
    accessExpiresIn: process.env.ACCESS_EXPIRES_IN ?? '2h',
    routes: defineRoutes({
      body: Type.Object({ username: Type.String({ maxLength: 64 }), password: Type.String({ maxLength: 256 }) }),
      login: ({ username, password }) => new Promise((resolve, reject) => {
        // Each hash keeps a thread busy: when too many sign-ins wait for one, the next gets a 503 instead of waiting too.
        if (signIns === maxSignIns) return reject(createBusy())
        signIns++
        const { salt, key } = users.get(username) ?? nobody
        scrypt(password, salt, 32, cost, (error, derived) => {
          signIns--
          if (error) return reject(error)
          resolve(timingSafeEqual(derived, key) ? { user_id: username } : null)
        })
      }),
      loadUser: userId => users.has(String(userId)) ? { user_id: userId } : null
    })
  })

  fastify.get('/me', { preHandler: loginRequired }, async request => request.user)
  fastify.get('/open', async request => ({ user: request.user }))
  return fastify
}

function createStore (fastify: FastifyInstance): SessionStore | undefined {
  const { REDIS_URL, SESSIONS } = process.env
  if (REDIS_URL !== undefined) {
    const redis = new Redis(REDIS_URL)
    redis.on('error', error => fastify.log.error({ err: error }, 'Redis is out of reach'))
    fastify.addHook('onClose', async () => redis.disconnect())
    return redisStore(redis)
  }
  if (SESSIONS === undefined || SESSIONS === '') return undefined
  if (SESSIONS !== 'memory') throw new Error('SESSIONS must be memory, or not set.')
  return memoryStore()
}

function createBusy (): Error {
  return Object.assign(new Error('Too many sign-ins at once.'), { statusCode: 503, headers: { 'retry-after': '1' } })
}

function readPort (text: string): number {
  const port = Number(text)
  if (!/^\d{1,5}$/.test(text) || port > 65_535) throw new Error('PORT must be a number from 0 to 65535.')
  return port
}

try {
  const port = readPort(process.env.PORT ?? '3000')
  const fastify = await createServer()
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.once(signal, () => {
      // Requests under way may finish; a connection that has sent none by then is cut off.
      setTimeout(() => fastify.server.closeAllConnections(), drainTime).unref()
      fastify.close()
    })
  }
  await fastify.listen({ port, host: process.env.HOST ?? '127.0.0.1' })
} catch (error) {
  const sentence = (error as Error).message.replace('Option secret', 'JWT_SECRET').replace('Option accessExpiresIn', 'ACCESS_EXPIRES_IN')
    .replace('Option sessions.grace', 'GRACE').replace('Option sessions.store must be a store', 'REDIS_URL must be a Redis')
  console.error(`Cannot start: ${sentence}`)
  process.exit(1) // A client of Redis would go on trying to connect.
}
