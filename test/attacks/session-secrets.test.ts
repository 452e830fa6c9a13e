// With sessions on, nothing of a token, a nonce, a password or an id is in a log line at trace level, in an error or in a refusal.
import { inspect } from 'node:util'
import Fastify, { type InjectOptions } from 'fastify'
import { test } from 'tap'
import { dualToken } from '../../lib/index.ts'
import { bearer, createClock } from '../support/app.ts'
import { ACCESS, carry, cookiesOf, OWN_PAGE, REFRESH } from '../support/cookies.ts'
import { createLog, createToldStore, FAILURES, PATH, type StoreMethod } from '../support/session-app.ts'
import { claimsIn, SECRET } from '../support/tokens.ts'

const USER_ID = 'user-4c1fd2a9'
const PASSWORD = 'pa55word-of-the-user'
const METHODS: StoreMethod[] = ['create', 'rotate', 'confirm', 'revoke', 'revokeUser', 'list']

test('no request, whatever the store does, leaves a secret in the log', async t => {
  const { log, text } = createLog()
  const clock = createClock()
  const told = createToldStore()
  const errors: unknown[] = []
  const app = Fastify({ loggerInstance: log })
  t.teardown(() => app.close())
  app.addHook('onError', async (_request, _reply, error) => { errors.push(error) })
  let gone = false
  await app.register(dualToken, {
    secret: SECRET,
    now: clock.now,
    routes: { login: ({ password }) => password === PASSWORD ? { user_id: USER_ID } : null, loadUser: userId => gone ? null : { user_id: userId } },
    sessions: { store: told.store, storeTimeout: 0.001, onEvent: () => { throw new Error('listener') } }
  })
  app.get('/me', { preHandler: app.loginRequired }, async () => ({}))

  const tokens: string[] = []
  const refusals: string[] = []
  const statuses = new Set<number>()
  async function send (options: InjectOptions): Promise<{ token: string, refresh_token: string } | undefined> {
    const reply = await app.inject(options)
    statuses.add(reply.statusCode)
    if (reply.statusCode === 201) {
      const pair = reply.json()
      tokens.push(pair.token, pair.refresh_token)
      return pair
    }
    if (reply.statusCode >= 400) refusals.push(JSON.stringify(reply.headers) + reply.body)
    return undefined
  }
  const signIn = () => send({ method: 'POST', url: PATH, payload: { password: PASSWORD } })
  const renew = (token: string) => send({ method: 'PUT', url: PATH, headers: bearer(token) })

  // As ioredis does: the whole command, ids and hashes included, hangs on the error.
  const failures = [...Object.values(FAILURES), undefined].map(fail => fail ?? (async (...[given]: unknown[]) => {
    throw Object.assign(new Error('READONLY', { cause: JSON.stringify(given) }), { command: { name: 'evalsha', args: [JSON.stringify(given)] } })
  }))
  for (const fail of failures) {
    const first = (await signIn())!
    const second = (await renew(first.refresh_token))!
    for (const method of METHODS) told.instead.set(method, fail)
    for (const { token, refresh_token: refreshed } of [first, second]) {
      await signIn()
      await send({ url: '/me', headers: bearer(token) })
      await renew(refreshed)
      await send({ url: `${PATH}/sessions`, headers: bearer(token) })
      await send({ method: 'DELETE', url: `${PATH}/sessions`, headers: bearer(token) })
      await send({ method: 'DELETE', url: PATH, headers: bearer(token) })
    }
    told.instead.clear()
    clock.advance(11)
    const third = (await renew(second.refresh_token))!
    await renew(first.refresh_token)
    await renew(third.refresh_token)
    await send({ url: '/me', headers: bearer(third.token) })
    const last = (await signIn())!
    gone = true
    await renew(last.refresh_token)
    gone = false
    await send({ method: 'DELETE', url: PATH, headers: bearer(last.token) })
  }
  for (const status of [200, 201, 204, 401, 403, 503]) t.ok(statuses.has(status), `some request got ${status}`)

  const secrets = [...new Set(tokens.flatMap(token => {
    const { sid, n } = claimsIn(token)
    return [token, ...token.split('.').slice(1), String(sid), ...(n === undefined ? [] : [String(n)])]
  })), ...told.calls.flatMap(([, given]) => given.nonceHash as string | undefined ?? []), USER_ID, PASSWORD, SECRET]
  t.ok(secrets.length > 50)
  for (const [where, seen] of Object.entries({
    'the log': text(),
    'what clients were told': refusals.join(''),
    'the errors, causes and stacks': errors.map(error => inspect(error, { depth: 9, showHidden: true })).join('')
  })) {
    t.ok(seen.length > 1000, where)
    t.strictSame(secrets.filter(secret => seen.includes(secret)), [], where)
  }
  t.notOk(inspect(app.dualToken, { depth: 9, showHidden: true }).includes(tokens[0]!))
})

test('no cookie is in a log line or an error, whatever becomes of the request', async t => {
  const { log, text } = createLog()
  const told = createToldStore()
  const errors: unknown[] = []
  const app = Fastify({ loggerInstance: log })
  t.teardown(() => app.close())
  app.addHook('onError', async (_request, _reply, error) => { errors.push(error) })
  await app.register(dualToken, {
    secret: SECRET,
    now: createClock().now,
    cookies: { access: true },
    routes: { login: () => ({ user_id: USER_ID }) },
    sessions: { store: told.store, storeTimeout: 0.001 }
  })
  app.get('/me', { preHandler: app.loginRequired }, async () => ({}))
  app.post('/me', { preHandler: app.loginRequired }, async () => ({}))
  app.get('/bad', async (_request, reply) => app.dualToken.setCookies(reply, { token: 'not-a-token-5fd1', refresh_token: 'nor-this-one-77ac', token_type: 'Bearer', expires_in: 1 }))

  const values: string[] = ['planted-value-19e0', 'not-a-token-5fd1', 'nor-this-one-77ac']
  const bodies: string[] = []
  const statuses = new Set<number>()
  const signIn = async (): Promise<Record<string, string>> => {
    const cookies = cookiesOf(await app.inject({ method: 'POST', url: PATH, payload: {}, headers: OWN_PAGE }))
    values.push(...Object.values(cookies).flatMap(value => [value, ...value.split('.').slice(1)]))
    return cookies
  }
  const failures = [undefined, ...Object.values(FAILURES)]
  for (const fail of failures) {
    const cookies = await signIn()
    if (fail !== undefined) for (const method of METHODS) told.instead.set(method, fail)
    const carried = [carry(cookies), carry({ ...cookies, [ACCESS]: values[0]! }), carry({ [REFRESH]: values[0]! }), { cookie: `${carry(cookies).cookie}; ${carry(cookies).cookie}` }]
    for (const cookie of carried) {
      for (const origin of [OWN_PAGE, { origin: 'https://evil.example' }, {}]) {
        for (const [method, url] of [['GET', '/me'], ['POST', '/me'], ['PUT', PATH], ['DELETE', PATH], ['DELETE', `${PATH}/sessions`], ['GET', '/bad']] as const) {
          const reply = await app.inject({ method, url, headers: { ...cookie, ...origin } })
          statuses.add(reply.statusCode)
          for (const value of Object.values(cookiesOf(reply))) if (value !== '') values.push(value)
          bodies.push(reply.body)
        }
      }
    }
    told.instead.clear()
  }
  for (const status of [200, 201, 204, 401, 403, 500, 503]) t.ok(statuses.has(status), `some request got ${status}`)
  const seen = { log: text(), bodies: bodies.join(''), errors: errors.map(error => inspect(error, { depth: 9, showHidden: true })).join('') }
  for (const [where, content] of Object.entries(seen)) {
    t.ok(content.length > 1000, where)
    t.strictSame(values.filter(value => content.includes(value)), [], where)
  }
})
