// RFC 9110 and 9112 over a real socket: every way of writing, doubling, folding and breaking an Authorization header.
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'tap'
import { createApp } from '../support/app.ts'
import { accessToken, refreshToken } from '../support/tokens.ts'
import { INVALID_CHALLENGE, listen, parseReply, request, sendBytes } from '../support/wire.ts'

const TOKEN = accessToken()
const OTHER_TOKEN = accessToken({ user_id: 8 })

const MISSING = { status: 401, headers: { 'www-authenticate': 'Bearer' }, body: /"FST_DUAL_TOKEN_ACCESS_MISSING"/ }
const INVALID = { status: 401, headers: { 'www-authenticate': INVALID_CHALLENGE }, body: /"FST_DUAL_TOKEN_ACCESS_INVALID"/ }

test('the name of the scheme is case-insensitive, and so is that of the header', async t => {
  const { app } = await createApp(t)
  const port = await listen(app)
  for (const name of ['Authorization', 'authorization', 'AUTHORIZATION', 'aUtHoRiZaTiOn']) {
    for (const scheme of ['Bearer', 'bearer', 'BEARER', 'bEaReR']) {
      t.match(await request(port, 'GET /me', [`${name}: ${scheme} ${TOKEN}`]), { status: 200, body: /"user_id":7/ })
    }
  }
})

test('one space or several may stand between the scheme and the token', async t => {
  const { app } = await createApp(t)
  const port = await listen(app)
  for (const gap of [' ', '  ', ' '.repeat(100)]) {
    t.equal((await request(port, 'GET /me', [`Authorization: Bearer${gap}${TOKEN}`])).status, 200)
  }
})

test('blanks around the value are not part of it', async t => {
  const { app } = await createApp(t)
  const port = await listen(app)
  for (const line of [`Authorization:Bearer ${TOKEN}`, `Authorization: \t Bearer ${TOKEN}`, `Authorization: Bearer ${TOKEN} \t `]) {
    t.equal((await request(port, 'GET /me', [line])).status, 200)
  }
})

test('no header, an empty one, Bearer alone and another scheme are no token at all', async t => {
  const { app } = await createApp(t)
  const port = await listen(app)
  for (const value of [
    '', ' ', 'Bearer', 'Bearer ', 'bearer   ', 'Bearer\t', 'Basic dXNlcjpwYXNz', `Basic ${TOKEN}`, `Token ${TOKEN}`, `JWT ${TOKEN}`,
    `DPoP ${TOKEN}`, `BearerToken ${TOKEN}`, `Bearer,${TOKEN}`, `Bearer:${TOKEN}`, `Bearer=${TOKEN}`, `Bearer${TOKEN}`, `"Bearer" ${TOKEN}`,
    `Bear ${TOKEN}`, TOKEN, `Bearer\xa0${TOKEN}`, 'Digest username="Bearer"', `Basic x, Bearer ${TOKEN}`
  ]) {
    t.match(await request(port, 'GET /me', [`Authorization: ${value}`]), MISSING, JSON.stringify(value))
  }
  t.match(await request(port, 'GET /me', []), MISSING)
})

test('a TAB where the space belongs, and anything around the token, make it invalid', async t => {
  const { app } = await createApp(t)
  const port = await listen(app)
  for (const value of [
    `Bearer\t${TOKEN}`, `Bearer \t${TOKEN}`, `Bearer\t ${TOKEN}`, `Bearer ${TOKEN} x`, `Bearer ${TOKEN}\t${TOKEN}`, `Bearer ${TOKEN},`,
    `Bearer ${TOKEN}, Basic x`, `Bearer ${TOKEN};`, `Bearer "${TOKEN}"`, `Bearer <${TOKEN}>`, `Bearer Bearer ${TOKEN}`, `Bearer realm="x", ${TOKEN}`,
    `Bearer \xa0${TOKEN}`, `Bearer ${TOKEN}\xe9`, `Bearer ${TOKEN}\xff`, `Bearer =${TOKEN}`
  ]) {
    t.match(await request(port, 'GET /me', [`Authorization: ${value}`]), INVALID, JSON.stringify(value))
  }
})

test('two Authorization lines are invalid, whatever they say and however they are written', async t => {
  const { app } = await createApp(t)
  const port = await listen(app)
  const good = `Authorization: Bearer ${TOKEN}`
  for (const other of [
    good, `authorization: Bearer ${TOKEN}`, `AUTHORIZATION: Bearer ${OTHER_TOKEN}`, 'Authorization:', 'authorization: ', 'Authorization: Basic dXNlcjpwYXNz',
    'Authorization: Bearer', 'Authorization: Bearer x', `Authorization: Bearer ${refreshToken()}`
  ]) {
    t.match(await request(port, 'GET /me', [good, other]), INVALID, `before ${other}`)
    t.match(await request(port, 'GET /me', [other, good]), INVALID, `after ${other}`)
    t.match(await request(port, 'GET /me', [other, 'X-Between: 1', good]), INVALID, 'with a line between them')
  }
  t.match(await request(port, 'GET /me', ['Authorization:', 'Authorization:']), INVALID, 'both empty')
  t.match(await request(port, 'GET /me', ['Authorization: Basic a', 'Authorization: Basic b']), INVALID, 'both of another scheme')
  t.match(await request(port, 'PUT /authorizations', [`Authorization: Bearer ${refreshToken()}`, good]),
    { status: 403, body: /"FST_DUAL_TOKEN_REFRESH_INVALID"/ })
})

test('two Authorization lines do not disturb signing in', async t => {
  const { app } = await createApp(t)
  const lines = ['Authorization: Basic a', 'authorization: \xff', 'Content-Type: application/json']
  t.equal((await request(await listen(app), 'POST /authorizations', lines, '{"password":"good"}')).status, 201)
})

test('a line that only looks like Authorization is ignored', async t => {
  const { app } = await createApp(t)
  const port = await listen(app)
  for (const line of [`Authorisation: Bearer ${TOKEN}`, `X-Authorization: Bearer ${TOKEN}`, `Authorizatio: Bearer ${TOKEN}`, `Authorization_: Bearer ${TOKEN}`]) {
    t.match(await request(port, 'GET /me', [line]), MISSING)
    t.equal((await request(port, 'GET /me', [line, `Authorization: Bearer ${TOKEN}`])).status, 200)
  }
})

test('a folded header, a control character and a blank before the colon are a bad request (RFC 9112 section 5)', async t => {
  const { app } = await createApp(t)
  const port = await listen(app)
  for (const lines of [
    ['Authorization: Bearer', ` ${TOKEN}`],
    ['Authorization: Bearer', `\t${TOKEN}`],
    [`Authorization: Bearer ${TOKEN}`, ' x'],
    [`Authorization : Bearer ${TOKEN}`],
    [`Authorization\t: Bearer ${TOKEN}`],
    [` Authorization: Bearer ${TOKEN}`],
    [`Authorization\0: Bearer ${TOKEN}`],
    [`Authorization: Bearer ${TOKEN}\0`],
    [`Authorization: Bearer \0${TOKEN}`],
    [`Authorization: Bearer ${TOKEN}\rx`],
    [`Authorization: Bearer ${TOKEN}\x01`],
    [`Authorization: Bearer ${TOKEN}\x7f`],
    [`Authorization: Bearer \x1b[31m${TOKEN}`],
    [`Auth\xe9rization: Bearer ${TOKEN}`],
    [`: Bearer ${TOKEN}`],
    [`Bearer ${TOKEN}`]
  ]) {
    const reply = await request(port, 'GET /me', lines)
    t.equal(reply.status, 400, JSON.stringify(lines))
    t.notMatch(reply.body, 'user_id')
  }
  t.equal((await request(port, 'GET /me', [`Authorization: Bearer ${TOKEN}`])).status, 200, 'the server lives on')
})

test('bytes beyond ASCII are read as Latin-1 and make a token invalid', async t => {
  const { app } = await createApp(t)
  const port = await listen(app)
  for (let byte = 0x80; byte <= 0xff; byte += 1) {
    const reply = await request(port, 'GET /me', [`Authorization: Bearer ${TOKEN.slice(0, -1)}${String.fromCharCode(byte)}`])
    if (reply.status !== 401) t.fail(`byte ${byte} got ${reply.status}`)
  }
  t.match(await request(port, 'GET /me', [`Authorization: Bearer ${Buffer.from('ｅ.é.😀').toString('latin1')}`]), INVALID)
})

test('16 KB of headers are too many for the server, a little less are too long for a token', async t => {
  const { app } = await createApp(t)
  const port = await listen(app)
  t.equal((await request(port, 'GET /me', [`Authorization: Bearer ${'a'.repeat(16_384)}`])).status, 431)
  t.equal((await request(port, 'GET /me', [`Authorization: Bearer ${TOKEN}`, `X-Filler: ${'a'.repeat(16_384)}`])).status, 431)
  t.match(await request(port, 'GET /me', [`Authorization: Bearer ${'a'.repeat(16_000)}`]), INVALID)
  t.match(await request(port, 'GET /me', [`Authorization: Bearer ${'.'.repeat(16_000)}`]), INVALID)
  t.equal((await request(port, 'GET /me', [`Authorization: Bearer${' '.repeat(15_000)}${TOKEN}`])).status, 200)
})

test('an Authorization in the trailers of a chunked body is not one of the request', async t => {
  const { app } = await createApp(t)
  const port = await listen(app)
  const chunked = (target: string, token: string) => `${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n` +
    `Transfer-Encoding: chunked\r\nTrailer: Authorization\r\n\r\n2\r\n{}\r\n0\r\nAuthorization: Bearer ${token}\r\n\r\n`
  t.match(parseReply(await sendBytes(port, chunked('GET /me', TOKEN))), MISSING)
  t.match(parseReply(await sendBytes(port, chunked('PUT /authorizations', refreshToken()))), { status: 403, body: /REFRESH_MISSING/ })
})

test('the challenge is one line, and HEAD gets it without a body', async t => {
  const { app } = await createApp(t)
  const port = await listen(app)
  const head = await request(port, 'HEAD /me')
  t.match(head, { status: 401, headers: { 'www-authenticate': 'Bearer', 'cache-control': 'no-store' } })
  t.equal(head.body, '')
  const bad = await request(port, 'GET /me', ['Authorization: Bearer x'])
  t.equal(bad.headers['www-authenticate'], INVALID_CHALLENGE)
  t.equal(bad.bytes.match(/www-authenticate/gi)?.length, 1)
})

test('an absolute target and an HTTP/1.0 request are guarded alike', async t => {
  const { app } = await createApp(t)
  const port = await listen(app)
  t.match(await request(port, 'GET http://localhost/me'), MISSING)
  t.equal((await request(port, 'GET http://localhost/me', [`Authorization: Bearer ${TOKEN}`])).status, 200)
  t.match(parseReply(await sendBytes(port, 'GET /me HTTP/1.0\r\n\r\n')), MISSING)
  t.equal(parseReply(await sendBytes(port, `GET /me HTTP/1.0\r\nAuthorization: Bearer ${TOKEN}\r\n\r\n`)).status, 200)
})

test('a refresh that expects 100 Continue gets it', async t => {
  const { app } = await createApp(t)
  const port = await listen(app)
  const renewal = (token: string) => request(port, 'PUT /authorizations', [`Authorization: Bearer ${token}`, 'Expect: 100-continue'], '{}')
  t.match((await renewal(refreshToken())).bytes, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 201 Created\r\n/)
  t.match((await renewal('x')).bytes, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 403 Forbidden\r\n/)
})

test('requests in one pipeline do not see each other\'s users', async t => {
  const { app } = await createApp(t)
  const port = await listen(app)
  const line = (authorization: string, last = false) =>
    `GET /open HTTP/1.1\r\nHost: localhost\r\n${authorization}${last ? 'Connection: close\r\n' : ''}\r\n`
  const received = await sendBytes(port, [
    line(`Authorization: Bearer ${TOKEN}\r\n`), line(''), line(`Authorization: Bearer ${OTHER_TOKEN}\r\n`), line('Authorization: Bearer x\r\n'),
    line(`Authorization: Bearer ${TOKEN}\r\nAuthorization: Bearer ${OTHER_TOKEN}\r\n`), line(`Authorization: Bearer ${TOKEN}\r\n`, true)
  ].join(''))
  const users = [...received.matchAll(/\{"user":.*\}/g)].map(([body]) => JSON.parse(body).user?.user_id ?? null)
  t.same(users, [7, null, 8, null, null, 7])
})

test('a body that is cut off in the middle leaves the server alive', async t => {
  const { app } = await createApp(t)
  const port = await listen(app)
  for (const target of ['POST', 'PUT']) {
    for (const length of ['Content-Length: 1000', 'Transfer-Encoding: chunked']) {
      const arrival = once(app.server, 'request')
      const socket = connect(port, '127.0.0.1')
      socket.write(`${target} /authorizations HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${refreshToken()}\r\n` +
        `Content-Type: application/json\r\n${length}\r\n\r\n3e8\r\n{"pass`)
      const [{ socket: connection }] = await arrival
      const closed = new Promise(resolve => connection.on('close', resolve))
      socket.resetAndDestroy()
      await closed
    }
  }
  t.equal((await request(port, 'GET /me', [`Authorization: Bearer ${TOKEN}`])).status, 200)
})

test('bytes that are not HTTP leave the server alive', async t => {
  const { app } = await createApp(t)
  const port = await listen(app)
  for (const bytes of ['\0'.repeat(100), 'hello\r\n\r\n', '\x16\x03\x01\x02\x00\x01\x00', 'GET /me\r\n\r\n', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', `${TOKEN}\r\n\r\n`]) {
    t.match(await sendBytes(port, bytes), /^HTTP\/1\.1 4\d\d /)
  }
  t.equal((await request(port, 'GET /me', [`Authorization: Bearer ${TOKEN}`])).status, 200)
})

test('a request that could be read as two is refused by the server before any guard', async t => {
  const { app } = await createApp(t)
  const port = await listen(app)
  for (const lines of [
    ['Content-Length: 5', 'Transfer-Encoding: chunked'],
    ['Content-Length: 5', 'Content-Length: 6'],
    ['Transfer-Encoding: chunked, identity'],
    ['Content-Length: -1'],
    ['Content-Length: 1e1']
  ]) {
    t.equal((await request(port, 'PUT /authorizations', [`Authorization: Bearer ${refreshToken()}`, ...lines])).status, 400, lines.join())
  }
})
