// The `extract` option: tokens where only the application expects them.
import type { FastifyRequest } from 'fastify'
import { test } from 'tap'
import type { ExtractToken } from '../../lib/index.ts'
import { bearer, createApp } from '../support/app.ts'
import { ACCESS, carry, cookiesOf, OWN_PAGE, REFRESH } from '../support/cookies.ts'
import { createSessionApp, outcomeOf, PATH } from '../support/session-app.ts'
import { accessToken, refreshToken } from '../support/tokens.ts'

const inQuery = (request: FastifyRequest): string | undefined => (request.query as { token?: string }).token
const inBody: ExtractToken = (request, kind) => kind === 'refresh' ? (request.body as { refresh_token?: string } | null | undefined)?.refresh_token : null

test('a token is found where the hook looks, for guards and open routes', async t => {
  const kinds: string[] = []
  const { app } = await createApp(t, {
    extract: (request, kind) => {
      kinds.push(kind)
      return inQuery(request)
    }
  })
  t.match((await app.inject(`/open?token=${accessToken()}`)).json(), { user: { user_id: 7 } })
  t.equal((await app.inject(`/me?token=${accessToken()}`)).statusCode, 200)
  t.strictSame(kinds.splice(0), ['access', 'access'], 'once a request, the guard included')
  t.equal((await app.inject(`/renewal?token=${refreshToken()}`)).statusCode, 200)
  t.strictSame(kinds, ['access', 'refresh'])
  t.equal(outcomeOf(await app.inject(`/me?token=${refreshToken()}`)), 'ACCESS_IS_REFRESH')
  t.equal(outcomeOf(await app.inject('/me?token=x')), 'ACCESS_INVALID')
  t.equal(outcomeOf(await app.inject('/me')), 'ACCESS_MISSING')
  t.equal(outcomeOf(await app.inject('/renewal')), 'REFRESH_MISSING')
})

test('a Bearer token comes before the hook, good or bad, and no other scheme does', async t => {
  let calls = 0
  const { app } = await createApp(t, {
    extract: () => {
      calls++
      return accessToken()
    }
  })
  t.equal(outcomeOf(await app.inject({ url: '/me', headers: bearer('x') })), 'ACCESS_INVALID')
  t.equal(outcomeOf(await app.inject({ url: '/me', headers: bearer(accessToken()) })), '200')
  t.equal(calls, 0)
  for (const authorization of ['Basic ZGVtbzpkZW1v', 'Bearer', '']) t.equal(outcomeOf(await app.inject({ url: '/me', headers: { authorization } })), '200', authorization)
  t.equal(calls, 3)
})

test('after nothing or an empty string the search goes on, anything else but a string is INVALID, and nothing is a 500', async t => {
  const rejections: unknown[] = []
  const note = (reason: unknown): void => { rejections.push(reason) }
  process.on('unhandledRejection', note)
  t.teardown(() => process.off('unhandledRejection', note))
  const cases: Array<[string, string, () => unknown]> = [
    ['undefined', 'MISSING', () => undefined],
    ['null', 'MISSING', () => null],
    ['an empty text', 'MISSING', () => ''],
    ['blanks', 'INVALID', () => ' '],
    ['a number', 'INVALID', () => 7],
    ['false', 'INVALID', () => false],
    ['a list', 'INVALID', () => [accessToken()]],
    ['a promise', 'INVALID', async () => accessToken()],
    ['a promise of nothing', 'INVALID', async () => null],
    ['a promise that rejects', 'INVALID', async () => { throw new Error('late') }],
    ['a thenable that throws', 'INVALID', () => ({ get then () { throw new Error('then') } })],
    ['what it throws', 'INVALID', () => { throw new Error('choked') }],
    ['what is no error', 'INVALID', () => { throw null }], // eslint-disable-line no-throw-literal
    ['a TypeError', 'INVALID', () => (undefined as unknown as { token: string }).token]
  ]
  for (const [name, reason, extract] of cases) {
    const { app } = await createApp(t, { extract: extract as ExtractToken })
    t.equal(outcomeOf(await app.inject('/me')), `ACCESS_${reason}`, name)
    t.equal(outcomeOf(await app.inject('/renewal')), `REFRESH_${reason}`, name)
    t.strictSame((await app.inject('/open')).json(), { user: null }, name)
  }
  await new Promise(resolve => setImmediate(resolve))
  t.strictSame(rejections, [])
})

test('the hook comes before the cookie, and needs no proof of its own', async t => {
  const { app } = await createApp(t, { cookies: { access: true }, extract: inQuery })
  const url = `/me?token=${accessToken({ user_id: 8 })}`
  t.match((await app.inject({ url, headers: carry({ [ACCESS]: accessToken() }) })).json(), { user: { user_id: 8 } })
  t.match((await app.inject({ url: '/me', headers: carry({ [ACCESS]: accessToken() }) })).json(), { user: { user_id: 7 } })
  t.equal(outcomeOf(await app.inject({ url: '/me?token=x', headers: carry({ [ACCESS]: accessToken() }) })), 'ACCESS_INVALID')
  const crossSite = { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }
  t.equal((await app.inject({ method: 'PUT', url: `${PATH}?token=${refreshToken()}`, headers: crossSite })).statusCode, 201)
})

test('a refresh token in the body is exchanged, and signs out', async t => {
  const { app, signIn, me } = await createSessionApp(t, { extract: inBody })
  const pair = await signIn()
  const renewed = await app.inject({ method: 'PUT', url: PATH, payload: { refresh_token: pair.refresh_token } })
  t.equal(renewed.statusCode, 201)
  t.strictSame(Object.keys(renewed.json()), ['token', 'refresh_token', 'token_type', 'expires_in'])
  const gone = await app.inject({ method: 'DELETE', url: PATH, payload: { refresh_token: renewed.json().refresh_token } })
  t.equal(gone.statusCode, 204)
  t.equal(await me(renewed.json().token), 'ACCESS_REVOKED')
})

test('with the hook, PUT and DELETE parse JSON, discard any other body, and take an empty one', async t => {
  const { app } = await createApp(t, { extract: inBody, cookies: true })
  const json = 'application/json'
  const cases: Array<[string | undefined, string | undefined, number]> = [
    [json, JSON.stringify({ refresh_token: refreshToken() }), 201],
    ['Application/JSON; charset=utf-8', JSON.stringify({ refresh_token: refreshToken() }), 201],
    [json, '', 403],
    [json, undefined, 403],
    [undefined, undefined, 403],
    [json, '{}', 403],
    [json, 'null', 403],
    [json, '[]', 403],
    [json, '7', 403],
    [json, '{"refresh_token":7}', 403],
    [json, '{', 400],
    [json, '{"__proto__":{"refresh_token":"x"}}', 400],
    ['application/x-www-form-urlencoded', `refresh_token=${refreshToken()}`, 403],
    ['text/plain', JSON.stringify({ refresh_token: refreshToken() }), 403],
    ['application/jsonp', JSON.stringify({ refresh_token: refreshToken() }), 403],
    ['nonsense', 'x', 403],
    [json, JSON.stringify({ refresh_token: 'x'.repeat(20_000) }), 413]
  ]
  for (const [type, payload, status] of cases) {
    const headers = { ...OWN_PAGE, ...(type !== undefined && { 'content-type': type }) }
    const reply = await app.inject({ method: 'PUT', url: PATH, headers, ...(payload !== undefined && { payload }) })
    t.equal(reply.statusCode, status, `${type} ${payload?.slice(0, 40)}`)
    const gone = await app.inject({ method: 'DELETE', url: PATH, headers, ...(payload !== undefined && { payload }) })
    t.equal(gone.statusCode, status === 400 || status === 413 ? status : 204, `DELETE ${type} ${payload?.slice(0, 40)}`)
  }
})

test('without the hook, PUT and DELETE discard any body', async t => {
  const { app } = await createApp(t, { cookies: true })
  for (const payload of ['{', '', '{"refresh_token":1}']) {
    const headers = { 'content-type': 'application/json', ...bearer(refreshToken()) }
    t.equal((await app.inject({ method: 'PUT', url: PATH, headers, payload })).statusCode, 201)
    t.equal((await app.inject({ method: 'DELETE', url: PATH, headers: { ...headers, ...OWN_PAGE }, payload })).statusCode, 204)
  }
})

test('sign-out asks the hook for either kind, the cookie of the first before the second', async t => {
  const kinds: string[] = []
  const { app } = await createSessionApp(t, {
    cookies: { access: true },
    extract: (_request, kind) => {
      kinds.push(kind)
      return null
    }
  })
  const cookies = cookiesOf(await app.inject({ method: 'POST', url: PATH, headers: OWN_PAGE, payload: { password: 'good' } }))
  kinds.length = 0
  await app.inject({ method: 'DELETE', url: PATH, headers: { ...OWN_PAGE, ...carry({ [ACCESS]: cookies[ACCESS]! }) } })
  t.strictSame(kinds.splice(0), ['access', 'refresh', 'access'], 'the first time by the hook of every request')
  await app.inject({ method: 'DELETE', url: PATH, headers: { ...OWN_PAGE, ...carry({ [REFRESH]: cookies[REFRESH]! }) } })
  t.strictSame(kinds, ['access', 'refresh'])
})
