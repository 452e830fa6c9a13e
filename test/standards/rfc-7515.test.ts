// RFC 7515, JSON Web Signature: its own examples, and what its sections ask of a verifier.
import { createHmac } from 'node:crypto'
import Fastify from 'fastify'
import { test } from 'tap'
import { createKeyFactory } from '../../lib/keys/sign.ts'
import { readKeys } from '../../lib/keys/check.ts'
import { createKeyRing } from '../../lib/keys/ring.ts'
import { split } from '../../lib/tokens/split.ts'
import { createApp } from '../support/app.ts'
import { accessClaims, accessToken, claimsIn, encode, forge, isSignedBy, SECRET } from '../support/tokens.ts'

const CLAIMS = JSON.stringify(accessClaims())

/** Appendix A.1: the key, and the token in its compact form. */
const A1_KEY = Buffer.from('AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow', 'base64url')
const A1_TOKEN = 'eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9' +
  '.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ' +
  '.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'

test('appendix A.1: the example under HS256 verifies with its key', t => {
  const { header } = split(A1_TOKEN)!
  const [key, ...others] = createKeyRing([A1_KEY], createKeyFactory(Fastify())).keysFor(header)
  t.same(others, [])
  t.ok(isSignedBy(key!, A1_TOKEN))
  t.end()
})

test('appendix A.1: the example does not verify with another key, nor with another payload', t => {
  const other = createKeyRing([Buffer.from(A1_KEY).reverse()], createKeyFactory(Fastify()))
  t.notOk(isSignedBy(other.keysFor(split(A1_TOKEN)!.header)[0]!, A1_TOKEN))
  const own = createKeyRing([A1_KEY], createKeyFactory(Fastify()))
  const [header, , signature] = A1_TOKEN.split('.')
  t.notOk(isSignedBy(own.keysFor(header!)[0]!, `${header}.${encode('{"iss":"eve"}')}.${signature}`))
  t.end()
})

const JOE = { iss: 'joe', exp: 1_300_819_380, 'http://example.com/is_root': true }
const JOE_PAYLOAD = 'eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ'

/** Appendix A.2: the public key, and the token in its compact form. */
const A2_KEY = {
  kty: 'RSA',
  n: 'ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32' +
    '690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJ' +
    'H7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ',
  e: 'AQAB'
}
const A2_TOKEN = `eyJhbGciOiJSUzI1NiJ9.${JOE_PAYLOAD}` +
  '.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRF' +
  'diuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeY' +
  'I2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw'

/** Appendix A.3: the private key, and the token in its compact form. */
const A3_KEY = {
  kty: 'EC',
  crv: 'P-256',
  x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
  y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
  d: 'jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI'
}
const A3_TOKEN = `eyJhbGciOiJFUzI1NiJ9.${JOE_PAYLOAD}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q`

for (const [appendix, token, given] of [
  ['A.1', A1_TOKEN, { algorithm: 'HS256', secret: { kty: 'oct', k: A1_KEY.toString('base64url') } }],
  ['A.2', A2_TOKEN, { algorithm: 'RS256', publicKey: A2_KEY }],
  ['A.3', A3_TOKEN, { algorithm: 'ES256', privateKey: A3_KEY }]
] as const) {
  test(`appendix ${appendix}: the example verifies with its key as a JWK, and with one bit changed it does not`, async t => {
    const key = createKeyFactory(Fastify())(readKeys([{ kid: 'k', ...given }])[0])
    t.ok(isSignedBy(key, token))
    const [header, payload, signature] = token.split('.') as [string, string, string]
    const bytes = Buffer.from(signature, 'base64url')
    for (let bit = 0; bit < bytes.length * 8; bit += 5) {
      const changed = Buffer.from(bytes)
      changed[bit >> 3]! ^= 1 << (bit & 7)
      t.notOk(isSignedBy(key, `${header}.${payload}.${encode(changed)}`))
    }
    t.notOk(isSignedBy(key, `${header}.${encode('{"iss":"eve"}')}.${signature}`))
  })
}

test('appendix A.3: the key of the example signs what it verifies', async t => {
  const key = createKeyFactory(Fastify())(readKeys([{ kid: 'k', algorithm: 'ES256', privateKey: A3_KEY }])[0])
  const token = key.sign({ ...JOE, iat: 1_300_000_000 })
  t.ok(isSignedBy(key, token))
  t.same(claimsIn(token), { ...JOE, iat: 1_300_000_000 })
})

test('appendix A.4: no algorithm here supports its curve, P-521', async t => {
  const publicKey = {
    kty: 'EC',
    crv: 'P-521',
    x: 'AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk',
    y: 'ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2'
  }
  t.throws(() => readKeys([{ kid: 'k', algorithm: 'ES256', publicKey }]), { message: 'Option keys[0].publicKey must be an EC key on the curve P-256 for ES256.' })
})

test('appendix A.5: an unsecured JWS is refused', async t => {
  const { app } = await createApp(t)
  const token = `${encode('{"alg":"none"}')}.${encode(CLAIMS)}.`
  t.throws(() => app.dualToken.verifyToken(token), { code: 'FST_DUAL_TOKEN_ACCESS_INVALID' })
})

test('section 2: base64url has no padding, no line breaks, no blanks and no other characters', async t => {
  const { app } = await createApp(t)
  const token = accessToken()
  const middle = token.indexOf('.') + 5
  for (const foreign of ['=', '\n', '\r\n', ' ', '\t', '+', '/', '%', '~', '\0', '\xa0', '\ufeff', '\u200b']) {
    for (const at of [0, middle, token.length]) {
      t.throws(() => app.dualToken.verifyToken(token.slice(0, at) + foreign + token.slice(at)), { code: 'FST_DUAL_TOKEN_ACCESS_INVALID' })
    }
  }
})

test('section 4: the last of two header parameters with the same name counts', async t => {
  const { app } = await createApp(t)
  t.equal(app.dualToken.verifyToken(forge('{"alg":"none","alg":"HS256"}', CLAIMS)).user_id, 7)
  t.throws(() => app.dualToken.verifyToken(forge('{"alg":"HS256","alg":"none"}', CLAIMS)))
})

test('section 4: unknown header parameters are ignored', async t => {
  const { app } = await createApp(t)
  for (const more of ['"typ":"at+jwt"', '"typ":null', '"cty":"JWT"', '"kid":"any"', '"kid":7', '"":0', '"zip":"DEF"', '"x":{"crit":1}']) {
    t.equal(app.dualToken.verifyToken(forge(`{"alg":"HS256",${more}}`, CLAIMS)).user_id, 7, more)
  }
})

test('section 4.1.1: alg is case-sensitive and not optional', async t => {
  const { app } = await createApp(t)
  for (const header of ['{"alg":"hs256"}', '{"alg":"HS256 "}', '{"alg":"Hs256"}', '{"Alg":"HS256"}', '{}', '{"alg":"H\\u0053257"}']) {
    t.throws(() => app.dualToken.verifyToken(forge(header, CLAIMS)), { code: 'FST_DUAL_TOKEN_ACCESS_INVALID' }, header)
  }
  t.equal(app.dualToken.verifyToken(forge('{"alg":"H\\u0053256"}', CLAIMS)).user_id, 7, 'an escape is the letter it stands for')
})

test('section 4.1.11: every critical header parameter is refused', async t => {
  const { app } = await createApp(t)
  for (const crit of ['["b64"]', '["exp"]', '["alg"]', '[]', '[""]', 'null', '"b64"', '{}']) {
    t.throws(() => app.dualToken.verifyToken(forge(`{"alg":"HS256","crit":${crit},"b64":true,"exp":1}`, CLAIMS)),
      { code: 'FST_DUAL_TOKEN_ACCESS_INVALID' }, crit)
  }
})

test('section 5.2: the signature is over the segments as they were sent, not over what they decode to', async t => {
  const { app } = await createApp(t)
  const [header, payload, signature] = accessToken().split('.')
  const respaced = encode(JSON.stringify(accessClaims(), null, 1))
  t.throws(() => app.dualToken.verifyToken(`${header}.${respaced}.${signature}`), { code: 'FST_DUAL_TOKEN_ACCESS_INVALID' })
  t.throws(() => app.dualToken.verifyToken(`${encode('{"typ":"JWT","alg":"HS256"}')}.${payload}.${signature}`),
    { code: 'FST_DUAL_TOKEN_ACCESS_INVALID' })
})

test('section 7.1: an issued token is a compact JWS that plain HMAC-SHA256 can check', async t => {
  const { app } = await createApp(t)
  const { token, refresh_token: refresh } = await app.dualToken.issueTokens({ user_id: 7 })
  for (const issued of [token, refresh]) {
    t.match(issued, /^[\w-]+\.[\w-]+\.[\w-]{43}$/)
    t.same(JSON.parse(Buffer.from(issued.split('.')[0]!, 'base64url').toString()), { alg: 'HS256', typ: 'JWT' })
    const input = issued.slice(0, issued.lastIndexOf('.'))
    t.equal(issued, `${input}.${createHmac('sha256', SECRET).update(input).digest('base64url')}`)
  }
})
