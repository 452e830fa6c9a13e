// The behaviour without any option but the secret, one test per rule.
import { test } from 'tap'
import { bearer, createApp, createClock } from './support/app.ts'
import {
  ACCESS_LIFETIME, accessClaims, accessToken, claimsIn, forge, mint, NOW, OTHER_SECRET, REFRESH_LIFETIME, refreshClaims,
  refreshToken, seal
} from './support/tokens.ts'

const BAD_HEADERS = {
  'no header': {},
  'an empty header': { authorization: '' },
  'another scheme': { authorization: `Basic ${Buffer.from('demo:demo').toString('base64')}` },
  'a scheme alone': { authorization: 'Bearer' },
  'a foreign token': bearer(accessToken({}, OTHER_SECRET)),
  'a forged token': bearer(forge('{"alg":"none"}', JSON.stringify(accessClaims())).replace(/\.[^.]+$/, '.')),
  'an expired token': bearer(accessToken({ iat: NOW - ACCESS_LIFETIME, exp: NOW })),
  'a malformed token': bearer('not.a.token'),
  'a token without a kind': bearer(accessToken({ refresh: undefined }))
}

test('1. both tokens are HS256 JWTs with exactly the documented claims and expiries of one clock reading', async t => {
  const clock = createClock()
  const tick = () => {
    clock.advance(86_400)
    return clock.now()
  }
  const { app } = await createApp(t, { now: tick })
  const { token, refresh_token: refreshed } = await app.dualToken.issueTokens({ user_id: 7, role: 'member' })

  const access = claimsIn(token)
  const refresh = claimsIn(refreshed)
  t.strictSame(access, { user_id: 7, role: 'member', refresh: false, iat: access.iat, exp: access.exp })
  t.strictSame(refresh, { user_id: 7, role: 'member', refresh: true, iat: access.iat, exp: refresh.exp })
  t.equal(access.exp, Number(access.iat) + ACCESS_LIFETIME)
  t.equal(Number(refresh.exp) - Number(access.exp), 1_202_400)

  for (const made of [token, refreshed]) {
    const [header, payload] = made.split('.') as [string, string]
    t.strictSame(JSON.parse(Buffer.from(header, 'base64url').toString()), { alg: 'HS256', typ: 'JWT' })
    t.equal(made, seal(header, payload), 'the signature is the HMAC under the one secret')
  }
})

test('2. the hook fills request.user from a good token of either kind and never answers', async t => {
  const { app } = await createApp(t)

  for (const claims of [accessClaims(), refreshClaims()]) {
    const reply = await app.inject({ url: '/open', headers: bearer(mint(claims)) })
    t.strictSame([reply.statusCode, reply.json()], [200, { user: claims }])
  }
  for (const [name, headers] of Object.entries(BAD_HEADERS)) {
    const reply = await app.inject({ url: '/open', headers })
    t.strictSame([reply.statusCode, reply.json()], [200, { user: null }], `nobody with ${name}`)
  }
})

test('3. loginRequired answers 401 to anonymous, 403 to a refresh token and lets an access token pass', async t => {
  const { app } = await createApp(t)

  for (const [name, headers] of Object.entries(BAD_HEADERS)) {
    const reply = await app.inject({ url: '/me', headers })
    t.equal(reply.statusCode, 401, name)
    t.equal(reply.json().message, 'User must be authorized.', name)
  }
  const refresh = await app.inject({ url: '/me', headers: bearer(refreshToken()) })
  t.equal(refresh.statusCode, 403)
  t.equal(refresh.json().message, 'Do not use refresh token.')

  const access = await app.inject({ url: '/me', headers: bearer(accessToken()) })
  t.equal(access.statusCode, 200)
  t.strictSame(access.json(), { user: accessClaims() })
})

test('4. refreshRequired answers 403 Wrong Token to anything but a good refresh token', async t => {
  const { app } = await createApp(t)

  for (const [name, headers] of Object.entries({ ...BAD_HEADERS, 'an access token': bearer(accessToken()) })) {
    const reply = await app.inject({ url: '/renewal', headers })
    t.equal(reply.statusCode, 403, name)
    t.equal(reply.json().message, 'Wrong Token', name)
  }
  const refresh = await app.inject({ url: '/renewal', headers: bearer(refreshToken()) })
  t.equal(refresh.statusCode, 200)
  t.strictSame(refresh.json(), { user: refreshClaims() })
})

test('5. POST answers 201 with both tokens or 401, whatever the Authorization header says', async t => {
  const { app } = await createApp(t)

  for (const [name, headers] of Object.entries({ ...BAD_HEADERS, 'a refresh token': bearer(refreshToken()) })) {
    const good = await app.inject({ method: 'POST', url: '/authorizations', headers, payload: { password: 'good' } })
    t.equal(good.statusCode, 201, `good credentials with ${name}`)
    t.strictSame(Object.keys(good.json()).sort(), ['expires_in', 'refresh_token', 'token', 'token_type'], name)

    const bad = await app.inject({ method: 'POST', url: '/authorizations', headers, payload: { password: 'bad' } })
    t.equal(bad.statusCode, 401, `bad credentials with ${name}`)
    t.equal(bad.json().code, 'FST_DUAL_TOKEN_LOGIN_REFUSED', name)
  }

  const { token, refresh_token: refreshed, ...rest } = (await app.inject({
    method: 'POST', url: '/authorizations', payload: { password: 'good' }
  })).json()
  t.strictSame(rest, { token_type: 'Bearer', expires_in: ACCESS_LIFETIME })
  t.equal((await app.inject({ url: '/me', headers: bearer(token) })).statusCode, 200)
  t.equal((await app.inject({ url: '/renewal', headers: bearer(refreshed) })).statusCode, 200)
})

test('6. PUT answers a new access token of full length, and the refresh token serves again and again', async t => {
  const { app, clock } = await createApp(t)
  const { refresh_token: refreshed } = await app.dualToken.issueTokens({ user_id: 7 })
  const renew = () => app.inject({ method: 'PUT', url: '/authorizations', headers: bearer(refreshed) })

  for (const moment of [NOW, NOW, NOW + 3600, NOW + 86_400, NOW + REFRESH_LIFETIME - 1]) {
    clock.set(moment)
    const reply = await renew()
    t.equal(reply.statusCode, 201)
    const { token, ...rest } = reply.json()
    t.strictSame(rest, { token_type: 'Bearer', expires_in: ACCESS_LIFETIME }, 'the refresh token is not renewed')
    t.strictSame(claimsIn(token), { user_id: 7, refresh: false, iat: moment, exp: moment + ACCESS_LIFETIME })
  }

  const { token } = (await renew()).json()
  clock.advance(ACCESS_LIFETIME - 1)
  t.equal((await app.inject({ url: '/me', headers: bearer(token) })).statusCode, 200, 'outlives the refresh token')
  const late = await renew()
  t.equal(late.statusCode, 403)
  t.equal(late.json().code, 'FST_DUAL_TOKEN_REFRESH_EXPIRED')
  clock.advance(1)
  t.equal((await app.inject({ url: '/me', headers: bearer(token) })).statusCode, 401)
})

test('7. one generator makes both tokens, or an access token alone', async t => {
  const { app } = await createApp(t)
  const user = { user_id: 'u-1' }

  const pair = await app.dualToken.issueTokens(user)
  t.strictSame(await app.dualToken.issueTokens(user, {}), pair)
  t.strictSame(await app.dualToken.issueTokens(user, { needRefreshToken: true }), pair)

  const { refresh_token: _, ...accessOnly } = pair
  t.strictSame(await app.dualToken.issueTokens(user, { needRefreshToken: false }), accessOnly)
})

test('8. claims are not carried over: a renewed token says what loadUser says now', async t => {
  let role = 'admin'
  const { app } = await createApp(t, {
    routes: { login: () => ({ user_id: 7, role }), loadUser: userId => ({ user_id: userId, role }) }
  })
  const { refresh_token: refreshed } = (await app.inject({ method: 'POST', url: '/authorizations', payload: {} })).json()
  t.equal(claimsIn(refreshed).role, 'admin')

  role = 'member'
  const renewed = await app.inject({ method: 'PUT', url: '/authorizations', headers: bearer(refreshed) })
  t.equal(claimsIn(renewed.json().token).role, 'member')

  const { app: bare } = await createApp(t)
  const plain = await bare.inject({ method: 'PUT', url: '/authorizations', headers: bearer(refreshed) })
  t.strictSame(Object.keys(claimsIn(plain.json().token)), ['user_id', 'refresh', 'iat', 'exp'], 'without loadUser the id alone')
})

test('9. a user id is a non-empty string or a safe non-zero integer', async t => {
  const { app } = await createApp(t)

  for (const id of ['7', 'a', ' ', 1, -1, 7, 2 ** 53 - 1, -(2 ** 53 - 1)]) {
    const reply = await app.inject({ url: '/me', headers: bearer(accessToken({ user_id: id })) })
    t.strictSame([reply.statusCode, reply.json().user?.user_id], [200, id], JSON.stringify(id))
  }
  for (const id of [0, -0, '', null, undefined, true, false, {}, [], [7], ['7'], 1.5, 2 ** 53, 1e21]) {
    const reply = await app.inject({ url: '/me', headers: bearer(accessToken({ user_id: id })) })
    t.equal(reply.json().code, 'FST_DUAL_TOKEN_ACCESS_INVALID', JSON.stringify(id))
  }
  for (const id of ['9007199254740993', '1e999', '0e5', '-0']) {
    const payload = `{"user_id":${id},"refresh":false,"exp":${NOW + 60}}`
    const reply = await app.inject({ url: '/me', headers: bearer(forge('{"alg":"HS256"}', payload)) })
    t.equal(reply.statusCode, 401, `the number ${id}`)
  }
})
