import Fastify from 'fastify'
import { test } from 'tap'
import { createKeyFactory } from '../../lib/keys/sign.ts'
import { readKeys, type SecretRingKey } from '../../lib/keys/check.ts'
import { ALGORITHMS, publicRingKey, ringKey } from '../support/key-pairs.ts'
import { accessClaims, claimsIn, isSignedBy, mint, OTHER_SECRET, SECRET } from '../support/tokens.ts'

const createKey = createKeyFactory(Fastify())
const key = createKey(secretKey(SECRET))

function secretKey (secret: string): SecretRingKey {
  return { kid: undefined, algorithm: 'HS256', secret: Buffer.from(secret) }
}

test('a key signs what node:crypto would sign', async t => {
  t.equal(key.algorithm, 'HS256')
  t.equal(key.sign(accessClaims()), mint(accessClaims()))
})

test('keys do not share their secrets', async t => {
  const other = createKey(secretKey(OTHER_SECRET))
  t.notOk(isSignedBy(other, key.sign(accessClaims())))
  t.notOk(isSignedBy(key, other.sign(accessClaims())))
})

test('keys can be made at any time and leave no decorator behind', async t => {
  const app = Fastify()
  await app.ready()
  t.equal(createKeyFactory(app)(secretKey(SECRET)).sign(accessClaims()), mint(accessClaims()))
  t.notOk(app.hasDecorator('jwt'))
  t.notOk(app.hasRequestDecorator('jwtVerify'))
  t.notOk(app.hasRequestDecorator('user'))
  t.notOk(app.hasReplyDecorator('jwtSign'))
})

test('a secret that the engine cannot use is an error at once', async t => {
  t.throws(() => createKey({ ...secretKey(SECRET), secret: undefined as unknown as Buffer }), { message: 'missing secret' })
})

test('a key of each algorithm signs with its own algorithm', async t => {
  for (const algorithm of ALGORITHMS) {
    const key = createKey(readKeys([ringKey(algorithm, 'k')])[0])
    const token = key.sign(accessClaims())
    t.ok(isSignedBy(key, token), algorithm)
    t.strictSame(claimsIn(token), accessClaims(), algorithm)
  }
})

test('a key without its private half throws when it signs', async t => {
  for (const algorithm of ALGORITHMS) t.throws(() => createKey(readKeys([publicRingKey(algorithm, 'k')])[0]).sign(accessClaims()), algorithm)
})
