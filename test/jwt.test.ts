import Fastify from 'fastify'
import { test } from 'tap'
import { createKeyFactory } from '../lib/jwt.ts'
import { readKeys, type SecretRingKey } from '../lib/key-options.ts'
import { ALGORITHMS, mintWith, publicRingKey, ringKey } from './key-pairs.ts'
import { accessClaims, encode, mint, NOW, OTHER_SECRET, SECRET, seal } from './tokens.ts'

const createKey = createKeyFactory(Fastify())
const key = createKey(secretKey(SECRET))

function secretKey (secret: string): SecretRingKey {
  return { kid: undefined, algorithm: 'HS256', secret: Buffer.from(secret) }
}

test('a key signs what node:crypto would sign', async t => {
  t.equal(key.algorithm, 'HS256')
  t.equal(key.sign(accessClaims()), mint(accessClaims()))
})

test('a key gives back the payload under its own signature', async t => {
  t.strictSame(key.verify(mint(accessClaims())), accessClaims())
})

test('a key throws on any other signature', async t => {
  const cases = {
    'another secret': mint(accessClaims(), OTHER_SECRET),
    'no signature': mint(accessClaims()).replace(/[^.]*$/, ''),
    'another algorithm': seal(encode('{"alg":"HS512","typ":"JWT"}'), encode(JSON.stringify(accessClaims()))),
    'no algorithm': seal(encode('{"alg":"none"}'), encode(JSON.stringify(accessClaims())))
  }
  for (const [name, token] of Object.entries(cases)) t.throws(() => key.verify(token), name)
})

test('a key leaves times to the claims', async t => {
  for (const times of [{ exp: 0 }, { exp: NOW - 1e9 }, { nbf: NOW + 1e9 }, { iat: NOW + 1e9 }]) {
    t.match(key.verify(mint(accessClaims(times))), times)
  }
})

test('keys do not share their secrets', async t => {
  const other = createKey(secretKey(OTHER_SECRET))
  t.throws(() => other.verify(key.sign(accessClaims())))
  t.throws(() => key.verify(other.sign(accessClaims())))
})

test('keys can be made at any time and leave no decorator behind', async t => {
  const app = Fastify()
  await app.ready()
  t.match(createKeyFactory(app)(secretKey(SECRET)).verify(mint(accessClaims())), { user_id: 7 })
  t.notOk(app.hasDecorator('jwt'))
  t.notOk(app.hasRequestDecorator('jwtVerify'))
  t.notOk(app.hasRequestDecorator('user'))
  t.notOk(app.hasReplyDecorator('jwtSign'))
})

test('a secret that the engine cannot use is an error at once', async t => {
  t.throws(() => createKey({ ...secretKey(SECRET), secret: undefined as unknown as Buffer }), { message: 'missing secret' })
})

test('a key of each algorithm signs what it verifies, in signatures of one length', async t => {
  for (const [algorithm, length] of [['RS256', 342], ['PS256', 342], ['ES256', 86], ['EdDSA', 86]] as const) {
    const key = createKey(readKeys([ringKey(algorithm, 'k')])[0])
    const token = key.sign(accessClaims())
    t.strictSame(key.verify(token), accessClaims())
    t.equal(key.signatureLength, length)
    t.equal(token.split('.')[2]!.length, length)
  }
  t.equal(key.signatureLength, 43)
})

test('a key without its private half verifies, and throws when it is to sign', async t => {
  for (const algorithm of ALGORITHMS) {
    const key = createKey(readKeys([publicRingKey(algorithm, 'k')])[0])
    t.strictSame(key.verify(mintWith(algorithm, 'k', accessClaims())), accessClaims())
    t.throws(() => key.verify(mintWith(algorithm, 'k', accessClaims(), 1)), algorithm)
    t.throws(() => key.sign(accessClaims()))
  }
})
