// Ways around a guard that have nothing to do with the token: other methods, other hooks, other instances, other protocols.
import { createServer } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import { connect } from 'node:net'
import { once } from 'node:events'
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import { test, type Test } from 'tap'
import { dualToken } from '../../lib/index.ts'
import { bearer, createApp } from '../support/app.ts'
import { accessToken, claimsIn, NOW, OTHER_SECRET, refreshToken, SECRET } from '../support/tokens.ts'
import { listen, request } from '../support/wire.ts'

const TOKEN = accessToken()
const ROOT = { user_id: 1, refresh: false, exp: NOW + 60 } as const

async function createGuarded (t: Test, app: FastifyInstance): Promise<FastifyInstance> {
  t.teardown(() => app.close())
  await app.register(dualToken, { secret: SECRET, now: () => NOW * 1000 })
  app.get('/me', { preHandler: app.loginRequired }, async request => ({ user: request.user }))
  return app
}

test('setting request.user does not pass a guard', async t => {
  const app = Fastify()
  app.decorateRequest('user', null)
  app.addHook('onRequest', async request => { request.user = ROOT })
  await createGuarded(t, app)
  app.addHook('onRequest', async request => { request.user = ROOT })
  app.get('/late', { preHandler: [async (request: FastifyRequest) => { request.user = ROOT }, app.loginRequired] }, async () => 'in')
  t.equal((await app.inject('/late')).statusCode, 401)
  t.equal((await app.inject('/me')).statusCode, 401)
})

test('changing the header after the hook does not change the user that the guard sees', async t => {
  const app = await createGuarded(t, Fastify())
  app.addHook('preValidation', async request => { request.raw.headers.authorization = `Bearer ${TOKEN}` })
  app.get('/changed', { preHandler: app.loginRequired }, async request => ({ user: request.user }))
  t.equal((await app.inject('/changed')).statusCode, 401)
})

test('a refresh is for the user of the token, whatever request.user is by then', async t => {
  const { app } = await createApp(t, {
    routes: { login: () => null, preValidation: async request => { request.user = ROOT } }
  })
  const reply = await app.inject({ method: 'PUT', url: '/authorizations', headers: bearer(refreshToken()) })
  t.equal(claimsIn(reply.json().token).user_id, 7)
})

test('a guard works as onRequest, preValidation and preHandler, alone and in a list', async t => {
  const app = await createGuarded(t, Fastify())
  for (const hook of ['onRequest', 'preValidation', 'preHandler']) {
    app.get(`/${hook}`, { [hook]: app.loginRequired }, async () => 'in')
    app.get(`/${hook}/list`, { [hook]: [app.loginRequired] }, async () => 'in')
  }
  for (const hook of ['onRequest', 'preValidation', 'preHandler']) {
    for (const url of [`/${hook}`, `/${hook}/list`]) {
      t.equal((await app.inject(url)).statusCode, 401, url)
      t.equal((await app.inject({ url, headers: bearer(refreshToken()) })).statusCode, 403, url)
      t.equal((await app.inject({ url, headers: bearer(TOKEN) })).statusCode, 200, url)
    }
  }
})

test('no method goes around a guard', async t => {
  const app = await createGuarded(t, Fastify())
  app.addHttpMethod('PROPFIND', { hasBody: true })
  app.options('*', { preHandler: app.loginRequired }, async () => 'in')
  app.route({ method: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND'], url: '/all', preHandler: app.loginRequired, handler: async () => 'in' })
  const port = await listen(app)
  for (const target of ['GET /all', 'HEAD /all', 'POST /all', 'PUT /all', 'PATCH /all', 'DELETE /all', 'PROPFIND /all', 'OPTIONS /all', 'OPTIONS *', 'OPTIONS /any']) {
    t.equal((await request(port, target)).status, 401, target)
    t.equal((await request(port, target, [`Authorization: Bearer ${TOKEN}`])).status, 200, target)
  }
  for (const lines of [['Connection: Upgrade', 'Upgrade: websocket'], ['X-HTTP-Method-Override: OPTIONS'], ['X-Original-URL: /open'], ['X-Forwarded-For: 127.0.0.1']]) {
    t.equal((await request(port, 'GET /all', lines)).status, 401, lines.join())
  }
})

test('a guarded not-found handler is guarded', async t => {
  const app = await createGuarded(t, Fastify())
  app.setNotFoundHandler({ preHandler: app.loginRequired }, (_request, reply) => reply.code(404).send('nothing here'))
  t.equal((await app.inject('/nowhere')).statusCode, 401)
  t.equal((await app.inject({ url: '/nowhere', headers: bearer(TOKEN) })).statusCode, 404)
})

test('an instance inside another one has its own secret, guard and user', async t => {
  const app = await createGuarded(t, Fastify())
  await app.register(async inner => {
    await inner.register(dualToken, { secret: OTHER_SECRET, now: () => NOW * 1000 })
    inner.get('/inner', { preHandler: inner.loginRequired }, async request => ({ user: request.user }))
  })
  const inner = accessToken({ user_id: 8 }, OTHER_SECRET)
  t.equal((await app.inject({ url: '/inner', headers: bearer(inner) })).json().user.user_id, 8)
  t.equal((await app.inject({ url: '/inner', headers: bearer(TOKEN) })).statusCode, 401)
  t.equal((await app.inject({ url: '/me', headers: bearer(TOKEN) })).json().user.user_id, 7)
  t.equal((await app.inject({ url: '/me', headers: bearer(inner) })).statusCode, 401)
})

test('requests at the same time do not mix up their users', async t => {
  const { app } = await createApp(t, {
    routes: { login: () => null, loadUser: async userId => { await new Promise(setImmediate); return { user_id: userId } } }
  })
  const ids = Array.from({ length: 200 }, (_, i) => i + 1)
  const renewed = await Promise.all(ids.map(async id => {
    const reply = await app.inject({ method: 'PUT', url: '/authorizations', headers: bearer(refreshToken({ user_id: id })) })
    return claimsIn(reply.json().token).user_id
  }))
  t.same(renewed, ids)
})

test('a second Authorization line is detected when the server joins duplicate headers', async t => {
  const app = await createGuarded(t, Fastify({ serverFactory: handler => createServer({ joinDuplicateHeaders: true }, handler) }))
  const port = await listen(app)
  const lines = [`Authorization: Bearer ${TOKEN}`, 'Authorization:']
  for (const both of [lines, lines.toReversed()]) t.match((await request(port, 'GET /me', both)).body, /ACCESS_INVALID/)
  t.equal((await request(port, 'GET /me', lines.slice(0, 1))).status, 200)
})

test('a second Authorization line does not hide behind more lines than Node keeps', async t => {
  const app = await createGuarded(t, Fastify())
  const port = await listen(app)
  const good = `Authorization: Bearer ${TOKEN}`
  const filler = (count: number) => Array.from({ length: count }, () => 'a:')
  // From Node.js 22.23 on, a request with more lines than it keeps is refused by Node itself, with 431.
  t.match((await request(port, 'GET /me', [good, ...filler(2100), 'Authorization: Bearer x'])).body, /ACCESS_INVALID|Too Large/)
  t.match((await request(port, 'GET /me', [good, ...filler(997), 'Authorization: Bearer x'])).body, /ACCESS_INVALID|Too Large/)
  t.match((await request(port, 'GET /me', [good, ...filler(996), 'Authorization: Bearer x'])).body, /ACCESS_INVALID/)
  t.match((await request(port, 'GET /me', [...filler(2100), good])).body, /ACCESS_MISSING|Too Large/)
  t.equal((await request(port, 'GET /me', [...filler(900), good])).status, 200)
})

test('over HTTP/2 tokens are read and refused as over HTTP/1.1', async t => {
  const app = await createGuarded(t, Fastify({ http2: true }) as unknown as FastifyInstance)
  const port = await listen(app)
  const client = connectHttp2(`http://127.0.0.1:${port}`)
  t.teardown(() => client.close())
  const ask = async (headers: Record<string, string>) => {
    const stream = client.request({ ':path': '/me', ...headers })
    const [reply] = await once(stream, 'response')
    stream.resume()
    await once(stream, 'end')
    return reply
  }
  t.match(await ask(bearer(TOKEN)), { ':status': 200 })
  t.match(await ask({}), { ':status': 401, 'www-authenticate': 'Bearer' })
  t.match(await ask(bearer('x')), { ':status': 401, 'www-authenticate': /invalid_token/, 'cache-control': 'no-store' })
})

test('over HTTP/2 two authorization fields are invalid', async t => {
  const app = await createGuarded(t, Fastify({ http2: true }) as unknown as FastifyInstance)
  const port = await listen(app)
  const good = ['authorization', `Bearer ${TOKEN}`] as const
  t.match(await askHttp2(port, [good]), /"user_id":7/)
  for (const other of [good, ['authorization', ''], ['authorization', 'Basic x']] as const) {
    t.match(await askHttp2(port, [good, other]), /ACCESS_INVALID/)
    t.match(await askHttp2(port, [other, good]), /ACCESS_INVALID/)
  }
})

/** `GET /me` with these fields, in frames made by hand: Node's own client refuses to send one twice. */
async function askHttp2 (port: number, fields: ReadonlyArray<readonly [string, string]>): Promise<string> {
  const pseudo = [[':method', 'GET'], [':path', '/me'], [':scheme', 'http'], [':authority', 'localhost']] as const
  const block = Buffer.concat([...pseudo, ...fields].map(([name, value]) => Buffer.concat([Buffer.of(0), hpackText(name), hpackText(value)])))
  const socket = connect(port, '127.0.0.1')
  let received = ''
  socket.setEncoding('latin1')
  socket.write(Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(4, 0, 0, Buffer.alloc(0)), frame(1, 5, 1, block)]))
  while (!/\{.*\}/.test(received)) received += (await once(socket, 'data'))[0]
  socket.destroy()
  return received
}

/** A text as HPACK writes it without Huffman coding (RFC 7541 section 5.2). */
function hpackText (text: string): Buffer {
  const bytes: number[] = []
  let rest = text.length - 127
  if (rest < 0) return Buffer.concat([Buffer.of(text.length), Buffer.from(text)])
  for (; rest >= 128; rest >>= 7) bytes.push((rest & 127) | 128)
  return Buffer.concat([Buffer.of(127, ...bytes, rest), Buffer.from(text)])
}

function frame (type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}
