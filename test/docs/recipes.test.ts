// docs/recipes.md, run as it stands: the plugin among the others that applications use.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { mock } from 'node:test'
import type { FastifyInstance, LightMyRequestResponse } from 'fastify'
import { test, type Test } from 'tap'
import { WebSocket } from 'ws'
import type { PairReply } from '../../lib/index.ts'
import { bearer } from '../support/app.ts'
import { blocksOf, follow } from '../support/recipe.ts'
import { startServer } from '../support/server-process.ts'
import { NOW, SECRET } from '../support/tokens.ts'

const PAGE = 'docs/recipes.md'

function signIn (fastify: FastifyInstance, username: string, password = 'good', more: object = {}): Promise<LightMyRequestResponse> {
  return fastify.inject({ method: 'POST', url: '/authorizations', payload: { username, password }, ...more })
}

test('@fastify/rate-limit: sign-ins are limited by address and by account, renewals are not', async t => {
  const fastify = await follow(t, blocksOf(PAGE, 'Limit sign-ins: @fastify/rate-limit', 'ts')[0]!)
  const statuses = async (count: number, once: (index: number) => Promise<LightMyRequestResponse>) => {
    const found: number[] = []
    for (let index = 0; index < count; index++) found.push((await once(index)).statusCode)
    return found
  }
  const { refresh_token: refreshToken } = (await signIn(fastify, 'honest', 'good', { remoteAddress: '192.0.2.1' })).json()

  t.strictSame(await statuses(6, index => signIn(fastify, `user-${index}`, 'bad', { remoteAddress: '192.0.2.2' })), [401, 401, 401, 401, 401, 429])
  const tries = await statuses(21, index => signIn(fastify, 'victim', 'bad', { remoteAddress: `198.51.100.${index}` }))
  t.strictSame(tries, [...Array<number>(20).fill(401), 429])
  t.equal((await signIn(fastify, 'victim', 'good', { remoteAddress: '192.0.2.30' })).statusCode, 429)
  t.equal((await signIn(fastify, 'honest', 'good', { remoteAddress: '192.0.2.30' })).statusCode, 201)

  const renew = () => fastify.inject({ method: 'PUT', url: '/authorizations', headers: bearer(refreshToken), remoteAddress: '192.0.2.2' })
  t.strictSame(new Set(await statuses(20, renew)), new Set([201]))
})

test('@fastify/auth: our guard works in lists with or and with and', async t => {
  const fastify = await follow(t, blocksOf(PAGE, 'One guard or another: @fastify/auth', 'ts')[0]!)
  const token = (await fastify.dualToken.issueTokens({ user_id: 7 })).token
  const key = { 'x-api-key': 'an API key for machines' }
  const statusOf = async (url: string, headers: Record<string, string>) => (await fastify.inject({ url, headers })).statusCode

  t.equal(await statusOf('/report', key), 200)
  t.equal(await statusOf('/report', bearer(token)), 200)
  const refusal = await fastify.inject('/report')
  t.equal(refusal.statusCode, 401)
  t.equal(refusal.headers['www-authenticate'], 'Bearer')

  t.equal(await statusOf('/vault', { ...key, ...bearer(token) }), 200)
  t.equal(await statusOf('/vault', key), 401)
  t.not(await statusOf('/vault', bearer(token)), 200)
})

/** Connects; resolves to the first message, or to the status of the refusal. */
async function connect (t: Test, url: string, protocols: string[], headers: Record<string, string>): Promise<{ socket: WebSocket, answer: string }> {
  const socket = new WebSocket(url, protocols, { headers })
  t.teardown(() => socket.terminate())
  return await new Promise(resolve => {
    socket.once('message', message => resolve({ socket, answer: String(message) }))
    socket.once('unexpected-response', (request, response) => {
      request.destroy()
      resolve({ socket, answer: String(response.statusCode) })
    })
    socket.on('error', () => {}) // of the request that is destroyed
  })
}

test('@fastify/websocket: the guard checks the upgrade, and the socket closes with its session or its token', async t => {
  mock.timers.enable({ apis: ['setInterval', 'Date'], now: NOW * 1000 })
  t.teardown(() => mock.timers.reset())
  const fastify = await follow(t, blocksOf(PAGE, 'Web sockets: @fastify/websocket', 'ts')[0]!)
  const url = (await fastify.listen({ port: 0, host: '127.0.0.1' })).replace('http', 'ws') + '/live'

  t.equal((await connect(t, url, [], {})).answer, '401')
  const pair = (await signIn(fastify, 'ann')).json()
  t.equal((await connect(t, url, [], bearer(pair.refresh_token))).answer, '403')

  await t.test('at once, when the session ends on this process', async t => {
    const { socket, answer } = await connect(t, url, [], bearer(pair.token))
    t.equal(answer, 'Hello ann')
    const closed = once(socket, 'close')
    await fastify.inject({ method: 'DELETE', url: '/authorizations', headers: bearer(pair.token) })
    t.equal((await closed)[0], 4401)
  })

  await t.test('within two seconds, when its token expires', async t => {
    const { token } = (await signIn(fastify, 'ann')).json()
    const { socket } = await connect(t, url, [], bearer(token))
    const closed = once(socket, 'close')
    mock.timers.tick(7_202_000)
    t.equal((await closed)[0], 4401)
  })
})

test('@fastify/websocket: a browser sends the token as a subprotocol', async t => {
  const fastify = await follow(t, blocksOf(PAGE, 'Web sockets: @fastify/websocket', 'ts')[1]!)
  fastify.get('/me', { preHandler: fastify.loginRequired }, async request => ({ user_id: request.user?.user_id }))
  const { token } = await fastify.dualToken.issueTokens({ user_id: 7 })

  const reply = await fastify.inject({ url: '/me', headers: { 'sec-websocket-protocol': `bearer, ${token}` } })
  t.strictSame([reply.statusCode, reply.json()], [200, { user_id: 7 }])
  for (const protocols of ['bearer', `chat, ${token}`, `bearer, ${token}x`]) {
    t.equal((await fastify.inject({ url: '/me', headers: { 'sec-websocket-protocol': protocols } })).statusCode, 401, protocols)
  }
  const headers = { 'sec-websocket-protocol': `bearer, ${token}`, authorization: 'Bearer x' }
  t.equal((await fastify.inject({ url: '/me', headers })).statusCode, 401, 'the header, where there is one, counts')
})

test('@fastify/helmet: its headers and ours are on refusals and on token replies', async t => {
  const fastify = await follow(t, blocksOf(PAGE, 'Security headers: @fastify/helmet', 'ts')[0]!)
  const refusal = await fastify.inject('/me')
  t.equal(refusal.statusCode, 401)
  t.equal(refusal.headers['www-authenticate'], 'Bearer')
  t.equal(refusal.headers['x-frame-options'], 'SAMEORIGIN')
  t.match(refusal.headers['content-security-policy'], /default-src 'self'/)

  const reply = await signIn(fastify, 'ann')
  t.equal(reply.statusCode, 201)
  t.equal(reply.headers['cache-control'], 'no-store')
  t.equal(reply.headers['x-frame-options'], 'DENY')
})

test('@fastify/cors: a preflight passes, the route behind it stays guarded', async t => {
  const fastify = await follow(t, blocksOf(PAGE, 'Other origins: @fastify/cors', 'ts')[0]!)
  const origin = 'https://app.example'
  const preflight = (url: string, method: string) => fastify.inject({
    method: 'OPTIONS',
    url,
    headers: { origin, 'access-control-request-method': method, 'access-control-request-headers': 'authorization' }
  })
  for (const [url, method] of [['/me', 'GET'], ['/authorizations', 'POST'], ['/authorizations', 'PUT']] as const) {
    const reply = await preflight(url, method)
    t.equal(reply.statusCode, 204, `${method} ${url}`)
    t.equal(reply.headers['access-control-allow-origin'], origin)
    t.match(reply.headers['access-control-allow-methods'], new RegExp(`\\b${method}\\b`))
    t.equal(reply.headers['access-control-allow-headers'], 'authorization')
  }

  const refusal = await fastify.inject({ url: '/me', headers: { origin } })
  t.equal(refusal.statusCode, 401)
  t.equal(refusal.headers['access-control-allow-origin'], origin, 'so that the page can read why')
  t.match(refusal.headers['access-control-expose-headers'], /WWW-Authenticate/)
  const { token } = (await signIn(fastify, 'ann')).json()
  t.equal((await fastify.inject({ url: '/me', headers: { origin, ...bearer(token) } })).statusCode, 200)
})

test('fastify-cli and @fastify/autoload: routes in their own files can use the guards', async t => {
  const files = blocksOf(PAGE, 'fastify-cli and @fastify/autoload', 'js')
  const codeOf = (name: string) => files.find(block => block.startsWith(`// ${name}\n`))!
  const folder = t.testdir({
    // As "fastify generate --esm" makes it.
    'app.js': readFileSync('node_modules/fastify-cli/templates/app-esm/app.js', 'utf8'),
    '.env': `JWT_SECRET=${SECRET}\n`,
    'users.js': "export const login = ({ username, password }) => password === 'good' ? { user_id: username } : null\n",
    plugins: { 'dual-token.js': codeOf('plugins/dual-token.js') },
    routes: { me: { 'index.js': codeOf('routes/me/index.js') } }
  })
  const command = [process.execPath, resolve('node_modules/fastify-cli/cli.js'), 'start', '--log-level', 'info', 'app.js']
  const { url } = await startServer(t, ['sh', '-c', 'cd "$0" && exec "$@"', folder, ...command])

  t.equal((await fetch(`${url}/me`)).status, 401)
  const reply = await fetch(`${url}/authorizations`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ username: 'ann', password: 'good' })
  })
  const { token } = await reply.json() as PairReply
  t.match(await (await fetch(`${url}/me`, { headers: bearer(token) })).json(), { user_id: 'ann' })
})

test('fastify.inject: a token for anybody, and a clock that moves', async t => {
  const fastify = await follow(t, blocksOf(PAGE, 'In your own tests: fastify.inject', 'ts')[0]!)
  t.equal((await fastify.inject('/me')).statusCode, 401)
})

test('trustProxy: a session records only an address from a trusted proxy', async t => {
  const fastify = await follow(t, blocksOf(PAGE, 'Behind a proxy: trustProxy', 'ts')[0]!)
  await signIn(fastify, 'ann', 'good', { remoteAddress: '127.0.0.1', headers: { 'x-forwarded-for': '192.0.2.7' } })
  await signIn(fastify, 'bob', 'good', { remoteAddress: '198.51.100.1', headers: { 'x-forwarded-for': '192.0.2.7' } })
  t.equal((await fastify.dualToken.listSessions('ann'))[0]?.ip, '192.0.2.7')
  t.equal((await fastify.dualToken.listSessions('bob'))[0]?.ip, '198.51.100.1')
})
