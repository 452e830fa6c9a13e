// The applications that refresh, side by side: the plugin with each store, the one by hand of docs/migration.md, and oidc-provider.
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import { compileFunction } from 'node:vm'
import fastifyJwt from '@fastify/jwt'
import Fastify, { type FastifyInstance } from 'fastify'
import { Redis } from 'ioredis'
import pg from 'pg'
import ts from 'typescript'
import dualToken, { memoryStore, postgresStore, redisStore, sqliteStore, type SessionStore } from '../lib/index.ts'
import { openDatabase } from '../test/support/sqlite.ts'
import { SECRET } from './apps.ts'

/** How many clients refresh at once. */
export const CHAINS = 32

/** The answer to any message of the parent. */
export interface RefreshServerState {
  readonly port: number
  readonly cpu: NodeJS.CpuUsage
  /** The first refresh token of each client. */
  readonly tokens: string[]
}

interface RefreshApp {
  listen (): Promise<Server>
  readonly tokens: string[]
}

export const refreshApps = {
  memory: () => withStore(memoryStore()),
  'SQLite full': () => withStore(sqliteStore(openDatabase(process.env.SQLITE_FILE!))),
  Postgres: () => withStore(postgresStore(new pg.Pool({ connectionString: process.env.DATABASE_URL! }), { tablePrefix: 'http_' })),
  Redis: () => withStore(redisStore(new Redis(process.env.REDIS_URL!), { prefix: 'http:' })),
  '@fastify/jwt by hand': byHand,
  'oidc-provider': oidcProvider
}

export type RefreshAppName = keyof typeof refreshApps

/** Without grace, so that a client that refreshes at once rotates. */
async function withStore (store: SessionStore): Promise<RefreshApp> {
  const fastify = Fastify()
  await fastify.register(dualToken, { secret: SECRET, routes: { login: () => ({ user_id: randomUUID() }) }, sessions: { store, grace: 0 } })
  return await signedIn(fastify)
}

async function signedIn (fastify: FastifyInstance): Promise<RefreshApp> {
  const tokens = await Promise.all(Array.from({ length: CHAINS }, async () => {
    const reply = await fastify.inject({ method: 'POST', url: '/authorizations', payload: {} })
    return reply.json<{ refresh_token: string }>().refresh_token
  }))
  return {
    tokens,
    async listen () {
      await fastify.listen({ port: 0, host: '127.0.0.1' })
      return fastify.server
    }
  }
}

/** As it stands on the page. */
async function byHand (): Promise<RefreshApp> {
  const page = readFileSync(new URL('../docs/migration.md', import.meta.url), 'utf8')
  const block = /^### By hand\n+```ts\n([^]*?)^```$/m.exec(page)![1]!
  const body = block.split('\n').filter(line => !line.startsWith('import ')).join('\n')
  const { outputText } = ts.transpileModule(`async function make () {\n${body}\nreturn fastify\n}`, { compilerOptions: { target: ts.ScriptTarget.ES2022 } })
  const names = ['secret', 'login', 'now', 'fastifyJwt', 'Fastify', 'randomUUID']
  const make = compileFunction(`${outputText}\nreturn make()`, names) as (...values: unknown[]) => Promise<FastifyInstance>
  return await signedIn(await make(SECRET, async () => ({ user_id: randomUUID() }), Date.now, fastifyJwt, Fastify, randomUUID))
}

/** What is used of oidc-provider, which brings no types. */
interface Provider {
  callback (): RequestListener
  readonly Client: { find (id: string): Promise<object> }
  readonly Grant: new (of: object) => { addOIDCScope (scope: string): void, save (): Promise<string> }
  readonly RefreshToken: new (of: object) => { save (): Promise<string> }
}

/** Its memory adapter, rotation at each refresh, and no more to sign than needed: access tokens are opaque, and there is no ID token. */
async function oidcProvider (): Promise<RefreshApp> {
  const name: string = 'oidc-provider'
  const { default: Provider } = await import(name) as { default: new (issuer: string, options: object) => Provider }
  const provider = new Provider('http://127.0.0.1', {
    clients: [{
      client_id: 'bench', token_endpoint_auth_method: 'none', grant_types: ['authorization_code', 'refresh_token'], redirect_uris: ['https://bench.example/']
    }],
    findAccount: (_context: unknown, id: string) => ({ accountId: id, claims: () => ({ sub: id }) }),
    rotateRefreshToken: true,
    ttl: { AccessToken: 7200, RefreshToken: 1_209_600, Grant: 1_209_600 }
  })
  const client = await provider.Client.find('bench')
  const tokens = await Promise.all(Array.from({ length: CHAINS }, async () => {
    const accountId = randomUUID()
    const grant = new provider.Grant({ accountId, clientId: 'bench' })
    grant.addOIDCScope('offline_access')
    const grantId = await grant.save()
    return await new provider.RefreshToken({ accountId, client, grantId, gty: 'authorization_code', scope: 'offline_access' }).save()
  }))
  return {
    tokens,
    async listen () {
      const server = createServer(provider.callback()).listen(0, '127.0.0.1')
      await once(server, 'listening')
      return server
    }
  }
}
