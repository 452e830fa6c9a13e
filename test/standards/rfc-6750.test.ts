// RFC 6750, bearer tokens: where a token is looked for, and what a refusal says.
import { test } from 'tap'
import { bearer, createApp } from '../support/app.ts'
import { accessToken, NOW, refreshToken } from '../support/tokens.ts'
import { INVALID_CHALLENGE, listen, request } from '../support/wire.ts'

const GOOD = `Authorization: Bearer ${accessToken()}`
const JSON_TYPE = 'Content-Type: application/json'

test('section 2.1: a token comes in the Authorization header, after Bearer and a space', async t => {
  const { app } = await createApp(t)
  const reply = await request(await listen(app), 'GET /me', [GOOD])
  t.equal(reply.status, 200)
  t.equal(reply.headers['www-authenticate'], undefined)
})

test('section 2.2: a token in a form body is ignored', async t => {
  const { app } = await createApp(t)
  const port = await listen(app)
  const body = `access_token=${refreshToken()}`
  const reply = await request(port, 'PUT /authorizations', ['Content-Type: application/x-www-form-urlencoded'], body)
  t.match(reply, { status: 403, body: /REFRESH_MISSING/ })
})

test('section 2.3: a token in the query is ignored', async t => {
  const { app } = await createApp(t)
  const port = await listen(app)
  for (const name of ['access_token', 'token', 'authorization', 'Authorization']) {
    const reply = await request(port, `GET /me?${name}=${accessToken()}`)
    t.match(reply, { status: 401, body: /ACCESS_MISSING/ }, name)
  }
})

test('a token in a cookie or any other header is ignored', async t => {
  const { app } = await createApp(t)
  const port = await listen(app)
  for (const name of ['Cookie', 'Proxy-Authorization', 'X-Authorization', 'X-Access-Token', 'Authentication', 'X-Forwarded-Authorization']) {
    for (const value of [`Bearer ${accessToken()}`, `token=${accessToken()}`, accessToken()]) {
      t.match(await request(port, 'GET /me', [`${name}: ${value}`]), { status: 401, body: /ACCESS_MISSING/ }, name)
    }
  }
})

test('section 3: a request without a token gets a challenge without an error code', async t => {
  const { app } = await createApp(t)
  const reply = await request(await listen(app), 'GET /me')
  t.equal(reply.status, 401)
  t.equal(reply.headers['www-authenticate'], 'Bearer')
  t.same(JSON.parse(reply.body), {
    statusCode: 401, code: 'FST_DUAL_TOKEN_ACCESS_MISSING', error: 'Unauthorized', message: 'User must be authorized.'
  })
})

test('section 3.1: each refusal has its challenge, and no-store', async t => {
  const { app } = await createApp(t)
  const port = await listen(app)
  const expired = accessToken({ iat: NOW - 7200, exp: NOW })
  const cases = [
    ['GET /me', [], 401, 'ACCESS_MISSING', 'Bearer'],
    ['GET /me', ['Authorization: Bearer x'], 401, 'ACCESS_INVALID', INVALID_CHALLENGE],
    ['GET /me', [`Authorization: Bearer ${expired}`], 401, 'ACCESS_EXPIRED', 'Bearer error="invalid_token", error_description="The access token expired"'],
    ['GET /me', [`Authorization: Bearer ${refreshToken()}`], 403, 'ACCESS_IS_REFRESH', 'Bearer error="invalid_token", error_description="A refresh token is not an access token"'],
    ['GET /renewal', [], 403, 'REFRESH_MISSING', undefined],
    ['GET /renewal', ['Authorization: Bearer x'], 403, 'REFRESH_INVALID', undefined],
    ['GET /renewal', [`Authorization: Bearer ${expired}`], 403, 'REFRESH_EXPIRED', undefined],
    ['GET /renewal', [GOOD], 403, 'REFRESH_IS_ACCESS', undefined],
    ['PUT /authorizations', [], 403, 'REFRESH_MISSING', undefined],
    ['PUT /authorizations', [GOOD], 403, 'REFRESH_IS_ACCESS', undefined]
  ] as const
  for (const [target, lines, status, code, challenge] of cases) {
    const reply = await request(port, target, lines)
    t.equal(reply.status, status, `${target} ${code}`)
    t.equal(JSON.parse(reply.body).code, `FST_DUAL_TOKEN_${code}`)
    t.equal(reply.headers['www-authenticate'], challenge)
    t.equal(reply.headers['cache-control'], 'no-store')
  }
  const refused = await request(port, 'POST /authorizations', [JSON_TYPE], '{"password":"bad"}')
  t.match(refused, { status: 401, body: /LOGIN_REFUSED/ })
  t.equal(refused.headers['www-authenticate'], 'Bearer')
  t.equal(refused.headers['cache-control'], 'no-store')
})

test('section 3: error and error_description keep to the characters the RFC allows', async t => {
  const { app } = await createApp(t)
  for (const token of ['x', accessToken({ iat: NOW - 7200, exp: NOW }), refreshToken()]) {
    const challenge = (await app.inject({ url: '/me', headers: bearer(token) })).headers['www-authenticate']
    t.match(challenge, /^Bearer error="invalid_token", error_description="[\x20-\x21\x23-\x5b\x5d-\x7e]+"$/)
  }
})

test('section 5.3: replies that carry a token forbid caching', async t => {
  const { app } = await createApp(t)
  const port = await listen(app)
  const pair = await request(port, 'POST /authorizations', [JSON_TYPE], '{"password":"good"}')
  t.match(pair, { status: 201, headers: { 'cache-control': 'no-store' } })
  const { refresh_token: refresh } = JSON.parse(pair.body)
  const renewal = await request(port, 'PUT /authorizations', [`Authorization: Bearer ${refresh}`])
  t.match(renewal, { status: 201, headers: { 'cache-control': 'no-store' } })
})

test('the challenge begins with the realm, quoted and escaped', async t => {
  for (const [realm, quoted] of [
    ['orders', '"orders"'],
    ['say "hi"', '"say \\"hi\\""'],
    ['a\\b', '"a\\\\b"'],
    ['", error="', '"\\", error=\\""'],
    ['a, b=c', '"a, b=c"']
  ] as const) {
    const { app } = await createApp(t, { realm })
    const challenges = await Promise.all([{}, bearer('x')].map(async headers =>
      (await app.inject({ url: '/me', headers })).headers['www-authenticate']))
    t.equal(challenges[0], `Bearer realm=${quoted}`)
    t.equal(challenges[1], INVALID_CHALLENGE.replace('Bearer ', () => `Bearer realm=${quoted}, `))
  }
})

test('a realm that would break out of its header fails the boot', async t => {
  for (const realm of ['a\r\nSet-Cookie: a=b', 'a\nb', 'caf\xe9', '\u{1f600}', '\0', '']) {
    await t.rejects(createApp(t, { realm }), { code: 'FST_DUAL_TOKEN_OPTION_INVALID' })
  }
})
