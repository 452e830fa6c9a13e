import { createHash, generateKeyPairSync } from 'node:crypto'
import { test } from 'tap'
import { readSecret, secretFlaw } from '../../lib/keys/secret.ts'
import { SECRET } from '../support/tokens.ts'

const JWK = '{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc","e":"AQAB"}'
const PEM = '-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----\n'

test('a secret is read as its own copy of its bytes', async t => {
  t.strictSame(readSecret('gäß'), Buffer.from([0x67, 0xc3, 0xa4, 0xc3, 0x9f]), 'a string is UTF-8')

  const given = Buffer.from(SECRET)
  const read = readSecret(given)
  given.fill(0)
  t.equal(read.toString(), SECRET)
})

test('a secret of 32 bytes or more that is hard to guess is accepted', async t => {
  const cases = [
    SECRET, Buffer.from(SECRET), new Uint8Array(Buffer.from(SECRET)), 'f3b1c2d4e5f60718293a4b5c6d7e8f90', '{"a":"json, but no key of any kind"}',
    'ägöldßwürmé, schräg über Ömür: 7 ñ', Buffer.from(Array.from({ length: 32 }, (_, i) => i * i)), `the secret of my garden gate: ${'kqzvjw'}!`, '#&!)(*%$-_=+;:,.<>?/~^@[]{}|"#!*&(?'
  ]
  for (const secret of cases) t.equal(secretFlaw(secret), null, JSON.stringify(secret.toString()))
})

test('a weak secret is refused with the reason', async t => {
  const cases: Array<[string, Array<string | Uint8Array>]> = [
    ['must not be blank', ['', ' ', '\t\n '.repeat(20), new Uint8Array(0), Buffer.from(' '.repeat(32))]],
    ['must be at least 32 bytes long', ['a', 'x'.repeat(31), SECRET.slice(0, 31), Buffer.alloc(31, 1), 'ä'.repeat(15)]],
    ['must not be one character repeated', ['a'.repeat(32), 'ä'.repeat(64), Buffer.alloc(64), Buffer.alloc(32, 0xff)]],
    ['must be a secret, not a PEM or a JWK', [
      PEM, Buffer.from(PEM), Buffer.from(PEM).toString('base64'), JWK, Buffer.from(JWK), ` ${JWK}`, Buffer.from(JWK).toString('base64url'),
      `{"keys": [${JWK}]}`, '{\n  "alg": "ES256",\n  "kty" : "EC"\n}', `${'x'.repeat(40)}\n${PEM}`
    ]],
    ['must have at least 8 different characters', ['a'.repeat(31) + 'b', 'ä'.repeat(15) + 'ab', ' x'.repeat(16), 'abcdefg'.repeat(5), Buffer.from('changemechangemechangemechangeme'), 'changeme'.repeat(4), 'test123-test123-test123-test123-test']],
    ['must not repeat a shorter text', [
      'abcdefgh'.repeat(4), `${SECRET}${SECRET}`, Buffer.from(SECRET.slice(0, 16).repeat(2)), '0123456789ABCDEF'.repeat(2),
      'your-256-bit-secret-your-256-bit-secret-', '12345678901234567890123456789012', '0123456789abcdef0123456789abcdef'
    ]],
    ['must not run along the alphabet, the digits or the keyboard', [
      'abcdefghijklmnopqrstuvwxyz123456', 'abcdefghijklmnopqrstuvwxyz0123456789', 'ZYXWVUTSRQPONMLKJIHGFEDCBA-987654321', 'qwertyuiop-asdfghjkl-zxcvbnm-1234567890',
      '1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol', 'qwertzuiopasdfghjklyxcvbnm12345678', 'efghijklmnopqrstuvwxyzabcdefghij', Buffer.from(Array.from({ length: 32 }, (_, i) => i)),
      Buffer.from(Array.from({ length: 64 }, (_, i) => 255 - i))
    ]],
    ['must not be a well-known placeholder', [
      'your-super-secret-jwt-token-with-at-least-32-characters-long', 'your_super_secret_key_that_is_at_least_32_characters', 'Change-Me, Change-This, please: SECRET',
      'this-is-a-very-long-secret-key-that-nobody-will-guess', 'supersecretkeythatshouldbechangedinproduction', 'REPLACE_ME_WITH_A_RANDOM_STRING_OF_32_CHARS',
      'my-super-secret-key-for-jwt-authentication-app', 'thisisasecretkeythatmustbeatleast32byteslong', 'a-string-secret-at-least-256-bits-long',
      'insert-your-random-secret-here-please-32-chars', 'default-secret-do-not-use-in-production-2024', 'keep-this-secret-and-never-share-it-with-anyone',
      'my_jwt_secret_key_for_development_only_change_me', 'SuperSecretPasswordThatNobodyKnows123456', 'jwt-access-token-secret-key-example-project',
      'secret-key-for-testing-purposes-only-32-bytes', 'thisIsMySuperSecretKeyForTheExampleApp', 'fastify-jwt-secret-key-for-the-demo-server',
      'put-a-long-random-string-here-at-least-32-chars', 'super-duper-secret-string-that-is-long-enough', Buffer.from('please-change-this-secret-key-in-production-env')
    ]],
    ['must not be one that was published', [
      'r9iMKoe5CRMgvJBBtp4HrqN7QiPpUToj', ' r9iMKoe5CRMgvJBBtp4HrqN7QiPpUToj\r\n', '0a6b944d-d2fb-46fc-a85e-0295c986cd9f', Buffer.from('569a1821-0a93-45e8-87ab-eb857f20a010')
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

test('no random secret counts as guessable, in any encoding', async t => {
  let hash = Buffer.alloc(32)
  for (let i = 0; i < 2000; i++) {
    hash = createHash('sha256').update(hash).digest()
    for (const secret of [hash, hash.toString('base64'), hash.toString('base64url'), hash.toString('hex'), hash.toString('hex').slice(0, 32)]) {
      const flaw = secretFlaw(secret)
      if (flaw !== null) t.fail(`${secret.toString()} ${flaw}`)
    }
  }
  t.pass('10,000 of them')
})
