// oauth4webapi and openid-client, unmodified, over a real socket: from discovery to refresh to revocation.
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import Fastify, { type FastifyInstance } from 'fastify'
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { test, type Test } from 'tap'
import { dualToken, memoryStore, redisStore, type DualTokenOptions, type PairReply, type SessionStore } from '../../lib/index.ts'
import { ringKey } from '../support/key-pairs.ts'
import { openRedis, startRedis, withoutRedis } from '../support/redis.ts'
import { node, startServer } from '../support/server-process.ts'
import { claimsIn } from '../support/tokens.ts'

/** A store for a test; null: no sessions. */
type OpenStore = (t: Test) => Promise<SessionStore> | SessionStore | null

const SETTINGS: Readonly<Record<string, { skip: string | false, open: OpenStore }>> = {
  'without sessions': { skip: false, open: () => null },
  'sessions in memory': { skip: false, open: () => memoryStore() },
  'sessions in Redis': {
    skip: withoutRedis,
    open: async t => {
      const { client, prefix } = await openRedis(t)
      return redisStore(client, { prefix })
    }
  }
}

interface Server {
  readonly issuer: URL
  readonly app: FastifyInstance
  signIn (): Promise<PairReply>
}

/** An issuer has an address before its server listens. */
async function freePort (): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** @param path of the issuer: a proxy that strips it stands before the server */
async function start (t: Test, store: SessionStore | null, path = ''): Promise<Server> {
  const port = await freePort()
  const issuer = new URL(`http://127.0.0.1:${port}${path}`)
  const app = Fastify({ rewriteUrl: ({ url }) => path !== '' && url!.startsWith(path) ? url!.slice(path.length) : url! })
  t.teardown(() => app.close())
  const options: DualTokenOptions = {
    keys: [ringKey('EdDSA', 'k1')],
    jwks: true,
    oauth: true,
    issuer: issuer.href.replace(/\/$/, path === '' ? '/' : ''),
    routes: { login: ({ password }) => password === 'good' ? { user_id: 'ann', scope: 'notes' } : null, loadUser: () => ({ user_id: 'ann', scope: 'notes' }) },
    ...(store !== null && { sessions: { store } })
  }
  await app.register(dualToken, options)
  app.get('/me', { preHandler: app.loginRequired }, async request => request.user)
  await app.listen({ port, host: '127.0.0.1' })
  return {
    issuer,
    app,
    async signIn () {
      const reply = await fetch(`${issuer.origin}${path}/authorizations`, {
        method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"password":"good"}'
      })
      return await reply.json() as PairReply
    }
  }
}

/** What a promise rejects with; null when it does not. */
const errorOf = async (asked: Promise<unknown>): Promise<unknown> => await asked.then(() => null, error => error)

for (const [name, { skip, open }] of Object.entries(SETTINGS)) {
  for (const path of ['', '/tenant']) {
    const where = `${name}${path === '' ? '' : ', an issuer with a path'}`

    test(`oauth4webapi, ${where}`, { skip }, async t => {
      const store = await open(t)
      const { issuer, signIn } = await start(t, store, path)
      const [insecure, client, none] = [{ [oauth.allowInsecureRequests]: true }, { client_id: 'app' }, oauth.None()]
      const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure }))
      const me = new URL(`${issuer.origin}/me`)
      const { keys } = await (await fetch(server.jwks_uri!)).json() as { keys: object[] }
      t.equal(keys.length, 1)

      const pair = await signIn()
      const refresh = async (token: string) =>
        await oauth.processRefreshTokenResponse(server, client, await oauth.refreshTokenGrantRequest(server, client, none, token, insecure))
      const tokens = await refresh(pair.refresh_token)
      t.match(tokens, { token_type: 'bearer', expires_in: 7200, scope: 'notes' })
      t.equal(tokens.refresh_token === pair.refresh_token, store === null)
      t.equal((await oauth.protectedResourceRequest(tokens.access_token, 'GET', me, undefined, undefined, insecure)).status, 200)
      t.ok(await refresh(tokens.refresh_token!))

      for (const bad of ['nonsense', tokens.access_token]) {
        t.match(await errorOf(refresh(bad)), { name: 'ResponseBodyError', status: 400, error: 'invalid_grant' })
      }
      const grant = oauth.genericTokenEndpointRequest(server, client, none, 'password', { username: 'ann', password: 'good' }, insecure)
      t.match(await errorOf(oauth.processGenericTokenEndpointResponse(server, client, await grant)), { status: 400, error: 'unsupported_grant_type' })

      const revoke = async (token: string) =>
        await oauth.processRevocationResponse(await oauth.revocationRequest(server, client, none, token, insecure))
      for (const token of ['nonsense', tokens.refresh_token!, tokens.refresh_token!]) await revoke(token)
      const status = (await fetch(me, { headers: { authorization: `Bearer ${tokens.access_token}` } })).status
      if (store === null) {
        t.equal(status, 200, 'nothing can be revoked')
      } else {
        t.equal(status, 401)
        t.match(await errorOf(refresh(tokens.refresh_token!)), { status: 400, error: 'invalid_grant', error_description: 'The session was ended' })
      }
    })

    test(`openid-client, ${where}`, { skip }, async t => {
      const store = await open(t)
      const { issuer, signIn } = await start(t, store, path)
      const config = await openid.discovery(issuer, 'app', undefined, openid.None(), { algorithm: 'oauth2', execute: [openid.allowInsecureRequests] })
      t.equal(config.serverMetadata().token_endpoint, `${issuer.origin}${path}/authorizations/token`)
      const me = new URL(`${issuer.origin}/me`)

      const pair = await signIn()
      const tokens = await openid.refreshTokenGrant(config, pair.refresh_token, { scope: 'notes' })
      t.match(tokens, { expires_in: 7200, scope: 'notes' })
      t.equal(claimsIn(tokens.access_token).user_id, 'ann')
      t.equal((await openid.fetchProtectedResource(config, tokens.access_token, me, 'GET')).status, 200)
      const next = await openid.refreshTokenGrant(config, tokens.refresh_token!)

      t.match(await errorOf(openid.refreshTokenGrant(config, 'nonsense')), { status: 400, error: 'invalid_grant' })
      t.match(await errorOf(openid.clientCredentialsGrant(config)), { status: 400, error: 'unsupported_grant_type' })

      for (const token of ['nonsense', next.access_token]) await openid.tokenRevocation(config, token, { token_type_hint: 'access_token' })
      const refused = openid.refreshTokenGrant(config, next.refresh_token!)
      if (store === null) t.ok(await refused)
      else t.match(await errorOf(refused), { status: 400, error: 'invalid_grant' })
    })
  }
}

test('both clients say what happened while the store is down', async t => {
  const store = memoryStore()
  const { issuer, signIn } = await start(t, { ...store, rotate: async () => { throw new Error('down') }, revoke: async () => { throw new Error('down') } })
  const { refresh_token: token } = await signIn()
  const config = await openid.discovery(issuer, 'app', undefined, openid.None(), { algorithm: 'oauth2', execute: [openid.allowInsecureRequests] })
  t.match(await errorOf(openid.refreshTokenGrant(config, token)), { cause: { status: 503 } })
  const insecure = { [oauth.allowInsecureRequests]: true }
  const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure }))
  const reply = await oauth.refreshTokenGrantRequest(server, { client_id: 'app' }, oauth.None(), token, insecure)
  t.strictSame([reply.status, reply.headers.get('retry-after')], [503, '1'])
  t.match(await reply.json(), { error: 'temporarily_unavailable' })
})

/** The sessions of the example server, as its environment asks for them. */
const EXAMPLES: Readonly<Record<string, { skip: string | false, env: (t: Test) => Promise<NodeJS.ProcessEnv> | NodeJS.ProcessEnv }>> = {
  'without sessions': { skip: false, env: () => ({}) },
  'sessions in memory': { skip: false, env: () => ({ SESSIONS: 'memory' }) },
  'sessions in Redis': { skip: withoutRedis, env: async t => ({ REDIS_URL: process.env.REDIS_URL ?? (await startRedis(t)).url }) }
}

for (const [name, { skip, env }] of Object.entries(EXAMPLES)) {
  test(`the example server, ${name}: both clients find it, refresh and revoke`, { skip }, async t => {
    const port = await freePort()
    const issuer = new URL(`http://127.0.0.1:${port}`)
    const given = await env(t)
    await startServer(t, node('example-server.ts'), { ...given, PORT: String(port), ISSUER: issuer.href })
    const config = await openid.discovery(issuer, 'app', undefined, openid.None(), { algorithm: 'oauth2', execute: [openid.allowInsecureRequests] })
    const insecure = { [oauth.allowInsecureRequests]: true }
    const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure }))
    const signedIn = await fetch(new URL('/authorizations', issuer), {
      method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"username":"demo","password":"demo-password"}'
    })
    const pair = await signedIn.json() as PairReply
    const first = await openid.refreshTokenGrant(config, pair.refresh_token)
    const second = await oauth.processRefreshTokenResponse(server, { client_id: 'app' },
      await oauth.refreshTokenGrantRequest(server, { client_id: 'app' }, oauth.None(), first.refresh_token!, insecure))
    const me = async () => (await openid.fetchProtectedResource(config, second.access_token, new URL('/me', issuer), 'GET')).status
    t.equal(await me(), 200)
    await oauth.processRevocationResponse(await oauth.revocationRequest(server, { client_id: 'app' }, oauth.None(), second.refresh_token!, insecure))
    await openid.tokenRevocation(config, second.access_token)
    if (Object.keys(given).length === 0) t.equal(await me(), 200, 'nothing can be revoked')
    else t.match(await errorOf(me()), { cause: [{ scheme: 'bearer', parameters: { error: 'invalid_token' } }] })
  })
}
