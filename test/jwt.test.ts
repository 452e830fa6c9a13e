import Fastify from 'fastify'
import { test } from 'tap'
import { createKeyFactory } from '../lib/jwt.ts'
import { accessClaims, encode, mint, NOW, OTHER_SECRET, SECRET, seal } from './tokens.ts'

const createKey = createKeyFactory(Fastify())
const key = createKey(Buffer.from(SECRET))

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
  const other = createKey(Buffer.from(OTHER_SECRET))
  t.throws(() => other.verify(key.sign(accessClaims())))
  t.throws(() => key.verify(other.sign(accessClaims())))
})

test('keys can be made at any time and leave no decorator behind', async t => {
  const app = Fastify()
  await app.ready()
  t.match(createKeyFactory(app)(Buffer.from(SECRET)).verify(mint(accessClaims())), { user_id: 7 })
  t.notOk(app.hasDecorator('jwt'))
  t.notOk(app.hasRequestDecorator('jwtVerify'))
  t.notOk(app.hasRequestDecorator('user'))
  t.notOk(app.hasReplyDecorator('jwtSign'))
})

test('a secret that the engine cannot use is an error at once', async t => {
  t.throws(() => createKey(undefined as unknown as Buffer), { message: 'missing secret' })
})
