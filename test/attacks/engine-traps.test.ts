// Every place where @fastify/jwt and fast-jwt are softer than the RFCs, closed: one test named after each.
import Fastify from 'fastify'
import { test, type Test } from 'tap'
import { dualToken, type DualTokenOptions } from '../../lib/index.ts'
import { bearer, createApp } from '../support/app.ts'
import { accessClaims, accessToken, encode, forge, mint, NOW, refreshToken, seal, SECRET } from '../support/tokens.ts'
import { INVALID_CHALLENGE } from '../support/wire.ts'

const HEADER = encode('{"alg":"HS256","typ":"JWT"}')
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** Refused with a 401 and a challenge, twice, and nobody on an open route. */
async function refuses (t: Test, tokens: readonly string[], options: Partial<DualTokenOptions> = {}): Promise<void> {
  const { app } = await createApp(t, options)
  for (const token of tokens) {
    for (const time of ['first', 'second']) {
      const reply = await app.inject({ url: '/me', headers: bearer(token) })
      t.match(reply, { statusCode: 401, headers: { 'www-authenticate': INVALID_CHALLENGE } }, `${time} time`)
      t.equal(reply.json().code, 'FST_DUAL_TOKEN_ACCESS_INVALID')
    }
    t.same((await app.inject({ url: '/open', headers: bearer(token) })).json(), { user: null })
  }
}

async function accepts (t: Test, tokens: readonly string[], options: Partial<DualTokenOptions> = {}): Promise<void> {
  const { app } = await createApp(t, options)
  for (const token of tokens) t.equal((await app.inject({ url: '/me', headers: bearer(token) })).statusCode, 200)
}

/** The exact text of one claim, as JSON.stringify would never write it. */
function withExp (text: string): string {
  return seal(HEADER, encode(`{"user_id":7,"refresh":false,"iat":${NOW},"exp":${text}}`))
}

test('an nbf in the future is a 401, not a 500', t => refuses(t, [accessToken({ nbf: NOW + 1 })]))

test('an nbf that is no finite number is a 401, not a 500', t =>
  refuses(t, [accessToken({ nbf: `${NOW}` }), accessToken({ nbf: null }), accessToken({ nbf: [NOW] }), accessToken({ nbf: {} })]))

test('a wrong alg is a 401, not a 500', t =>
  refuses(t, ['HS384', 'HS512', 'RS256', 'PS256', 'ES256', 'EdDSA', 'none', 'hs256', 'HS257'].map(alg =>
    forge(JSON.stringify({ alg, typ: 'JWT' }), JSON.stringify(accessClaims())))))

test('a missing alg is a 401, not a 500', t =>
  refuses(t, ['{"typ":"JWT"}', '{}', '{"alg":null}', '{"alg":["HS256"]}', '{"alg":{}}', '{"alg":256}', '{"ALG":"HS256"}'].map(header =>
    forge(header, JSON.stringify(accessClaims())))))

test('a header that is no object is a 401, not a 500', t =>
  refuses(t, ['[]', 'null', '"HS256"', '7', 'true', '[{"alg":"HS256"}]', '{', ''].map(header =>
    forge(header, JSON.stringify(accessClaims())))))

test('an exp that is a string is a 401, not a 500', t => refuses(t, [accessToken({ exp: `${NOW + 60}` }), accessToken({ exp: '' })]))

test('an exp that is missing, null, a list or a boolean is a 401', t =>
  refuses(t, [undefined, null, [NOW + 60], {}, true].map(exp => accessToken({ exp }))))

test('a payload that is a list is a 401, not a 500', t => refuses(t, [mint([]), mint([accessClaims()])]))

test('a payload that is no object is a 401, not a 500', t => refuses(t, [mint(null), mint(7), mint('text'), mint(true)]))

test('a signature too short for ES256 is a 401, not a 500', t =>
  refuses(t, [`${encode('{"alg":"ES256","typ":"JWT"}')}.${encode(JSON.stringify(accessClaims()))}.AAAA`]))

test('an unknown kid is a 401, not a 500', t =>
  refuses(t, [forge('{"alg":"HS256","kid":"nobody"}', JSON.stringify(accessClaims()), 'not the secret of this server, at all')]))

test('a kid of "constructor" neither hangs nor throws, because the lookup uses no plain object', async t => {
  const kids = ['constructor', '__proto__', 'toString', 'hasOwnProperty', 'valueOf']
  const headers = kids.map(kid => `{"alg":"HS256","kid":"${kid}"}`)
  await refuses(t, headers.map(header => forge(header, JSON.stringify(accessClaims()), 'not the secret of this server, at all')))
  await accepts(t, headers.map(header => forge(header, JSON.stringify(accessClaims()))))
})

test('a refusal carries the challenge that @fastify/jwt leaves out', t => refuses(t, ['a.b.c']))

test('a refresh token is not an access token', async t => {
  const { app } = await createApp(t)
  const reply = await app.inject({ url: '/me', headers: bearer(refreshToken()) })
  t.match(reply.json(), { statusCode: 403, message: 'Do not use refresh token.' })
})

test('a secret of one letter fails the boot', async t => {
  for (const secret of ['x', 'short', '', ' '.repeat(40), 'x'.repeat(40), Buffer.alloc(40)]) {
    await t.rejects(async () => { await Fastify().register(dualToken, { secret }) }, { code: 'FST_DUAL_TOKEN_OPTION_INVALID' })
  }
})

test('no request sees what another one does to its claims', async t => {
  const { app } = await createApp(t)
  app.get('/vandal', { preHandler: app.loginRequired }, async request => {
    t.throws(() => Object.assign(request.user!, { user_id: 8 }), TypeError)
    t.throws(() => (request.user as unknown as { roles: string[] }).roles.push('admin'), TypeError)
    t.throws(() => Object.defineProperty(request.user, 'admin', { value: true }), TypeError)
    t.throws(() => Object.setPrototypeOf(request.user, { admin: true }), TypeError)
    t.throws(() => Object.assign((request.user as unknown as { tenant: object }).tenant, { id: 2 }), TypeError)
    return {}
  })
  const headers = bearer(accessToken({ roles: ['member'], tenant: { id: 1 } }))
  t.equal((await app.inject({ url: '/vandal', headers })).statusCode, 200)
  t.same((await app.inject({ url: '/me', headers })).json().user, accessClaims({ roles: ['member'], tenant: { id: 1 } }))
})

test('a refusal is never cached and returned as claims', async t => {
  const { app, clock } = await createApp(t)
  const tomorrow = accessToken({ iat: NOW + 600, exp: NOW + 600 + 7200 })
  for (let times = 0; times < 3; times++) {
    t.throws(() => app.dualToken.verifyToken(tomorrow), { code: 'FST_DUAL_TOKEN_ACCESS_INVALID' })
    t.same((await app.inject({ url: '/open', headers: bearer(tomorrow) })).json(), { user: null })
  }
  clock.advance(600)
  t.equal(app.dualToken.verifyToken(tomorrow).user_id, 7)
})

test('an exp of 0 is long past, not "never"', async t => {
  const { app } = await createApp(t)
  for (const token of [withExp('0'), withExp('-0'), withExp('0.0'), withExp('-1')]) {
    const reply = await app.inject({ url: '/me', headers: bearer(token) })
    t.match(reply.json(), { statusCode: 401, code: 'FST_DUAL_TOKEN_ACCESS_EXPIRED' })
  }
})

test('an exp of NaN or Infinity, which JSON cannot write, is refused', t => refuses(t, [withExp('NaN'), withExp('Infinity'), withExp('-Infinity')]))

test('an exp of 1e999, which JSON.parse reads as Infinity, is refused', t =>
  refuses(t, [withExp('1e999'), withExp('-1e999'), withExp(`${'9'.repeat(400)}`)]))

test('an exp beyond the lifetime of its kind is refused, so that no token is immortal', t =>
  refuses(t, [withExp('1e308'), withExp('8640000000000000'), withExp(`${NOW * 1000}`), withExp(`${NOW + 7200 + 61}`), withExp(`${NOW + 1_209_600}`)]))

test('a lifetime that is 0, NaN or no duration fails the boot, instead of making tokens that never expire', async t => {
  for (const accessExpiresIn of [0, -1, NaN, Infinity, '', ' ', '0s', 'forever']) {
    await t.rejects(async () => { await Fastify().register(dualToken, { secret: SECRET, accessExpiresIn }) },
      { code: 'FST_DUAL_TOKEN_OPTION_INVALID' }, String(accessExpiresIn))
  }
})

test('a token is expired in the very second of its exp', async t => {
  const { app, clock } = await createApp(t)
  const headers = bearer(accessToken())
  clock.set(NOW + 7199.999)
  t.equal((await app.inject({ url: '/me', headers })).statusCode, 200)
  clock.set(NOW + 7200)
  t.equal((await app.inject({ url: '/me', headers })).json().code, 'FST_DUAL_TOKEN_ACCESS_EXPIRED')
})

test('a crit of null, or any other crit, is refused', t =>
  refuses(t, ['null', '[]', '["exp"]', '["b64"]', '"exp"', 'false', '0', '{}'].map(crit =>
    forge(`{"alg":"HS256","typ":"JWT","crit":${crit}}`, JSON.stringify(accessClaims())))))

test('the three other spellings of a signature are refused', async t => {
  const token = accessToken()
  const last = ALPHABET.indexOf(token.at(-1)!)
  const spellings = [1, 2, 3].map(bits => token.slice(0, -1) + ALPHABET[last ^ bits])
  for (const spelling of spellings) {
    t.same(Buffer.from(spelling.split('.')[2]!, 'base64url'), Buffer.from(token.split('.')[2]!, 'base64url'), 'the same bytes')
  }
  await accepts(t, [token])
  await refuses(t, spellings)
})

test('clockTolerance is in seconds, as everything else is', async t => {
  const { app, clock } = await createApp(t, { clockTolerance: 30 })
  const headers = bearer(accessToken())
  clock.set(NOW + 7200 + 29)
  t.equal((await app.inject({ url: '/me', headers })).statusCode, 200)
  clock.set(NOW + 7200 + 30)
  t.equal((await app.inject({ url: '/me', headers })).statusCode, 401)
})

test('a clockTolerance in milliseconds fails the boot', t =>
  t.rejects(async () => { await Fastify().register(dualToken, { secret: SECRET, clockTolerance: 5000 }) },
    { code: 'FST_DUAL_TOKEN_OPTION_INVALID' }))

test('an option of the engine fails the boot, instead of being dropped silently', async t => {
  for (const name of ['algorithms', 'algorithm', 'sign', 'verify', 'decoratorName', 'cookie', 'trusted']) {
    await t.rejects(async () => { await Fastify().register(dualToken, { secret: SECRET, [name]: 'HS256' } as DualTokenOptions) },
      { code: 'FST_DUAL_TOKEN_OPTION_INVALID' }, name)
  }
})

test('the issuer and the audience are required of every token, not only of those that have them', async t => {
  const options = { issuer: 'https://issuer.example', audience: 'orders' }
  const both = { iss: options.issuer, aud: options.audience }
  await accepts(t, [accessToken(both), accessToken({ ...both, aud: ['stock', 'orders'] })], options)
  await refuses(t, [
    accessToken(),
    accessToken({ iss: options.issuer }),
    accessToken({ aud: options.audience }),
    accessToken({ ...both, iss: [options.issuer] }),
    accessToken({ ...both, iss: `${options.issuer}/` }),
    accessToken({ ...both, aud: 'Orders' }),
    accessToken({ ...both, aud: [] }),
    accessToken({ ...both, aud: [['orders']] }),
    accessToken({ ...both, aud: { 0: 'orders', length: 1 } }),
    accessToken({ ...both, aud: null })
  ], options)
})

test('a token without a user id is invalid', t => refuses(t, [accessToken({ user_id: undefined })]))

test('a token whose refresh is not a boolean is invalid', t =>
  refuses(t, [undefined, null, 0, 1, '', 'true', 'false', [], {}].map(refresh => accessToken({ refresh }))))
