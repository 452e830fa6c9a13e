// Nothing of a token, a secret, a password or a user's id is in a log line at trace level, in an error or in a reply's refusal.
import { Writable } from 'node:stream'
import { inspect } from 'node:util'
import Fastify, { type FastifyError, type InjectOptions } from 'fastify'
import { test, type Test } from 'tap'
import { dualToken, type DualTokenError, type DualTokenOptions } from '../../lib/index.ts'
import { bearer, createApp } from '../support/app.ts'
import { accessClaims, accessToken, encode, forge, mint, NOW, OTHER_SECRET, refreshToken, SECRET } from '../support/tokens.ts'

const USER_ID = 'user-4c1fd2a9'
const PASSWORD = 'pa55word-of-the-user'
const ROLE = 'role-that-is-nobodys-business'
const OLD_SECRET = 'twelve silver foxes jump eight fences at night'

const JSON_TYPE = { 'content-type': 'application/json' }

/** Every text that must not be seen: the tokens, their payloads and signatures, and what else is secret. */
function secretsOf (tokens: readonly string[]): string[] {
  const segments = tokens.flatMap(token => token.split('.').slice(1)).filter(segment => segment.length > 8)
  return [...tokens, ...segments, SECRET, OLD_SECRET, OTHER_SECRET, encode(SECRET), Buffer.from(SECRET).toString('hex'), USER_ID, PASSWORD, ROLE]
}

function hidesAll (t: Test, text: string, secrets: readonly string[], where: string): void {
  t.same(secrets.filter(secret => text.includes(secret)), [], where)
}

async function createLoggingApp (t: Test) {
  const lines: string[] = []
  const errors: FastifyError[] = []
  const stream = new Writable({
    write (chunk, _encoding, done) {
      lines.push(String(chunk))
      done()
    }
  })
  const app = Fastify({ logger: { level: 'trace', stream } })
  t.teardown(() => app.close())
  app.addHook('onError', async (_request, _reply, error) => { errors.push(error) })
  await app.register(dualToken, {
    secret: [SECRET, OLD_SECRET],
    now: () => NOW * 1000,
    routes: {
      body: { type: 'object', required: ['username', 'password'], properties: { username: { type: 'string' }, password: { type: 'string', maxLength: 40 } } },
      login: ({ password }) => {
        if (password === PASSWORD) return { user_id: USER_ID, role: ROLE }
        // Three ways for an application to be wrong about a user.
        if (password === 'no id') return { user_id: '', role: ROLE }
        if (password === 'reserved') return { user_id: USER_ID, exp: ROLE }
        if (password === 'too long') return { user_id: USER_ID, role: ROLE.repeat(200) }
        return null
      },
      loadUser: userId => userId === 'gone' ? null : { user_id: userId === 'other' ? USER_ID : userId, role: ROLE }
    }
  })
  app.get('/open', async request => ({ known: request.user !== null }))
  app.get('/me', { preHandler: app.loginRequired }, async () => ({}))
  app.get('/verify', async request => { app.dualToken.verifyToken(request.headers['x-token'] as string) })
  return { app, lines, errors }
}

const claims = accessClaims({ user_id: USER_ID, role: ROLE })
const REFRESH_TOKENS = ['gone', 'other', USER_ID].map(id => refreshToken({ user_id: id, role: ROLE }))
const GOOD_TOKENS = [mint(claims), mint(claims, OLD_SECRET), ...REFRESH_TOKENS]
const BAD_TOKENS = [
  mint(claims, OTHER_SECRET),
  accessToken({ user_id: USER_ID, iat: NOW - 7200, exp: NOW }),
  accessToken({ user_id: USER_ID, nbf: NOW + 60 }),
  accessToken({ user_id: { id: USER_ID } }),
  accessToken({ user_id: USER_ID, exp: USER_ID }),
  forge('{"alg":"none"}', JSON.stringify(claims)),
  forge(`{"alg":"HS256","kid":"${USER_ID}","crit":["${ROLE}"]}`, JSON.stringify(claims)),
  forge(`not JSON but ${USER_ID}`, JSON.stringify(claims)),
  forge('{"alg":"HS256"}', `not JSON but ${USER_ID}`),
  `${encode(USER_ID)}.${encode(ROLE)}`,
  `${USER_ID}.${'x'.repeat(5000)}.z`,
  `${USER_ID} ${ROLE}`
]

const TOKENS = [...GOOD_TOKENS, ...BAD_TOKENS]

const LOGINS: string[] = [
  JSON.stringify({ username: USER_ID, password: PASSWORD }),
  ...['wrong', 'no id', 'reserved', 'too long'].map(password => JSON.stringify({ username: USER_ID, password })),
  JSON.stringify({ username: USER_ID, password: PASSWORD.repeat(3) }),
  JSON.stringify({ username: USER_ID, password: [PASSWORD, USER_ID] }),
  JSON.stringify({ [PASSWORD]: PASSWORD }),
  JSON.stringify({ username: USER_ID, password: PASSWORD }).slice(0, -1),
  `{"__proto__":{},"password":"${PASSWORD}"}`,
  `${PASSWORD}`,
  `"${PASSWORD}"`
]

test('no request, good or bad, leaves a secret in the log at trace level', async t => {
  const { app, lines, errors } = await createLoggingApp(t)
  const withTokens = TOKENS.flatMap((token): InjectOptions[] => [
    { url: '/open', headers: bearer(token) },
    { url: '/me', headers: bearer(token) },
    { url: '/nowhere', headers: bearer(token) },
    { url: '/verify', headers: { 'x-token': token } },
    { method: 'PUT', url: '/authorizations', headers: bearer(token) },
    { method: 'PUT', url: '/authorizations', headers: { ...bearer(token), ...JSON_TYPE }, payload: `{"password":"${PASSWORD}"` },
    { url: '/me', headers: { authorization: [`Bearer ${token}`, `Basic ${PASSWORD}`] as unknown as string } },
    { url: '/me', headers: { authorization: `Basic ${token}` } }
  ])
  const withPasswords = LOGINS.flatMap((payload): InjectOptions[] => [
    { method: 'POST', url: '/authorizations', headers: JSON_TYPE, payload },
    { method: 'POST', url: '/authorizations', headers: { 'content-type': 'text/plain', ...bearer(TOKENS[0]!) }, payload }
  ])
  const requests = [...withTokens, ...withPasswords]

  const issued: string[] = []
  const refusals: string[] = []
  const statuses = new Set<number>()
  for (const options of requests) {
    const reply = await app.inject(options)
    statuses.add(reply.statusCode)
    if (reply.statusCode === 201) issued.push(...Object.values<unknown>(reply.json()).filter(value => String(value).startsWith('ey')) as string[])
    else refusals.push(JSON.stringify(reply.headers) + reply.body)
  }
  for (const status of [200, 201, 400, 401, 403, 404, 415, 500]) t.ok(statuses.has(status), `some request got ${status}`)

  const secrets = secretsOf([...TOKENS, ...issued])
  t.ok(issued.length >= 4)
  t.ok(lines.length > 2 * requests.length)
  for (const line of lines) {
    if (secrets.some(secret => line.includes(secret))) hidesAll(t, line, secrets, line)
  }
  hidesAll(t, lines.join(''), secrets, 'the log')
  hidesAll(t, refusals.join(''), secrets, 'what clients were told')
  hidesAll(t, errors.map(error => inspect(error, { depth: 9, showHidden: true })).join(''), secrets, 'the errors, causes and stacks')
})

test('the reason of a refusal is the error\'s cause, in the log and not in the reply', async t => {
  const { app, lines, errors } = await createLoggingApp(t)
  for (const [token, reason] of [
    ['x', 'not a compact JWS'],
    ['x'.repeat(5000), 'too long'],
    [mint(claims, OTHER_SECRET), 'signature'],
    [accessToken({ exp: 'soon' }), 'exp'],
    [accessToken({ refresh: 1 }), 'refresh'],
    [accessToken({ user_id: 0 }), 'user id'],
    [accessToken({ iat: NOW - 7200, exp: NOW }), 'expired']
  ] as const) {
    lines.length = errors.length = 0
    const reply = await app.inject({ url: '/me', headers: bearer(token) })
    t.equal(((errors[0] as DualTokenError).cause as Error).message, reason)
    t.ok(lines.some(line => line.includes(reason)), `the log says "${reason}"`)
    t.notOk(reply.json().message.includes(reason))
    t.same(Object.keys(reply.json()), ['statusCode', 'code', 'error', 'message'])
  }
})

test('verifyToken throws an error whose cause is the reason', async t => {
  const { app } = await createApp(t)
  for (const token of BAD_TOKENS) {
    try {
      t.notOk(app.dualToken.verifyToken(token), 'accepted')
    } catch (error) {
      t.ok((error as DualTokenError).cause instanceof Error)
      hidesAll(t, inspect(error, { depth: 9, showHidden: true }), secretsOf(TOKENS), 'the error')
    }
  }
})

test('a failed boot does not reveal the secret', async t => {
  const short = 'shortest-secret'
  const pem = `-----BEGIN PUBLIC KEY-----\n${USER_ID}\n-----END PUBLIC KEY-----`
  const wrong: Array<Record<string, unknown>> = [
    { secret: short }, { secret: [SECRET, short] }, { secret: { secret: SECRET } }, { secret: pem }, { secret: 'x'.repeat(40) }, { secret: SECRET, cache: SECRET },
    { secret: SECRET, clockTolerance: -1 }, { secret: SECRET, accessExpiresIn: SECRET }, { secret: SECRET, routes: { login: SECRET } }, { secret: null }
  ]
  for (const options of wrong) {
    const app = Fastify()
    try {
      await app.register(dualToken, options as unknown as DualTokenOptions)
      t.fail('booted')
    } catch (error) {
      t.equal((error as DualTokenError).code, 'FST_DUAL_TOKEN_OPTION_INVALID')
      hidesAll(t, inspect(error, { depth: 9, showHidden: true }), [SECRET, short, USER_ID, 'x'.repeat(40)], 'the error')
    }
  }
})

test('what the plugin decorates does not show the secret or a key', async t => {
  const { app } = await createApp(t)
  const seen = inspect([app.dualToken, app.loginRequired, app.refreshRequired], { depth: 9, showHidden: true })
  hidesAll(t, seen, [SECRET, Buffer.from(SECRET).toString('hex')], 'inspect')
  hidesAll(t, JSON.stringify(app.dualToken), [SECRET], 'JSON')
})
