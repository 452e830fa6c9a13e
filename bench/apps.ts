// The applications side by side: one route each, which answers the user's id.
import fastifyJwt from '@fastify/jwt'
// At the version that @fastify/jwt uses.
import { createVerifier } from 'fast-jwt'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { Redis } from 'ioredis'
import dualToken, {
  loginRequired, memoryStore, redisStore, type DualTokenKey, type DualTokenOptions, type GuardOptions, type SessionStore
} from '../lib/index.ts'

export const SECRET = 'bench-only-secret-f3b1c9d27e5a4860'
/** The key of RFC 8037 appendix A.1: the processes share it. */
const KEY: DualTokenKey = {
  kid: 'bench',
  algorithm: 'EdDSA',
  privateKey: { kty: 'OKP', crv: 'Ed25519', d: 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }
}

export const USER = { user_id: 42, name: 'Ada Lovelace', role: 'member' }

/** Fewer tokens than are sent in turns: when its turn comes again, a token is long forgotten. */
const FEW = 1_000

export const apps = {
  bare,
  guarded: () => guarded(10_000),
  'guarded, forgetful': () => guarded(FEW),
  'guarded, no cache': () => guarded(0),
  'guarded, EdDSA': () => guarded(10_000, { keys: [KEY] }),
  'fast-jwt': fastJwtAlone,
  '@fastify/jwt': fastifyJwtAsDocumented
}

/** The same guarded route and the ready routes, with sessions and without. */
export const sessionApps = {
  'no sessions': () => withRoutes(),
  'sessions in memory': () => withRoutes(memoryStore({ maxSessions: 1_000_000 })),
  'sessions in Redis': () => withRedis(process.env.REDIS_URL!)
}

/** One server for all guards, so that no difference between processes counts. */
export const guardApps = { guards: withGuards }

/** The guards that are compared, under paths of one length, so that the router takes as long for each. */
export const GUARDS = {
  loginRequired: { path: '/login', rules: null },
  'guard, maxAge': { path: '/fresh', rules: { maxAge: '10m' } },
  'guard, scope': { path: '/scope', rules: { scope: 'reports:read' } },
  'guard, allow': { path: '/allow', rules: { allow: user => user.user_id === USER.user_id } },
  'guard, all three': { path: '/three', rules: { maxAge: '10m', scope: 'reports:read', allow: user => user.user_id === USER.user_id } }
} as const satisfies Record<string, { path: string, rules: GuardOptions | null }>

export type AppName = keyof typeof apps | keyof typeof sessionApps | keyof typeof guardApps

async function bare (): Promise<FastifyInstance> {
  const fastify = Fastify()
  fastify.get('/', async () => ({ user_id: USER.user_id }))
  return fastify
}

async function guarded (cache: number, signer: DualTokenOptions = { secret: SECRET }): Promise<FastifyInstance> {
  const fastify = Fastify()
  await fastify.register(dualToken, { ...signer, cache })
  fastify.get('/', { preHandler: loginRequired }, async request => ({ user_id: request.user!.user_id }))
  return fastify
}

async function withGuards (): Promise<FastifyInstance> {
  const fastify = Fastify()
  await fastify.register(dualToken, { secret: SECRET, authTime: true })
  for (const { path, rules } of Object.values(GUARDS)) {
    const preHandler = rules === null ? loginRequired : fastify.dualToken.guard(rules)
    fastify.get(path, { preHandler }, async request => ({ user_id: request.user!.user_id }))
  }
  return fastify
}

async function withRoutes (store?: SessionStore): Promise<FastifyInstance> {
  const fastify = Fastify()
  await fastify.register(dualToken, { secret: SECRET, routes: { login: () => USER }, ...(store && { sessions: { store } }) })
  fastify.get('/', { preHandler: loginRequired }, async request => ({ user_id: request.user!.user_id }))
  return fastify
}

export async function withRedis (url: string): Promise<FastifyInstance> {
  const client = new Redis(url)
  const fastify = await withRoutes(redisStore(client))
  fastify.addHook('onClose', async () => client.disconnect())
  return fastify
}

/** The engine of @fastify/jwt itself, in a hook that does nothing else: the least that verifying can cost. */
async function fastJwtAlone (): Promise<FastifyInstance> {
  const fastify = Fastify()
  const verify = createVerifier({ key: SECRET, algorithms: ['HS256'], cache: false })
  fastify.decorateRequest('user', null)
  fastify.addHook('onRequest', (request, reply, done) => {
    try {
      request.user = verify(request.headers.authorization!.slice('Bearer '.length))
      done()
    } catch {
      reply.code(401).send()
    }
  })
  fastify.get('/', async request => ({ user_id: request.user!.user_id }))
  return fastify
}

/** As its README says. */
async function fastifyJwtAsDocumented (): Promise<FastifyInstance> {
  const fastify = Fastify()
  await fastify.register(fastifyJwt, { secret: SECRET })
  async function authenticate (request: FastifyRequest, reply: FastifyReply): Promise<void> {
    try {
      await request.jwtVerify()
    } catch (err) {
      reply.send(err)
    }
  }
  fastify.get('/', { onRequest: [authenticate] }, async request => ({ user_id: request.user!.user_id }))
  return fastify
}
