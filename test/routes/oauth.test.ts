import fc from 'fast-check'
import swagger from '@fastify/swagger'
import { Validator } from '@seriousme/openapi-schema-validator'
import Fastify, { type FastifyInstance, type InjectOptions, type LightMyRequestResponse } from 'fastify'
import { test, type Test } from 'tap'
import { dualToken, memoryStore, withDualToken, type DualTokenOptions } from '../../lib/index.ts'
import { bearer, createApp } from '../support/app.ts'
import { carry, cookiesOf, OWN_PAGE } from '../support/cookies.ts'
import { ringKey } from '../support/key-pairs.ts'
import { createLog, createSessionApp, PATH, type SessionApp, type SessionAppOptions } from '../support/session-app.ts'
import { accessToken, claimsIn, OTHER_SECRET, refreshToken, SECRET } from '../support/tokens.ts'
import { listen, request } from '../support/wire.ts'

const TOKEN = `${PATH}/token`
const REVOKE = `${PATH}/revoke`
const FORM = { 'content-type': 'application/x-www-form-urlencoded' }
const JSON_TYPE = { 'content-type': 'application/json' }

const form = (parameters: Record<string, string>): string => new URLSearchParams(parameters).toString()

function post (app: FastifyInstance, url: string, body: string | object, more: InjectOptions['headers'] = {}): Promise<LightMyRequestResponse> {
  const headers = { ...typeof body === 'string' ? FORM : JSON_TYPE, ...more }
  return app.inject({ method: 'POST', url, headers, payload: body })
}

const refreshBy = (app: FastifyInstance, token: string) => post(app, TOKEN, form({ grant_type: 'refresh_token', refresh_token: token }))

const createOauthApp = (t: Test, options: SessionAppOptions = {}): Promise<SessionApp> => createSessionApp(t, { oauth: true, ...options })

/** Status and error of a refusal, whose form it checks (RFC 6749 section 5.2). */
function refusalOf (t: Test, reply: LightMyRequestResponse, name: string): string {
  t.match(reply.headers, { 'content-type': /^application\/json/, 'cache-control': 'no-store', pragma: 'no-cache' }, name)
  const { error, error_description: text, ...others } = reply.json()
  t.strictSame(others, {}, name)
  t.match(text, /^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/, name)
  return `${reply.statusCode} ${error}`
}

test('a form and JSON are exchanged for new tokens, in the form of RFC 6749 section 5.1', async t => {
  const { app, signIn } = await createOauthApp(t)
  for (const body of [
    (token: string) => form({ grant_type: 'refresh_token', refresh_token: token }),
    (token: string) => form({ grant_type: 'refresh_token', refresh_token: token, client_id: 'anybody', client_secret: 'x', scope: 'a b', other: '', __proto__x: '1' }),
    (token: string) => `__proto__=1&constructor=2&grant_type=refresh_token&refresh_token=${token}`,
    (token: string) => ({ grant_type: 'refresh_token', refresh_token: token }),
    (token: string) => ({ refresh_token: token, client_id: 7, other: [{}] }),
    (token: string) => ({ refresh_token: token, grant_type: '' })
  ]) {
    const pair = await signIn()
    const reply = await post(app, TOKEN, body(pair.refresh_token))
    t.equal(reply.statusCode, 200, reply.body)
    t.match(reply.headers, { 'content-type': /^application\/json/, 'cache-control': 'no-store', pragma: 'no-cache' })
    const { access_token: access, refresh_token: refresh, ...others } = reply.json()
    t.strictSame(others, { token_type: 'Bearer', expires_in: 7200 })
    t.equal(claimsIn(access).refresh, false)
    t.not(refresh, pair.refresh_token)
    t.equal(claimsIn(refresh).gen, 1)
    t.equal((await app.inject({ url: '/me', headers: bearer(access) })).statusCode, 200)
    t.equal((await refreshBy(app, refresh)).statusCode, 200)
  }
})

test('content types are read whatever their case and parameters', async t => {
  const { app, signIn } = await createOauthApp(t)
  const { refresh_token: token } = await signIn()
  const body = form({ grant_type: 'refresh_token', refresh_token: token })
  for (const type of ['application/x-www-form-urlencoded;charset=UTF-8', 'Application/X-WWW-Form-Urlencoded', 'application/x-www-form-urlencoded ; charset=utf-8']) {
    t.equal((await post(app, TOKEN, body, { 'content-type': type })).statusCode, 200, type)
  }
  t.equal((await post(app, TOKEN, `{"refresh_token":"${token}"}`, { 'content-type': 'Application/JSON; charset=utf-8' })).statusCode, 200)
})

test('one road, two doors: rotation, grace, theft, events and the user are those of PUT', async t => {
  const asked: unknown[] = []
  const login = () => ({ user_id: 7 })
  const loadUser = (userId: unknown, request: unknown) => {
    asked.push([userId, (request as { user: unknown }).user])
    return { user_id: 7, role: 'member' }
  }
  const { app, clock, events, signIn, renew } = await createOauthApp(t, { routes: { login, loadUser } })
  const byDoor = async (token: string) => (await refreshBy(app, token)).json()
  const byPut = async (token: string) => {
    const { token: access, ...rest } = (await renew(token)).json()
    return { access_token: access, ...rest }
  }
  const types = () => events.splice(0).map(({ type, ip }) => `${type} ${ip}`)

  for (const [first, second] of [[byDoor, byPut], [byPut, byDoor]] as const) {
    const pair = await signIn()
    asked.length = events.length = 0
    const one = await first(pair.refresh_token)
    const same = await second(pair.refresh_token)
    t.strictSame(same, one, 'within grace both doors give the same successor')
    t.strictSame(types(), ['rotated 127.0.0.1', 'repeated 127.0.0.1'])
    t.equal(claimsIn(one.access_token).role, 'member')
    t.strictSame(asked.splice(0).map(one => JSON.stringify(one)), Array(2).fill(JSON.stringify([7, claimsIn(pair.refresh_token)])))

    clock.advance(11)
    const next = await second(one.refresh_token)
    clock.advance(11)
    t.ok((await first(next.refresh_token)).access_token)
    t.match(await second(pair.refresh_token), { error: second === byDoor ? 'invalid_grant' : 'Forbidden' })
    t.match(types(), ['rotated 127.0.0.1', 'rotated 127.0.0.1', 'reused 127.0.0.1'])
    t.equal(refusalOf(t, await refreshBy(app, next.refresh_token), 'ended'), '400 invalid_grant')
  }
})

test('50 refreshes at once, half of them by each door, get the same successor', async t => {
  const { app, signIn, renew } = await createOauthApp(t)
  const { refresh_token: token } = await signIn()
  const replies = await Promise.all(Array.from({ length: 50 }, (_, index) => index % 2 === 0 ? renew(token) : refreshBy(app, token)))
  t.strictSame(new Set(replies.map(reply => reply.statusCode)), new Set([200, 201]))
  t.equal(new Set(replies.map(reply => reply.json().refresh_token)).size, 1)
})

test('the refresh token of the reply is the same where it is not renewed', async t => {
  const { app } = await createApp(t, { oauth: true })
  const stateless = await refreshBy(app, refreshToken())
  t.strictSame(Object.keys(stateless.json()).sort(), ['access_token', 'expires_in', 'refresh_token', 'token_type'])
  t.equal(stateless.json().refresh_token, refreshToken())

  const { app: kept, signIn } = await createOauthApp(t, { sessions: { rotate: false } })
  const { refresh_token: token } = await signIn()
  t.equal((await refreshBy(kept, token)).json().refresh_token, token)
})

test('the reply names the scopes of the access token', async t => {
  for (const [scope, named] of [['a b', 'a b'], [['a', 'b'], 'a b'], ['', undefined], [[], undefined], [7, undefined]] as const) {
    const { app } = await createApp(t, { oauth: true, routes: { login: () => null, loadUser: () => ({ user_id: 7, scope }) } })
    t.equal((await refreshBy(app, refreshToken())).json().scope, named)
  }
})

test('malformed and refused token requests get the errors of RFC 6749 section 5.2, and none is a 5xx', async t => {
  const { app, clock, signIn, renew } = await createOauthApp(t)
  const good = (await signIn()).refresh_token
  const pair = await signIn()
  const used = (await signIn()).refresh_token
  const successor = (await renew(used)).json().refresh_token
  clock.advance(11)
  await renew(successor)
  const ended = await signIn()
  await post(app, REVOKE, form({ token: ended.token }))
  const grant = 'grant_type=refresh_token'
  const json = JSON_TYPE

  const cases: Array<[name: string, body: string | undefined, expected: string, headers?: Record<string, string>]> = [
    ['an empty form', '', '400 invalid_request'],
    ['no body and no type', undefined, '400 invalid_request', {}],
    ['no grant_type in a form', `refresh_token=${good}`, '400 invalid_request'],
    ['an empty grant_type in a form', `grant_type=&refresh_token=${good}`, '400 invalid_request'],
    ['no refresh_token', grant, '400 invalid_request'],
    ['an empty refresh_token', `${grant}&refresh_token=`, '400 invalid_request'],
    ['grant_type twice', `${grant}&${grant}&refresh_token=${good}`, '400 invalid_request'],
    ['refresh_token twice', `${grant}&refresh_token=${good}&refresh_token=${good}`, '400 invalid_request'],
    ['an unknown parameter twice', `${grant}&refresh_token=${good}&x=1&x=1`, '400 invalid_request'],
    ['__proto__ twice', `${grant}&refresh_token=${good}&__proto__=1&__proto__=2`, '400 invalid_request'],
    ['a parameter twice, one percent-encoded', `${grant}&refresh_token=${good}&refresh%5Ftoken=${good}`, '400 invalid_request'],
    ['another separator', `${grant};refresh_token=${good}`, '400 unsupported_grant_type'],
    ['the password grant', 'grant_type=password&username=7&password=good', '400 unsupported_grant_type'],
    ['client credentials', 'grant_type=client_credentials&client_id=a&client_secret=b', '400 unsupported_grant_type'],
    ['an authorization code', 'grant_type=authorization_code&code=x', '400 unsupported_grant_type'],
    ['another case', `grant_type=Refresh_Token&refresh_token=${good}`, '400 unsupported_grant_type'],
    ['the name of a prototype', `grant_type=__proto__&refresh_token=${good}`, '400 unsupported_grant_type'],
    ['no token at all', `${grant}&refresh_token=nonsense`, '400 invalid_grant'],
    ['bad percent-encoding', `${grant}&refresh_token=%zz%ff%00`, '400 invalid_grant'],
    ['a token that is too long', `${grant}&refresh_token=${'x'.repeat(5000)}`, '400 invalid_grant'],
    ['a space before the token', `${grant}&refresh_token=+${good}`, '400 invalid_grant'],
    ['an access token', `${grant}&refresh_token=${pair.token}`, '400 invalid_grant'],
    ['a forged token', `${grant}&refresh_token=${refreshToken({}, OTHER_SECRET)}`, '400 invalid_grant'],
    ['a token without a session', `${grant}&refresh_token=${refreshToken()}`, '400 invalid_grant'],
    ['an expired token', `${grant}&refresh_token=${refreshToken({ iat: 1, exp: 1_209_601, sid: claimsIn(good).sid, gen: 0, n: claimsIn(good).n })}`, '400 invalid_grant'],
    ['a used-up token', `${grant}&refresh_token=${used}`, '400 invalid_grant'],
    ['the token of an ended session', `${grant}&refresh_token=${ended.refresh_token}`, '400 invalid_grant'],
    ['JSON that is none', '{', '400 invalid_request', json],
    ['empty JSON', '', '400 invalid_request', json],
    ['a list', '[]', '400 invalid_request', json],
    ['null', 'null', '400 invalid_request', json],
    ['a text', '"refresh_token"', '400 invalid_request', json],
    ['an empty object', '{}', '400 invalid_request', json],
    ['a token that is no string', '{"refresh_token":7}', '400 invalid_request', json],
    ['a list of tokens', `{"refresh_token":["${good}"]}`, '400 invalid_request', json],
    ['a grant_type that is null', `{"grant_type":null,"refresh_token":"${good}"}`, '400 invalid_request', json],
    ['another grant in JSON', `{"grant_type":"password","refresh_token":"${good}"}`, '400 unsupported_grant_type', json],
    ['__proto__ in JSON', `{"__proto__":{"refresh_token":"${good}"}}`, '400 invalid_request', json],
    ['constructor in JSON', `{"constructor":{"prototype":{}},"refresh_token":"${good}"}`, '400 invalid_request', json],
    ['JSON under the type of a form', `{"refresh_token":"${good}"}`, '400 invalid_request'],
    ['a form under the type of JSON', `${grant}&refresh_token=${good}`, '400 invalid_request', json],
    ['a text', `${grant}&refresh_token=${good}`, '415 invalid_request', { 'content-type': 'text/plain' }],
    ['a multipart form', '--x--', '415 invalid_request', { 'content-type': 'multipart/form-data; boundary=x' }],
    ['a type that is none', 'x', '415 invalid_request', { 'content-type': ';;' }],
    ['no type', 'x', '415 invalid_request', {}],
    ['a long form', `${grant}&x=${'x'.repeat(17_000)}`, '413 invalid_request'],
    ['long JSON', `{"refresh_token":"${'x'.repeat(17_000)}"}`, '413 invalid_request', json],
    ['a wrong length', 'x', '400 invalid_request', { ...FORM, 'content-length': '9' }]
  ]
  t.ok(cases.length >= 30)
  for (const [name, payload, expected, headers = FORM] of cases) {
    const reply = await app.inject({ method: 'POST', url: TOKEN, headers, ...(payload !== undefined && { payload }) })
    t.equal(refusalOf(t, reply, name), expected, name)
  }
  t.equal((await refreshBy(app, good)).statusCode, 200, 'none of them has used it up')
})

test('a token in a header, a cookie or the query is ignored', async t => {
  const { app } = await createOauthApp(t, { cookies: { access: true } })
  const signedIn = await app.inject({ method: 'POST', url: PATH, headers: OWN_PAGE, payload: { password: 'good' } })
  const cookies = carry(cookiesOf(signedIn))
  const native = (await app.inject({ method: 'POST', url: PATH, payload: { password: 'good' } })).json()
  for (const headers of [cookies, { ...cookies, ...OWN_PAGE }, bearer(native.refresh_token), { ...cookies, 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }]) {
    for (const url of [TOKEN, `${TOKEN}?grant_type=refresh_token&refresh_token=${native.refresh_token}`]) {
      t.equal(refusalOf(t, await post(app, url, 'grant_type=refresh_token', headers), url), '400 invalid_request')
    }
    t.equal(refusalOf(t, await post(app, REVOKE, 'x=1', headers), 'revoke'), '400 invalid_request')
    const reply = await post(app, TOKEN, form({ grant_type: 'refresh_token', refresh_token: native.refresh_token }), headers)
    t.equal(reply.statusCode, 200)
    t.equal(reply.headers['set-cookie'], undefined)
    t.equal(claimsIn(reply.json().access_token).sid, claimsIn(native.token).sid)
  }
  t.equal((await app.inject({ method: 'PUT', url: PATH, headers: { ...cookies, ...OWN_PAGE } })).statusCode, 201, 'the sign-in of the cookies is as it was')
})

test('revoke ends the session of either token, expired or not, and answers 200 a second time, and for an invalid token', async t => {
  const { app, clock, events, signIn, renew, me } = await createOauthApp(t)
  for (const kind of ['token', 'refresh_token'] as const) {
    for (const hint of ['access_token', 'refresh_token', 'nonsense', '']) {
      const pair = await signIn()
      events.length = 0
      for (const body of [form({ token: pair[kind], token_type_hint: hint, client_id: 'x' }), { token: pair[kind], token_type_hint: hint }]) {
        const reply = await post(app, REVOKE, body)
        t.strictSame([reply.statusCode, reply.body], [200, ''])
        t.match(reply.headers, { 'cache-control': 'no-store', pragma: 'no-cache' })
      }
      t.match(events[0], { type: 'revoked', reason: 'logout', userId: 7, ip: '127.0.0.1' })
      t.equal(await me(pair.token), 'ACCESS_REVOKED')
      t.equal((await renew(pair.refresh_token)).json().code, 'FST_DUAL_TOKEN_REFRESH_REVOKED')
    }
  }
  const late = await signIn()
  clock.advance(7201)
  t.equal((await post(app, REVOKE, { token: late.token })).statusCode, 200)
  t.equal((await renew(late.refresh_token)).statusCode, 403)

  const pair = await signIn()
  for (const token of ['nonsense', refreshToken(), refreshToken({}, OTHER_SECRET), 'x'.repeat(9000)]) {
    t.equal((await post(app, REVOKE, { token })).statusCode, 200)
  }
  t.equal(await me(pair.token), '200')
})

test('malformed revocation requests get the errors of RFC 6749 section 5.2', async t => {
  const { app } = await createOauthApp(t)
  for (const [body, headers, expected] of [
    ['', FORM, '400 invalid_request'], ['token=', FORM, '400 invalid_request'], ['token=a&token=b', FORM, '400 invalid_request'],
    ['token_type_hint=access_token', FORM, '400 invalid_request'], ['{', JSON_TYPE, '400 invalid_request'], ['[]', JSON_TYPE, '400 invalid_request'],
    ['{"token":7}', JSON_TYPE, '400 invalid_request'], ['x', { 'content-type': 'text/plain' }, '415 invalid_request'],
    [`token=${'x'.repeat(17_000)}`, FORM, '413 invalid_request']
  ] as const) {
    t.equal(refusalOf(t, await app.inject({ method: 'POST', url: REVOKE, headers, payload: body }), body), expected, body.slice(0, 40))
  }
})

test('without sessions revoke answers 200, and the tokens go on', async t => {
  const { app } = await createApp(t, { oauth: true })
  for (const token of [refreshToken(), accessToken(), 'nonsense']) t.equal((await post(app, REVOKE, form({ token }))).statusCode, 200)
  t.equal((await refreshBy(app, refreshToken())).statusCode, 200)
})

test('while the store is down both doors answer 503 in the same form, and the same token works on retry', async t => {
  const { app, signIn, instead, me } = await createOauthApp(t)
  const pair = await signIn()
  for (const method of ['rotate', 'revoke'] as const) instead.set(method, async () => { throw new Error('down') })
  for (const reply of [await refreshBy(app, pair.refresh_token), await post(app, REVOKE, form({ token: pair.token }))]) {
    t.equal(refusalOf(t, reply, 'down'), '503 temporarily_unavailable')
    t.equal(reply.headers['retry-after'], '1')
  }
  t.equal((await post(app, REVOKE, form({ token: 'nonsense' }))).statusCode, 200, 'nothing needs the store')
  instead.clear()
  t.equal((await refreshBy(app, pair.refresh_token)).statusCode, 200)
  t.equal((await post(app, REVOKE, form({ token: pair.token }))).statusCode, 200)
  t.equal(await me(pair.token), 'ACCESS_REVOKED')
})

test('the form of the errors survives the error handler of the application, which gets what the application throws', async t => {
  const seen: string[] = []
  const hooked: string[] = []
  const login = () => ({ user_id: 7 })
  let failure: Error | null = null
  const loadUser = () => {
    if (failure !== null) throw failure
    return null
  }
  const build = async (errorHandler?: Parameters<FastifyInstance['setErrorHandler']>[0]): Promise<FastifyInstance> => {
    const app = Fastify()
    t.teardown(() => app.close())
    app.setErrorHandler((error: Error, _request, reply) => {
      seen.push(error.message)
      reply.code(418).send({ own: error.message })
    })
    app.addHook('onError', async (_request, _reply, error) => { hooked.push(error.code) })
    await app.register(dualToken, { secret: SECRET, oauth: true, now: () => 1_750_000_000_000, routes: { login, loadUser, ...(errorHandler && { errorHandler }) } })
    return app
  }
  const app = await build()
  t.equal(refusalOf(t, await post(app, TOKEN, ''), 'empty'), '400 invalid_request')
  t.equal(refusalOf(t, await post(app, TOKEN, 'x', { 'content-type': 'a/b' }), 'type'), '415 invalid_request')
  t.equal(refusalOf(t, await refreshBy(app, 'x'), 'no token'), '400 invalid_grant')
  t.equal(refusalOf(t, await refreshBy(app, refreshToken()), 'no user'), '400 invalid_grant')
  t.strictSame(seen, [])
  t.strictSame(hooked.splice(0), ['FST_ERR_VALIDATION', 'FST_ERR_CTP_INVALID_MEDIA_TYPE', 'FST_DUAL_TOKEN_REFRESH_INVALID', 'FST_DUAL_TOKEN_REFRESH_USER_GONE'])

  failure = Object.assign(new Error('locked'), { statusCode: 423 })
  const own = await refreshBy(app, refreshToken())
  t.strictSame([own.statusCode, own.json(), own.headers['cache-control']], [418, { own: 'locked' }, 'no-store'])
  t.strictSame(seen.splice(0), ['locked'])
  t.equal(hooked.length, 1, 'the hook has seen it once')

  const passedOn = await build((error: unknown) => { throw Object.assign(error as Error, { message: `passed on: ${(error as Error).message}` }) })
  t.strictSame((await refreshBy(passedOn, refreshToken())).json(), { own: 'passed on: locked' })
  t.equal(refusalOf(t, await post(passedOn, TOKEN, ''), 'empty'), '400 invalid_request')

  const plain = Fastify()
  t.teardown(() => plain.close())
  await plain.register(dualToken, { secret: SECRET, oauth: true, now: () => 1_750_000_000_000, routes: { login, loadUser } })
  t.match((await refreshBy(plain, refreshToken())).json(), { statusCode: 423, message: 'locked' })
})

test('route options are passed on to both endpoints, and what their hooks throw goes to the error handler of the application', async t => {
  const seen: unknown[] = []
  const { app } = await createApp(t, {
    oauth: true,
    routes: {
      login: () => null,
      bodyLimit: 100,
      config: { own: 'config' } as object,
      onRequest: async request => {
        seen.push([request.url, (request.routeOptions.config as { own?: string }).own])
        if (request.headers['x-many'] !== undefined) throw Object.assign(new Error('Too many'), { statusCode: 429 })
      }
    }
  })
  for (const url of [TOKEN, REVOKE]) {
    t.equal(refusalOf(t, await post(app, url, 'x'.repeat(101)), url), '413 invalid_request')
    t.match((await post(app, url, '', { 'x-many': '1' })).json(), { statusCode: 429, message: 'Too many' })
  }
  t.strictSame(seen, [TOKEN, TOKEN, REVOKE, REVOKE].map(url => [url, 'config']))
})

test('whatever is sent, the answer is 200 or a refusal in the standard form', async t => {
  const { app, signIn } = await createOauthApp(t)
  const { token, refresh_token: refresh } = await signIn()
  const name = fc.constantFrom('grant_type', 'refresh_token', 'token', 'token_type_hint', '__proto__', 'constructor', 'x')
  const value = fc.oneof(fc.constantFrom('refresh_token', token, refresh, ''), fc.string({ unit: 'binary' }))
  const parameters = fc.array(fc.tuple(name, value), { maxLength: 5 })
  const body = fc.oneof(
    parameters.map(list => new URLSearchParams(list).toString()),
    parameters.map(list => JSON.stringify(Object.fromEntries(list))),
    fc.jsonValue().map(value => JSON.stringify(value)),
    fc.string({ unit: 'binary' })
  )
  const type = fc.constantFrom('application/x-www-form-urlencoded', 'application/json', 'application/json; charset=x', 'text/plain')
  await fc.assert(fc.asyncProperty(fc.constantFrom(TOKEN, REVOKE), type, body, async (url, contentType, payload) => {
    const reply = await app.inject({ method: 'POST', url, headers: { 'content-type': contentType }, payload })
    return reply.statusCode === 200 || ([400, 413, 415].includes(reply.statusCode) && /^\{"error":"(invalid|unsupported)_\w+","error_description":"[^"\\]+"\}$/.test(reply.body))
  }), { numRuns: 500 })
})

test('refusals are logged where Fastify logs errors', async t => {
  for (const [disableRequestLogging, count] of [[false, 1], [true, 0], [() => true, 0], [() => false, 1]] as const) {
    const { log, lines } = createLog()
    const app = Fastify({ loggerInstance: log, disableRequestLogging })
    t.teardown(() => app.close())
    await app.register(dualToken, { secret: SECRET, oauth: true, routes: { login: () => null } })
    await post(app, TOKEN, '')
    t.equal(lines.filter(line => line.err !== undefined).length, count)
  }
})

test('refusals are logged once, without the token and without stack frames', async t => {
  const { log, lines, text } = createLog()
  const app = Fastify({ loggerInstance: log })
  t.teardown(() => app.close())
  const store = memoryStore()
  await app.register(dualToken, { secret: SECRET, oauth: true, sessions: { store: { ...store, rotate: async () => { throw new Error('down') } } }, routes: { login: () => ({ user_id: 7 }) } })
  const { refresh_token: token } = (await app.inject({ method: 'POST', url: PATH, payload: {} })).json()
  lines.length = 0
  await post(app, TOKEN, '')
  await refreshBy(app, `${token}x`)
  await refreshBy(app, token)
  t.strictSame(lines.filter(line => line.err !== undefined).map(({ level, err }) => [level, err!.message]), [
    [30, 'The grant_type is missing'], [30, 'Wrong Token: signature'], [50, 'Try again later.: down']
  ])
  t.notOk(text().includes(token.split('.')[2]!))
  t.notMatch(text(), /\bat .*oauth/)
})

test('without the option neither the endpoints nor the metadata exist', async t => {
  for (const options of [{}, { oauth: false }, { oauth: undefined }]) {
    const { app } = await createApp(t, { issuer: 'https://id.example', ...options })
    for (const url of [TOKEN, REVOKE]) t.equal((await post(app, url, form({ token: 'x' }))).statusCode, 404)
    t.equal((await app.inject('/.well-known/oauth-authorization-server')).statusCode, 404)
  }
})

test('the option needs routes, and is a boolean', async t => {
  const boot = (options: object) => async () => { await Fastify().register(dualToken, { secret: SECRET, ...options } as DualTokenOptions) }
  const routes = { login: () => null }
  for (const options of [{ oauth: true }, { oauth: true, routes: false }]) {
    await t.rejects(boot(options), { code: 'FST_DUAL_TOKEN_OPTION_INVALID', message: 'Option oauth needs routes.' })
  }
  for (const oauth of [null, {}, 'true', 1]) {
    await t.rejects(boot({ oauth, routes }), { code: 'FST_DUAL_TOKEN_OPTION_INVALID', message: 'Option oauth must be true or false.' })
  }
})

test('the parsers of the application stay as they are', async t => {
  const { app } = await createApp(t, { oauth: true })
  app.post('/form', async request => request.body)
  t.equal((await post(app, '/form', 'a=1')).statusCode, 415)
  t.equal((await post(app, PATH, 'password=good')).statusCode, 415)
})

test('over a real socket, a form without content is answered in the same form', async t => {
  const { app } = await createApp(t, { oauth: true })
  const port = await listen(app)
  const { bytes } = await request(port, `POST ${TOKEN}`, ['Content-Type: application/x-www-form-urlencoded', 'Content-Length: 0'])
  t.match(bytes, /^HTTP\/1\.1 400 [^]*\{"error":"invalid_request"/)
})

test('paths follow routes.path, with and without a slash at its end', async t => {
  for (const path of ['/auth', '/auth/']) {
    const { app } = await createApp(t, { oauth: true, issuer: 'https://id.example', routes: { path, login: () => null } })
    t.equal((await post(app, '/auth/token', '')).statusCode, 400)
    t.equal((await app.inject('/.well-known/oauth-authorization-server')).json().token_endpoint, 'https://id.example/auth/token')
  }
})

test('the metadata names the endpoints and the key set', async t => {
  const { app } = await createApp(t, { oauth: true, issuer: 'https://id.example', keys: [ringKey('EdDSA', 'k1')], jwks: { path: '/keys' } })
  const reply = await app.inject('/.well-known/oauth-authorization-server')
  t.match(reply.headers, { 'content-type': /^application\/json/, 'cache-control': 'public, max-age=300' })
  t.strictSame(reply.json(), {
    issuer: 'https://id.example',
    token_endpoint: 'https://id.example/authorizations/token',
    revocation_endpoint: 'https://id.example/authorizations/revoke',
    jwks_uri: 'https://id.example/keys',
    response_types_supported: [],
    grant_types_supported: ['refresh_token'],
    token_endpoint_auth_methods_supported: ['none'],
    revocation_endpoint_auth_methods_supported: ['none']
  })
  t.equal((await app.inject({ method: 'HEAD', url: '/.well-known/oauth-authorization-server' })).statusCode, 200)
})

test('the path of the issuer follows the well-known one, and precedes those of the endpoints', async t => {
  for (const [issuer, url, base] of [
    ['https://id.example/', '', 'https://id.example'],
    ['https://id.example:8443/one/two', '/one/two', 'https://id.example:8443/one/two'],
    ['https://id.example/one/', '/one', 'https://id.example/one'],
    ['https://id.example/a:b', '/a:b', 'https://id.example/a:b'],
    ['http://127.0.0.1:3000', '', 'http://127.0.0.1:3000'],
    ['http://localhost/x', '/x', 'http://localhost/x']
  ] as const) {
    const { app } = await createApp(t, { oauth: true, issuer })
    for (const path of ['', url]) {
      const metadata = (await app.inject(`/.well-known/oauth-authorization-server${path}`)).json()
      t.match(metadata, { issuer, token_endpoint: `${base}/authorizations/token`, revocation_endpoint: `${base}/authorizations/revoke` }, issuer)
      t.notOk('jwks_uri' in metadata)
    }
  }
})

test('an issuer that is no address has no metadata, and the endpoints work', async t => {
  for (const issuer of [undefined, 'notes', 'http://id.example', 'https://id.example/?a=1', 'https://id.example/#a', 'https://id.example?', 'https://u:p@id.example', 'urn:id', 'https://u@id.example']) {
    const { app } = await createApp(t, { oauth: true, ...(issuer !== undefined && { issuer }) })
    t.equal((await app.inject('/.well-known/oauth-authorization-server')).statusCode, 404, String(issuer))
    t.equal((await refreshBy(app, refreshToken({ iss: issuer }))).statusCode, 200)
  }
})

test('in a context with a prefix the metadata names the paths as they are', async t => {
  for (const issuer of ['https://id.example', 'https://id.example/api']) {
    const app = Fastify()
    t.teardown(() => app.close())
    await app.register(async scope => {
      await scope.register(dualToken, { secret: SECRET, oauth: true, issuer, routes: { login: () => null } })
    }, { prefix: '/api' })
    t.equal((await app.inject('/api/.well-known/oauth-authorization-server')).json().token_endpoint, 'https://id.example/api/authorizations/token')
    t.equal((await post(app, '/api/authorizations/token', '')).statusCode, 400)
  }
})

interface Operation { requestBody?: { content: Record<string, object> }, security: object[], responses: Record<string, { content?: Record<string, { schema: { required: string[] } }>, headers?: object }> }

test('the OpenAPI document describes the endpoints, their two types and their errors', async t => {
  const document = async (options: object) => {
    const app = Fastify()
    t.teardown(() => app.close())
    await app.register(swagger, withDualToken({ openapi: { info: { title: 'Notes', version: '1.0.0' } } }))
    await app.register(dualToken, { secret: SECRET, oauth: true, issuer: 'https://id.example', routes: { login: () => null }, ...options })
    await app.ready()
    const text = app.swagger()
    t.match(await new Validator().validate(structuredClone(text) as object as Record<string, unknown>), { valid: true })
    return text.paths as unknown as Record<string, Record<string, Operation>>
  }
  const paths = await document({ sessions: { store: memoryStore() } })
  for (const url of [TOKEN, REVOKE]) {
    const { requestBody, security, responses } = paths[url]!.post!
    t.strictSame(Object.keys(requestBody!.content), ['application/x-www-form-urlencoded', 'application/json'])
    t.strictSame(security, [])
    t.strictSame(Object.keys(responses), ['200', '400', '413', '415', '503'])
    t.strictSame(responses['400']!.content!['application/json']!.schema.required, ['error'])
    t.ok(responses['503']!.headers)
  }
  t.ok(paths['/.well-known/oauth-authorization-server']!.get)
  const stateless = await document({})
  t.strictSame(Object.keys(stateless[TOKEN]!.post!.responses), ['200', '400', '413', '415'])
})
