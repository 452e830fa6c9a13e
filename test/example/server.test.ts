import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'tap'
import { newFile, opensFiles } from '../support/sqlite.ts'
import { node, start, startServer } from '../support/server-process.ts'

const COMMAND = node('example-server.ts')
const DEMO = { username: 'demo', password: 'demo-password' }

interface Reply {
  readonly status: number
  readonly body: Record<string, unknown>
}

async function send (url: string, method: string, token?: string, body?: object): Promise<Reply> {
  const response = await fetch(url, {
    method,
    headers: {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { 'content-type': 'application/json' })
    },
    ...(body !== undefined && { body: JSON.stringify(body) })
  })
  return { status: response.status, body: await response.json() as Record<string, unknown> }
}

async function signIn (url: string): Promise<{ access: string, refresh: string }> {
  const { status, body } = await send(`${url}/authorizations`, 'POST', undefined, DEMO)
  if (status !== 201) throw new Error(`Sign-in answered ${status}`)
  return { access: String(body.token), refresh: String(body.refresh_token) }
}

test('the example server serves a whole sign-in', async t => {
  const server = await startServer(t, COMMAND)
  const { url } = server
  const { access, refresh } = await signIn(url)

  await t.test('names its demo user and the missing secret in its log', async t => {
    t.ok(server.log.some(line => line.includes('demo') && line.includes('demo-password')))
    t.ok(server.log.some(line => line.includes('JWT_SECRET is not set')))
  })

  await t.test('refuses a wrong password and an unknown user with the same answer', async t => {
    const wrong = await send(`${url}/authorizations`, 'POST', undefined, { ...DEMO, password: 'demo' })
    const unknown = await send(`${url}/authorizations`, 'POST', undefined, { ...DEMO, username: 'nobody' })
    t.equal(wrong.status, 401)
    t.equal(wrong.body.code, 'FST_DUAL_TOKEN_LOGIN_REFUSED')
    t.same(unknown, wrong)
  })

  await t.test('refuses credentials of another shape', async t => {
    t.equal((await send(`${url}/authorizations`, 'POST', undefined, { username: 'demo' })).status, 400)
    t.equal((await send(`${url}/authorizations`, 'POST', undefined, { ...DEMO, password: 'x'.repeat(257) })).status, 400)
  })

  await t.test('GET /me answers request.user, only to an access token', async t => {
    const { status, body } = await send(`${url}/me`, 'GET', access)
    t.equal(status, 200)
    t.match(body, { user_id: 'demo', refresh: false, iat: Number, exp: Number })
    t.equal((await send(`${url}/me`, 'GET')).status, 401)
    t.equal((await send(`${url}/me`, 'GET', refresh)).status, 403)
  })

  await t.test('GET /open answers everyone, with the user or null', async t => {
    t.same(await send(`${url}/open`, 'GET'), { status: 200, body: { user: null } })
    t.same(await send(`${url}/open`, 'GET', 'forged'), { status: 200, body: { user: null } })
    t.match(await send(`${url}/open`, 'GET', access), { status: 200, body: { user: { user_id: 'demo', refresh: false } } })
    t.match(await send(`${url}/open`, 'GET', refresh), { status: 200, body: { user: { user_id: 'demo', refresh: true } } })
  })

  await t.test('PUT /authorizations renews the access token, only for a refresh token', async t => {
    const { status, body } = await send(`${url}/authorizations`, 'PUT', refresh)
    t.equal(status, 201)
    t.equal((await send(`${url}/me`, 'GET', String(body.token))).status, 200)
    t.equal((await send(`${url}/authorizations`, 'PUT', access)).status, 403)
    t.equal((await send(`${url}/authorizations`, 'PUT')).status, 403)
  })

  await t.test('a sign-in beyond the limit gets a 503', async t => {
    const body = JSON.stringify({ ...DEMO, password: 'wrong' })
    const request = 'POST /authorizations HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n' +
      `content-length: ${body.length}\r\n\r\n${body}`
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    t.teardown(() => socket.destroy())
    // All in one packet: the server has read the last before the first hash is done.
    socket.write(request.repeat(33))
    let text = ''
    socket.setEncoding('latin1').on('data', chunk => { text += chunk })
    while (!text.includes('HTTP/1.1 503')) await once(socket, 'data')
    t.equal(text.match(/HTTP\/1\.1 401/g)?.length, 32)
    t.match(text, /retry-after: 1\r\n/)
  })

  await t.test('SIGTERM ends it with 0, whatever connections are kept alive', async t => {
    const idle = connect(Number(new URL(url).port), '127.0.0.1')
    t.teardown(() => idle.destroy())
    idle.write('GET /open HTTP/1.1\r\nhost: a\r\n\r\n')
    await once(idle, 'data')
    server.process.kill('SIGTERM')
    await once(idle, 'close')
    t.equal(await server.ended, 0)
  })
})

test('npm start passes SIGTERM on to the server and leaves nothing behind', async t => {
  const server = await startServer(t, ['npm', 'start'])
  server.process.kill('SIGTERM')
  t.equal(await server.ended, 0)
  await t.rejects(fetch(`${server.url}/open`))
})

test('the secret and the lifetime come from the environment', async t => {
  const env = { JWT_SECRET: 'kFJz0cQ8vYt3mW1nXb7rL5pGhD2sUa9E', ACCESS_EXPIRES_IN: '90s' }
  const first = await startServer(t, COMMAND, env)
  const { access } = await signIn(first.url)
  t.notOk(first.log.some(line => line.includes('JWT_SECRET is not set')))
  first.process.kill('SIGINT')
  t.equal(await first.ended, 0)

  const second = await startServer(t, COMMAND, env)
  const { status, body } = await send(`${second.url}/me`, 'GET', access)
  t.equal(status, 200)
  t.equal(Number(body.exp) - Number(body.iat), 90)
})

test('SESSIONS=sqlite keeps sessions in a file, where Node.js has node:sqlite, and else says in one line what to install', async t => {
  const env = { SESSIONS: 'sqlite', SQLITE_FILE: newFile(t), JWT_SECRET: 'kFJz0cQ8vYt3mW1nXb7rL5pGhD2sUa9E' }
  if (!opensFiles) {
    const { ended, log } = start(t, COMMAND, env)
    t.equal(await ended, 1)
    t.strictSame(log.filter(line => !line.startsWith('{')), [
      'Cannot start: sqliteStore needs Node.js 22.13 or later to open a file; on an older one run npm install libsql, ' +
      'and hand it new Database(path) of libsql instead of the path.'
    ])
    return
  }
  const first = await startServer(t, COMMAND, env)
  const { refresh } = await signIn(first.url)
  first.process.kill('SIGTERM')
  t.equal(await first.ended, 0)
  const second = await startServer(t, COMMAND, env)
  t.equal((await send(`${second.url}/authorizations`, 'PUT', refresh)).status, 201)
})

test('a connection that never sends a request is cut off at shutdown', async t => {
  const server = await startServer(t, COMMAND)
  const silent = connect(Number(new URL(server.url).port), '127.0.0.1')
  t.teardown(() => silent.destroy())
  await once(silent, 'connect')
  server.process.kill('SIGTERM')
  t.equal(await server.ended, 0)
})

test('a failed start prints one line that says why', async t => {
  const server = await startServer(t, COMMAND)
  const cases: Array<[string, NodeJS.ProcessEnv, RegExp]> = [
    ['a port in use', { PORT: new URL(server.url).port }, /EADDRINUSE.*127\.0\.0\.1:\d+/],
    ['a port that is no number', { PORT: 'http' }, /PORT must be a number from 0 to 65535/],
    ['a port beyond the last', { PORT: '65536' }, /PORT must be/],
    ['an empty port', { PORT: '' }, /PORT must be/],
    ['a short secret', { JWT_SECRET: 'secret' }, /JWT_SECRET must be at least 32 bytes/],
    ['an empty secret', { JWT_SECRET: '' }, /JWT_SECRET must not be blank/],
    ['a lifetime that is none', { ACCESS_EXPIRES_IN: 'soon' }, /ACCESS_EXPIRES_IN must be/],
    ['a grace that is none', { SESSIONS: 'memory', GRACE: 'soon' }, /GRACE must be/]
  ]
  const attempts = cases.map(([name, env, pattern]) => ({ name, pattern, ...start(t, COMMAND, env) }))
  for (const { name, pattern, ended, log } of attempts) {
    await t.test(name, async t => {
      t.equal(await ended, 1)
      const complaints = log.filter(line => !line.startsWith('{'))
      t.equal(complaints.length, 1)
      t.match(complaints[0], pattern)
    })
  }
})
