import Fastify from 'fastify'
import { test } from 'tap'
import { createKeyFactory } from '../lib/jwt.ts'
import { createKeyRing, type KeyRing } from '../lib/keys.ts'
import { accessClaims, encode, mint, OTHER_SECRET, SECRET } from './tokens.ts'

function createRing (...secrets: string[]): KeyRing {
  return createKeyRing(secrets.map(secret => Buffer.from(secret)), createKeyFactory(Fastify()))
}

test('the first key signs', async t => {
  t.equal(createRing(SECRET, OTHER_SECRET).sign(accessClaims()), mint(accessClaims(), SECRET))
  t.equal(createRing(OTHER_SECRET, SECRET).sign(accessClaims()), mint(accessClaims(), OTHER_SECRET))
})

test('all keys are tried, in order', async t => {
  const [first, second, ...none] = createRing(SECRET, OTHER_SECRET).keysFor(encode('{"alg":"HS256","typ":"JWT"}'))
  t.match(first!.verify(mint(accessClaims(), SECRET)), accessClaims())
  t.match(second!.verify(mint(accessClaims(), OTHER_SECRET)), accessClaims())
  t.strictSame(none, [])
})

test('a header with the algorithm of the ring finds its keys, whatever else harmless it says', async t => {
  const ring = createRing(SECRET)
  const cases = [
    '{"alg":"HS256"}', '{"typ":"JWT","alg":"HS256"}', '{"alg":"HS256","typ":"at+jwt"}', '{"alg":"HS256","typ":null}',
    '{"alg":"HS256","kid":"anything"}', '{"alg":"HS256","cty":"json"}', '{"alg":"none","alg":"HS256"}', ' { "alg" : "HS256" } ',
    '{"alg":"HS256","x":5}', '{"alg":"HS256","CRIT":[]}'
  ]
  for (const header of cases) t.equal(ring.keysFor(encode(header)).length, 1, header)
})

test('a header with another algorithm, or none, finds no key', async t => {
  const ring = createRing(SECRET)
  const cases = [
    '{}', '{"typ":"JWT"}', '{"alg":null}', '{"alg":"none"}', '{"alg":""}', '{"alg":"hs256"}', '{"alg":"HS256 "}', '{"alg":["HS256"]}',
    '{"alg":{"HS256":1}}', '{"alg":"HS384"}', '{"alg":"RS256"}', '{"alg":"ES256"}', '{"alg":"EdDSA"}', '{"Alg":"HS256"}',
    '{"alg":"HS256","alg":"none"}', '{"__proto__":{"alg":"HS256"}}', 'null', '[]', '"HS256"', '7'
  ]
  for (const header of cases) t.strictSame(ring.keysFor(encode(header)), [], header)
})

test('a header that asks for more than a signature finds no key', async t => {
  const ring = createRing(SECRET)
  for (const name of ['crit', 'b64', 'jwk', 'jku', 'x5u', 'x5c', 'x5t', 'x5t#S256', 'x5', 'x5\\nu']) {
    for (const value of ['null', 'true', '[]', '{}', '"http://127.0.0.1/"']) {
      const header = `{"alg":"HS256","${name}":${value}}`
      t.strictSame(ring.keysFor(encode(header)), [], header)
    }
  }
})

test('a header that is not UTF-8 finds no key, and one that is not JSON throws', async t => {
  const ring = createRing(SECRET)
  t.strictSame(ring.keysFor(encode(Buffer.from('{"alg":"HS256","a":"\xff"}', 'latin1'))), [])
  for (const header of ['', '{', 'HS256', '{"alg":"HS256"}}']) t.throws(() => ring.keysFor(encode(header)), { name: 'SyntaxError' }, header)
})
