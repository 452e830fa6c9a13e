import { test } from 'tap'
import { readKeySet } from '../../lib/keys/key-set.ts'
import type { AsymmetricAlgorithm } from '../../lib/index.ts'
import { ALGORITHMS, createPair, PAIRS } from '../support/key-pairs.ts'
import { publicJwk } from '../support/publisher.ts'

function read (keys: unknown[], ...algorithms: AsymmetricAlgorithm[]) {
  return readKeySet(JSON.stringify({ keys }), algorithms.length === 0 ? ALGORITHMS : algorithms)
}

/** Of a good key and another value: why the other is left out. */
function reasonOf (value: unknown, ...algorithms: AsymmetricAlgorithm[]): string | undefined {
  const { keys, leftOut } = read([publicJwk('EdDSA', 'good'), value], ...new Set<AsymmetricAlgorithm>(['EdDSA', ...algorithms]))
  return keys.length === 1 && keys[0]!.kid === 'good' ? leftOut[0]?.reason : 'the good one is not alone'
}

test('every key of an algorithm that the service names is taken, in order', async t => {
  const { keys, leftOut } = read(ALGORITHMS.map(algorithm => publicJwk(algorithm, algorithm)))
  t.strictSame(leftOut, [])
  for (const [index, algorithm] of ALGORITHMS.entries()) {
    t.match(keys[index], { kid: algorithm, algorithm, privateKey: null })
    t.ok(keys[index]!.publicKey.equals(PAIRS[algorithm][0].publicKey))
  }
  t.ok(Object.isFrozen(keys))
})

test('a key without alg is of the one algorithm that it fits', async t => {
  const bare = (algorithm: AsymmetricAlgorithm) => ({ ...publicJwk(algorithm, 'k'), alg: undefined, use: undefined })
  for (const algorithm of ALGORITHMS) t.equal(read([bare(algorithm)], algorithm).keys[0]!.algorithm, algorithm)
  t.equal(read([bare('PS256')], 'RS256', 'ES256').keys[0]!.algorithm, 'RS256')
  t.equal(reasonOf(bare('RS256'), 'RS256', 'PS256'), 'keys[1].alg is required, because RS256 and PS256 both fit')
  t.equal(reasonOf(bare('RS256'), 'ES256'), 'keys[1] must be of an algorithm that this service allows: EdDSA, ES256')
  for (const crv of ['P-384', 'secp256k1', undefined, null, 'Ed25519']) {
    t.equal(reasonOf({ ...bare('ES256'), crv }, 'ES256'), 'keys[1] must be of an algorithm that this service allows: EdDSA, ES256', String(crv))
  }
  t.equal(read([{ ...bare('RS256'), crv: 'P-256' }], 'RS256', 'ES256').keys[0]!.algorithm, 'RS256', 'a member of no meaning')
})

test('a key that does not pass the checks of the option keys is left out, and the others stay', async t => {
  const ed = publicJwk('EdDSA', 'k2', 1)
  const ec = publicJwk('ES256', 'k2')
  const weak = { ...createWeakRsa(), kid: 'k2', alg: 'RS256' }
  const [allowed, point] = ['keys[1] must be of an algorithm that this service allows: EdDSA, ES256, RS256', 'its point on the curve']
  const cases: Array<[string, unknown, string | RegExp]> = [
    ['another algorithm', publicJwk('PS256', 'k2'), allowed],
    ['none', { ...ed, alg: 'none' }, allowed],
    ['HS256', { kty: 'oct', alg: 'HS256', kid: 'k2' }, allowed],
    ['no string', { ...ed, alg: 7 }, allowed],
    ['null', { ...ed, alg: null }, allowed],
    ['a list', { ...ed, alg: ['EdDSA'] }, allowed],
    ['the alg of another key type', { ...ed, alg: 'ES256' }, 'keys[1] must be an EC key on the curve P-256 for ES256'],
    ['for encryption', { ...ed, use: 'enc' }, 'keys[1] must be a JWK whose use is sig'],
    ['for signing alone', { ...ed, key_ops: ['sign'] }, 'keys[1] must be a JWK whose key_ops allow to verify'],
    ['without a kid', { ...ed, kid: undefined }, 'keys[1].kid is required'],
    ['with an empty kid', { ...ed, kid: '' }, /^keys\[1\]\.kid must be a string of 1 to 256/],
    ['with a long kid', { ...ed, kid: 'k'.repeat(257) }, /^keys\[1\]\.kid must be a string of 1 to 256/],
    ['with a number for a kid', { ...ed, kid: 7 }, /^keys\[1\]\.kid must be a string of 1 to 256/],
    ['with the kid of another', { ...ed, kid: 'good' }, 'keys[1].kid must not be that of another key'],
    ['weak', weak, 'keys[1] must have at least 2048 bits'],
    ['off the curve', { ...ec, y: ec.x }, new RegExp(point)],
    ['of small order', { ...ed, x: Buffer.alloc(32).toString('base64url') }, /small order/],
    ['cut short', { ...ed, x: 'AAAA' }, /whole/],
    ['empty', {}, allowed],
    ['text', 'k2', allowed],
    ['null', null, allowed],
    ['a number', 7, allowed],
    ['a list', [ed], allowed]
  ]
  for (const [name, value, reason] of cases) {
    const said = reasonOf(value, 'ES256', 'RS256')
    if (typeof reason === 'string') t.equal(said, reason, name)
    else t.match(said, reason, name)
  }
})

function createWeakRsa (): object {
  // An RSA key of 1024 bits, which nobody has to generate.
  return { kty: 'RSA', e: 'AQAB', n: Buffer.alloc(128, 0xc5).toString('base64url') }
}

test('a key with any private member is left out, whatever else is wrong with it, and the reason quotes nothing of it', async t => {
  for (const algorithm of ALGORITHMS) {
    const { privateKey } = createPair(algorithm)
    const jwk = { ...privateKey.export({ format: 'jwk' }), kid: 'k2', alg: algorithm }
    t.equal(reasonOf(jwk, algorithm), 'keys[1] must be a public key, not a private one', algorithm)
  }
  for (const more of [{ d: '' }, { k: 'AAAA' }, { p: 7 }, { oth: null }]) {
    t.equal(reasonOf({ ...publicJwk('EdDSA', 'good', 1), alg: 'none', ...more }), 'keys[1] must be a public key, not a private one')
  }
})

test('a key that is left out is named by its kid, cut to 256 characters', async t => {
  const { leftOut } = read([publicJwk('EdDSA', 'k1'), { kid: 'k2' }, { kid: 'x'.repeat(300) }, { kid: 7 }, null])
  t.strictSame(leftOut.map(({ kid }) => kid), ['k2', 'x'.repeat(256), null, null])
})

test('a text that is no set, is too large, or has no usable key is refused by name', async t => {
  for (const text of ['', '{', 'null', '7', '"keys"', '[]', '{}', '{"keys":null}', '{"keys":{}}', '{"keys":"a"}', '<html>', '{"keys":[]}}', '{"Keys":[]}']) {
    t.throws(() => readKeySet(text, ALGORITHMS), { message: 'the key set is not a JWK Set' }, text)
  }
  t.throws(() => readKeySet('['.repeat(60_000), ALGORITHMS), { message: 'the key set is not a JWK Set' })
  const one = publicJwk('EdDSA', 'k1')
  const many = (count: number) => Array.from({ length: count }, (_, index) => ({ ...one, kid: `k${index}` }))
  t.equal(read(many(100)).keys.length, 100)
  t.throws(() => read(many(101)), { message: 'the key set has more than 100 keys' })
  t.throws(() => read([]), { message: 'the key set has no keys' })
  t.throws(() => read([one, { ...one, kid: 'k2' }], 'RS256'), {
    message: 'the key set has no key that can be used here: keys[0] must be of an algorithm that this service allows: RS256'
  })
})
