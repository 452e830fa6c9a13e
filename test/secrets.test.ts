import { generateKeyPairSync } from 'node:crypto'
import { test } from 'tap'
import { readSecret, secretFlaw } from '../lib/secrets.ts'
import { SECRET } from './tokens.ts'

const JWK = '{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc","e":"AQAB"}'
const PEM = '-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----\n'

test('a secret is read as its own copy of its bytes', async t => {
  t.strictSame(readSecret('gäß'), Buffer.from([0x67, 0xc3, 0xa4, 0xc3, 0x9f]), 'a string is UTF-8')

  const given = Buffer.from(SECRET)
  const read = readSecret(given)
  given.fill(0)
  t.equal(read.toString(), SECRET)
})

test('a secret of 32 bytes or more that somebody had to guess is good', async t => {
  const cases = [
    SECRET, Buffer.from(SECRET), new Uint8Array(Buffer.from(SECRET)), 'a'.repeat(31) + 'b', 'ä'.repeat(15) + 'ab',
    Buffer.from(Array.from({ length: 32 }, (_, i) => i)), 'f3b1c2d4e5f60718293a4b5c6d7e8f90', '{"a":"json, but no key of any kind"}',
    ' x'.repeat(16)
  ]
  for (const secret of cases) t.equal(secretFlaw(secret), null, JSON.stringify(secret.toString()))
})

test('a secret that protects nothing is refused with its reason', async t => {
  const cases: Array<[string, Array<string | Uint8Array>]> = [
    ['must not be blank', ['', ' ', '\t\n '.repeat(20), new Uint8Array(0), Buffer.from(' '.repeat(32))]],
    ['must be at least 32 bytes long', ['a', 'x'.repeat(31), SECRET.slice(0, 31), Buffer.alloc(31, 1), 'ä'.repeat(15)]],
    ['must not be one character repeated', ['a'.repeat(32), 'ä'.repeat(64), Buffer.alloc(64), Buffer.alloc(32, 0xff)]],
    ['must be a secret, not a PEM or a JWK', [
      PEM, Buffer.from(PEM), Buffer.from(PEM).toString('base64'), JWK, Buffer.from(JWK), ` ${JWK}`, Buffer.from(JWK).toString('base64url'),
      `{"keys": [${JWK}]}`, '{\n  "alg": "ES256",\n  "kty" : "EC"\n}', `${'x'.repeat(40)}\n${PEM}`
    ]],
    ['must not be a well-known placeholder', [
      '12345678901234567890123456789012', 'abcdefghijklmnopqrstuvwxyz123456', '0123456789ABCDEF0123456789abcdef',
      'your-256-bit-secret-your-256-bit-secret', 'Change-Me Change-Me Change-Me Change-Me', 'changemechangemechangemechangeme!',
      Buffer.from('changemechangemechangemechangeme')
    ]]
  ]
  for (const [flaw, secrets] of cases) {
    for (const secret of secrets) t.equal(secretFlaw(secret), flaw, JSON.stringify(secret.toString().slice(0, 40)))
  }
})

test('a key without the lines of its PEM around it is no secret either, and no random bytes are taken for one', async t => {
  const flaw = 'must be a secret, not a PEM or a JWK'
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const ed = generateKeyPairSync('ed25519')
  const cases = [
    rsa.publicKey.export({ type: 'spki', format: 'der' }), rsa.publicKey.export({ type: 'pkcs1', format: 'der' }),
    rsa.privateKey.export({ type: 'pkcs8', format: 'der' }), rsa.privateKey.export({ type: 'pkcs1', format: 'der' }),
    ec.publicKey.export({ type: 'spki', format: 'der' }), ec.privateKey.export({ type: 'sec1', format: 'der' }),
    ed.publicKey.export({ type: 'spki', format: 'der' }), ed.privateKey.export({ type: 'pkcs8', format: 'der' })
  ]
  for (const der of cases) {
    for (const spelling of [der, der.toString('base64'), der.toString('base64url'), der.toString('base64').replaceAll(/.{64}/g, '$&\n')]) {
      t.equal(secretFlaw(spelling), flaw)
    }
  }
  t.equal(secretFlaw(Buffer.from(`\x30${SECRET}`)), null)
  t.equal(secretFlaw(cases[0]!.subarray(0, 200)), null, 'a part of a key is only bytes')
})
