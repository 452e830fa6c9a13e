// RFC 7519, JSON Web Token: the registered claims, and which of them a token needs here.
import { test } from 'tap'
import type { DualTokenOptions } from '../../lib/index.ts'
import { createApp } from '../support/app.ts'
import { accessClaims, accessToken, claimsIn, forge, NOW, type Payload, refreshToken } from '../support/tokens.ts'

const INVALID = { code: 'FST_DUAL_TOKEN_ACCESS_INVALID' }
const EXPIRED = { code: 'FST_DUAL_TOKEN_ACCESS_EXPIRED' }

const ADDRESSED: Partial<DualTokenOptions> = { issuer: 'https://us.example', audience: 'orders' }

test('section 4.1.1: iss is compared exactly, case and all', async t => {
  const { app } = await createApp(t, { issuer: 'https://us.example' })
  t.equal(app.dualToken.verifyToken(accessToken({ iss: 'https://us.example' })).iss, 'https://us.example')
  for (const iss of ['https://US.example', 'https://us.example/', 'https://us.example ', ['https://us.example'], null, undefined]) {
    t.throws(() => app.dualToken.verifyToken(accessToken({ iss })), INVALID, JSON.stringify(iss))
  }
})

test('section 4.1.2: sub, as the user\'s id, is a string', async t => {
  const { app } = await createApp(t, { userIdClaim: 'sub' })
  const withSub = (sub: unknown) => accessToken({ user_id: undefined, sub })
  t.match(app.dualToken.verifyToken(withSub('7')), { sub: '7' })
  for (const sub of [7, '', null, ['7'], undefined]) t.throws(() => app.dualToken.verifyToken(withSub(sub)), INVALID)
})

test('section 4.1.3: aud is the audience, or a list with the audience in it', async t => {
  const { app } = await createApp(t, { audience: 'orders' })
  for (const aud of ['orders', ['orders'], ['stock', 'orders']]) {
    t.same(app.dualToken.verifyToken(accessToken({ aud })).aud, aud)
  }
  for (const aud of ['Orders', 'orders stock', [], ['stock'], [['orders']], null, undefined, { orders: 1 }]) {
    t.throws(() => app.dualToken.verifyToken(accessToken({ aud })), INVALID, JSON.stringify(aud))
  }
})

test('section 4.1.3: a token for several audiences is good for each of them', async t => {
  const { app: signIn } = await createApp(t, { audience: ['orders', 'stock'] })
  const { token, refresh_token: refresh } = await signIn.dualToken.issueTokens({ user_id: 7 })
  for (const issued of [token, refresh]) t.same(claimsIn(issued).aud, ['orders', 'stock'])
  for (const audience of ['orders', 'stock', ['stock'], ['stock', 'orders'], ['stock', 'billing']]) {
    const { app } = await createApp(t, { audience })
    for (const issued of [token, refresh]) t.equal(app.dualToken.verifyToken(issued).user_id, 7, JSON.stringify(audience))
  }
  for (const audience of ['billing', ['billing', 'search'], 'orders,stock']) {
    const { app } = await createApp(t, { audience })
    t.throws(() => app.dualToken.verifyToken(token), INVALID, JSON.stringify(audience))
  }
})

test('iss and aud are ignored unless configured', async t => {
  const { app } = await createApp(t)
  for (const more of [{ iss: 'them' }, { aud: 'others' }, { iss: 7, aud: null }]) {
    t.match(app.dualToken.verifyToken(accessToken(more)), more)
  }
})

test('section 4.1.4: the current time must be before exp', async t => {
  const { app, clock } = await createApp(t)
  const token = accessToken()
  clock.set(NOW + 7199.999)
  t.equal(app.dualToken.verifyToken(token).user_id, 7)
  for (const moment of [7200, 7200.001, 1e6]) {
    clock.set(NOW + moment)
    t.throws(() => app.dualToken.verifyToken(token), EXPIRED)
  }
})

test('section 4.1.5: the current time must be nbf or after', async t => {
  const { app, clock } = await createApp(t)
  const token = accessToken({ nbf: NOW + 100 })
  for (const moment of [0, 99, 99.999]) {
    clock.set(NOW + moment)
    t.throws(() => app.dualToken.verifyToken(token), INVALID)
  }
  clock.set(NOW + 100)
  t.equal(app.dualToken.verifyToken(token).user_id, 7)
})

test('sections 4.1.4 and 4.1.5: the leeway works at both ends', async t => {
  const { app, clock } = await createApp(t, { clockTolerance: 30 })
  const token = accessToken({ nbf: NOW + 100 })
  for (const [moment, accepted] of [[69.999, false], [70, true], [7229.999, true], [7230, false]] as const) {
    clock.set(NOW + moment)
    if (accepted) t.equal(app.dualToken.verifyToken(token).user_id, 7)
    else t.throws(() => app.dualToken.verifyToken(token), { code: /ACCESS_(?:INVALID|EXPIRED)$/ })
  }
})

test('section 2: a NumericDate may have a fraction, or an exponent', async t => {
  const { app, clock } = await createApp(t)
  const token = accessToken({ exp: NOW + 0.5, iat: NOW - 0.5, nbf: NOW - 0.25 })
  t.equal(app.dualToken.verifyToken(token).exp, NOW + 0.5)
  clock.set(NOW + 0.5)
  t.throws(() => app.dualToken.verifyToken(token), EXPIRED)
  clock.set(NOW)
  const payload = JSON.stringify(accessClaims()).replace(`"exp":${NOW + 7200}`, `"exp":${(NOW + 7200) / 10}e1`)
  t.equal(app.dualToken.verifyToken(forge('{"alg":"HS256"}', payload)).exp, NOW + 7200)
})

test('section 4.1.6: iat is optional, but must be a number within the skew', async t => {
  const { app } = await createApp(t)
  t.equal(app.dualToken.verifyToken(accessToken({ iat: undefined })).iat, undefined)
  t.equal(app.dualToken.verifyToken(accessToken({ iat: NOW + 60 })).iat, NOW + 60)
  for (const iat of [NOW + 61, `${NOW}`, null, [NOW]]) t.throws(() => app.dualToken.verifyToken(accessToken({ iat })), INVALID)
})

test('section 4.1.7: jti is ignored', async t => {
  const { app } = await createApp(t)
  t.match(app.dualToken.verifyToken(accessToken({ jti: 'a' })), { jti: 'a' })
})

test('section 5.1: typ is ignored', async t => {
  const { app } = await createApp(t)
  for (const typ of ['JWT', 'jwt', 'at+jwt', 'application/jwt', 'JOSE', '', null, 7]) {
    t.equal(app.dualToken.verifyToken(forge(JSON.stringify({ typ, alg: 'HS256' }), JSON.stringify(accessClaims()))).user_id, 7)
  }
})

test('section 7.2: the claims set is a JSON object', async t => {
  const { app } = await createApp(t)
  for (const payload of ['[]', 'null', '"a"', '7', 'true', '', ' ', '{', `[${JSON.stringify(accessClaims())}]`]) {
    t.throws(() => app.dualToken.verifyToken(forge('{"alg":"HS256"}', payload)), INVALID, payload)
  }
})

test('issued tokens carry exactly the claims of the user, refresh, iat and exp', async t => {
  const { app } = await createApp(t)
  const { token, refresh_token: refresh } = await app.dualToken.issueTokens({ user_id: 7, role: 'member' })
  const claims: Payload = { user_id: 7, role: 'member', iat: NOW }
  t.same(claimsIn(token), { ...claims, refresh: false, exp: NOW + 7200 })
  t.same(claimsIn(refresh), { ...claims, refresh: true, exp: NOW + 1_209_600 })
})

test('with an issuer and an audience, issued tokens carry them too, and are valid', async t => {
  const { app } = await createApp(t, ADDRESSED)
  const { token, refresh_token: refresh } = await app.dualToken.issueTokens({ user_id: 7 })
  for (const issued of [token, refresh]) {
    t.match(claimsIn(issued), { iss: 'https://us.example', aud: 'orders' })
    t.equal(app.dualToken.verifyToken(issued).user_id, 7)
  }
  t.throws(() => app.dualToken.verifyToken(refreshToken()), INVALID)
})
