import Fastify from 'fastify'
import { test } from 'tap'
import { createKeyFactory } from '../../lib/keys/sign.ts'
import { readKeys } from '../../lib/keys/check.ts'
import { createKeyRing, createNamedKeyRing, type KeyRing, type NamedKeyRing } from '../../lib/keys/ring.ts'
import { ALGORITHMS, mintWith, PAIRS, publicRingKey, ringKey, signAs } from '../support/key-pairs.ts'
import { accessClaims, encode, isSignedBy, mint, OTHER_SECRET, SECRET } from '../support/tokens.ts'

function createRing (...secrets: string[]): KeyRing {
  return createKeyRing(secrets.map(secret => Buffer.from(secret)), createKeyFactory(Fastify()))
}

function createNamedRing (...keys: unknown[]): NamedKeyRing {
  return createNamedKeyRing(readKeys(keys), createKeyFactory(Fastify()))
}

test('the first key signs', async t => {
  t.equal(createRing(SECRET, OTHER_SECRET).sign(accessClaims()), mint(accessClaims(), SECRET))
  t.equal(createRing(OTHER_SECRET, SECRET).sign(accessClaims()), mint(accessClaims(), OTHER_SECRET))
})

test('all keys are tried, in order', async t => {
  const [first, second, ...none] = createRing(SECRET, OTHER_SECRET).keysFor(encode('{"alg":"HS256","typ":"JWT"}'))
  t.ok(isSignedBy(first!, mint(accessClaims(), SECRET)))
  t.ok(isSignedBy(second!, mint(accessClaims(), OTHER_SECRET)))
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

test('a header with critical members finds no key', async t => {
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

test('of named keys the first signs, and writes its name and algorithm into the header', async t => {
  for (const algorithm of ALGORITHMS) {
    const [header, payload] = createNamedRing(ringKey(algorithm, 'k1'), ringKey('EdDSA', 'k2', 1)).sign(accessClaims()).split('.')
    t.equal(Buffer.from(header!, 'base64url').toString(), JSON.stringify({ alg: algorithm, typ: 'JWT', kid: 'k1' }))
    t.equal(Buffer.from(payload!, 'base64url').toString(), JSON.stringify(accessClaims()))
  }
})

test('a token finds the one key that its kid names, whoever wrote the header', async t => {
  const ring = createNamedRing(ringKey('EdDSA', 'k1'), publicRingKey('ES256', 'k2'), publicRingKey('RS256', 'k3'), publicRingKey('PS256', 'k4'))
  for (const [alg, kid] of [['EdDSA', 'k1'], ['ES256', 'k2'], ['RS256', 'k3'], ['PS256', 'k4']] as const) {
    for (const header of [{ alg, typ: 'JWT', kid }, { kid, alg }, { alg, kid, typ: 'at+jwt', cty: 'json' }]) {
      const [key, ...others] = ring.keysFor(encode(JSON.stringify(header)))
      t.strictSame(others, [])
      t.match(key, { kid, algorithm: alg })
      t.ok(isSignedBy(key!, signAs(alg, PAIRS[alg][0].privateKey, header, accessClaims())))
    }
  }
})

test('a token whose kid is missing, unknown or no string, or whose algorithm is not that of the key, finds none', async t => {
  const ring = createNamedRing(ringKey('EdDSA', 'k1'), publicRingKey('RS256', 'k2'))
  const kids = [undefined, null, '', 'K1', 'k1 ', 'k3', 0, true, ['k1'], { k1: 1 }, 'constructor', '__proto__', 'toString', 'hasOwnProperty', 'k1'.repeat(1000)]
  for (const kid of kids) t.strictSame(ring.keysFor(encode(JSON.stringify({ alg: 'EdDSA', typ: 'JWT', kid }))), [], JSON.stringify(kid))
  for (const alg of [undefined, null, 'none', 'eddsa', 'EdDSA ', 'Ed25519', ['EdDSA'], 'HS256', 'RS256']) {
    t.strictSame(ring.keysFor(encode(JSON.stringify({ alg, kid: 'k1' }))), [], `k1 ${alg}`)
  }
  for (const alg of ['PS256', 'RS384', 'HS256', 'EdDSA']) t.strictSame(ring.keysFor(encode(JSON.stringify({ alg, kid: 'k2' }))), [], `k2 ${alg}`)
  for (const header of ['null', '[]', '7', '{"alg":"EdDSA","kid":"k1","crit":[]}', '{"alg":"EdDSA","kid":"k1","jwk":{}}', '{"alg":"EdDSA","kid":"k1","x5c":[]}']) {
    t.strictSame(ring.keysFor(encode(header)), [], header)
  }
  t.throws(() => ring.keysFor(encode('{"alg":"EdDSA"')), { name: 'SyntaxError' })
})

test('a kid may be any text', async t => {
  for (const kid of ['constructor', '__proto__', ' ', '"', 'ключ', '\u0000', '\ud800', 'k'.repeat(256)]) {
    const ring = createNamedRing(ringKey('EdDSA', kid))
    const token = ring.sign(accessClaims())
    t.ok(isSignedBy(ring.keysFor(token.split('.')[0]!)[0]!, token), JSON.stringify(kid))
    t.equal(ring.keysFor(encode(JSON.stringify({ kid, alg: 'EdDSA' }))).length, 1, JSON.stringify(kid))
  }
})

test('named secrets make a ring too', async t => {
  const ring = createNamedRing({ kid: 'a', algorithm: 'HS256', secret: SECRET }, { kid: 'b', algorithm: 'HS256', secret: OTHER_SECRET })
  t.equal(ring.sign(accessClaims()), signAs('HS256', SECRET, { alg: 'HS256', typ: 'JWT', kid: 'a' }, accessClaims()))
  const [key, ...others] = ring.keysFor(encode('{"alg":"HS256","kid":"b"}'))
  t.strictSame(others, [])
  t.ok(isSignedBy(key!, mint(accessClaims(), OTHER_SECRET)))
  t.strictSame(ring.keysFor(encode('{"alg":"HS256","typ":"JWT"}')), [], 'of named keys, a token says which')
})

test('a ring that begins with a public key can verify and not sign', async t => {
  const ring = createNamedRing(publicRingKey('ES256', 'k1'), ringKey('EdDSA', 'k2'))
  t.notOk(ring.canSign)
  t.throws(() => ring.sign({}), { code: 'FST_DUAL_TOKEN_OPTION_INVALID', message: 'Option keys must begin with a private key for tokens to be issued.' })
  const token = mintWith('ES256', 'k1', accessClaims())
  t.ok(isSignedBy(ring.keysFor(token.split('.')[0]!)[0]!, token))
})

test('a ring is replaced whole', async t => {
  const ring = createNamedRing(ringKey('EdDSA', 'k1'))
  const keys = readKeys([ringKey('ES256', 'k2'), publicRingKey('EdDSA', 'k3', 1)])
  ring.replace(keys)
  t.equal(ring.keys, keys)
  t.match(JSON.parse(Buffer.from(ring.sign({}).split('.')[0]!, 'base64url').toString()), { alg: 'ES256', kid: 'k2' })
  t.strictSame(ring.keysFor(encode('{"alg":"EdDSA","typ":"JWT","kid":"k1"}')), [])
  t.equal(ring.keysFor(encode('{"alg":"EdDSA","typ":"JWT","kid":"k3"}')).length, 1)
})

test('when one of the new keys does not work, the ring stays as it was', async t => {
  const ring = createNamedRing(ringKey('EdDSA', 'k1'))
  const before = ring.keys
  t.throws(() => ring.replace([{ kid: 'k2', algorithm: 'HS256', secret: undefined as unknown as Buffer }]), { message: 'missing secret' })
  t.equal(ring.keys, before)
  t.match(ring.keysFor(encode('{"alg":"EdDSA","kid":"k1"}'))[0], { kid: 'k1' })
})
