import { createPublicKey, createSecretKey, generateKeyPairSync, type JsonWebKey, type KeyObject } from 'node:crypto'
import { inspect } from 'node:util'
import { test, type Test } from 'tap'
import { canSign, isSymmetric, readKeys, type PublicRingKey, type SecretRingKey } from '../../lib/keys/check.ts'
import { isRocaModulus } from '../../lib/keys/roca.ts'
import { ALGORITHMS, PAIRS, publicRingKey, ringKey } from '../support/key-pairs.ts'
import { encode, OTHER_SECRET, SECRET } from '../support/tokens.ts'

const [ec, otherEc] = PAIRS.ES256
const [rsa, otherRsa] = PAIRS.RS256
const [ed, otherEd] = PAIRS.EdDSA
const UNREADABLE = /^Option keys\[0\]\.(?:private|public)Key must be an unencrypted PEM, a JWK \(parsed\) or a KeyObject of a (?:private|public) key, whole/

function jwk (key: KeyObject): JsonWebKey {
  return key.export({ format: 'jwk' })
}

function pem (key: KeyObject, type: 'spki' | 'pkcs8' | 'pkcs1' | 'sec1' = key.type === 'private' ? 'pkcs8' : 'spki'): string {
  return key.export({ type: type as 'spki', format: 'pem' }) as string
}

/** Each ring is refused with the sentence, which repeats nothing of a key. */
function refuses (t: Test, cases: ReadonlyArray<readonly [name: string, keys: unknown, message: string | RegExp]>): void {
  for (const [name, keys, message] of cases) {
    t.throws(() => readKeys(keys), { code: 'FST_DUAL_TOKEN_OPTION_INVALID', message }, name)
    try {
      readKeys(keys)
    } catch (error) {
      t.match((error as Error).message, /^Option [\w.[\]]+ [^.]+\.$/, `${name}: one sentence`)
      t.notMatch(inspect(error, { depth: 9, showHidden: true }), /hunter2/, name)
      t.equal((error as Error).cause, undefined)
    }
  }
}

test('a key is taken as PEM, in bytes or text, as JWK and as KeyObject', async t => {
  for (const algorithm of ALGORITHMS) {
    const { privateKey, publicKey } = PAIRS[algorithm][0]
    for (const given of [privateKey, pem(privateKey), Buffer.from(pem(privateKey)), ` \n${pem(privateKey)}\n\n`, jwk(privateKey)]) {
      const [key] = readKeys([{ kid: 'k', algorithm, privateKey: given }]) as readonly [PublicRingKey]
      t.match({ ...key }, { kid: 'k', algorithm })
      t.ok(key.privateKey!.equals(privateKey))
      t.ok(key.publicKey.equals(publicKey))
    }
    for (const given of [publicKey, pem(publicKey), Buffer.from(pem(publicKey)), jwk(publicKey)]) {
      const [key] = readKeys([{ kid: 'k', algorithm, publicKey: given }]) as readonly [PublicRingKey]
      t.equal(key.privateKey, null)
      t.ok(key.publicKey.equals(publicKey))
    }
    const [both] = readKeys([{ kid: 'k', algorithm, privateKey, publicKey: pem(publicKey) }]) as readonly [PublicRingKey]
    t.ok(both.publicKey.equals(publicKey))
  }
})

test('the older PEM formats of RSA and EC keys are accepted', async t => {
  for (const [algorithm, privateKey, type] of [['RS256', rsa.privateKey, 'pkcs1'], ['ES256', ec.privateKey, 'sec1']] as const) {
    const [key] = readKeys([{ kid: 'k', algorithm, privateKey: pem(privateKey, type) }]) as readonly [PublicRingKey]
    t.ok(key.privateKey!.equals(privateKey))
  }
  const [key] = readKeys([{ kid: 'k', algorithm: 'PS256', publicKey: pem(rsa.publicKey, 'pkcs1') }]) as readonly [PublicRingKey]
  t.ok(key.publicKey.equals(rsa.publicKey))
})

test('a curve that is spelt out in numbers is read as the curve it is', async t => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256', paramEncoding: 'explicit' })
  const [key] = readKeys([{ kid: 'k', algorithm: 'ES256', privateKey }]) as readonly [PublicRingKey]
  t.ok(pem(key.publicKey).length < 200, 'by its name')
})

test('a secret is taken as text, bytes, JWK and KeyObject, and copied', async t => {
  const bytes = Buffer.from(SECRET)
  for (const secret of [SECRET, bytes, new Uint8Array(bytes), { kty: 'oct', k: encode(SECRET) }, createSecretKey(bytes)]) {
    const [key] = readKeys([{ kid: 'k', algorithm: 'HS256', secret }]) as readonly [SecretRingKey]
    t.strictSame({ ...key }, { kid: 'k', algorithm: 'HS256', secret: Buffer.from(SECRET) })
    t.not(key.secret, secret)
  }
})

test('a list with holes, with other values or without members is refused', t => {
  refuses(t, [
    ['nothing', undefined, 'Option keys must be a list of at least one key.'],
    ['no list', { 0: ringKey('EdDSA', 'a'), length: 1 }, 'Option keys must be a list of at least one key.'],
    ['an empty list', [], 'Option keys must be a list of at least one key.'],
    ['a hole', Array(2), 'Option keys[0] must be an object.'],
    ['null', [ringKey('EdDSA', 'a'), null], 'Option keys[1] must be an object.'],
    ['a list', [[]], 'Option keys[0] must be an object.'],
    ['text', ['hunter2'], 'Option keys[0] must be an object.'],
    ['another member', [{ ...ringKey('EdDSA', 'a'), key: 'hunter2' }], 'Option keys[0].key is not known.'],
    ['no algorithm', [{ kid: 'a', secret: SECRET }], 'Option keys[0].algorithm must be one of HS256, RS256, PS256, ES256, EdDSA.'],
    ...['none', 'hs256', 'HS512', 'RS512', 'ES256K', 'ES384', 'Ed25519', 'constructor', null, ['EdDSA']].map(algorithm =>
      [String(algorithm), [{ kid: 'a', algorithm, privateKey: ed.privateKey }], 'Option keys[0].algorithm must be one of HS256, RS256, PS256, ES256, EdDSA.'] as const)
  ])
  t.end()
})

test('each key has one name, and no two have the same', t => {
  const named = (kid: unknown) => [{ ...ringKey('EdDSA', 'a'), kid }]
  const jwkNamed = (kid: unknown) => ({ algorithm: 'EdDSA', privateKey: { ...jwk(ed.privateKey), kid } })
  refuses(t, [
    ['none', named(undefined), 'Option keys[0].kid is required.'],
    ['none of a secret', [{ algorithm: 'HS256', secret: SECRET }], 'Option keys[0].kid is required.'],
    ...['', null, 7, ['a'], { a: 1 }, 'k'.repeat(257)].map(kid =>
      [`kid ${JSON.stringify(kid)}`, named(kid), 'Option keys[0].kid must be a string of 1 to 256 characters.'] as const),
    ['a number in a JWK', [jwkNamed(7)], 'Option keys[0].kid must be a string of 1 to 256 characters.'],
    ['another in its JWK', [{ ...jwkNamed('b'), kid: 'a' }], 'Option keys[0].kid must be the kid of its JWK.'],
    ['two JWKs, two names', [{ ...jwkNamed('a'), publicKey: { ...jwk(ed.publicKey), kid: 'b' } }], 'Option keys[0].kid must be the kid of its JWK.'],
    ['twice', [ringKey('EdDSA', 'a'), ringKey('ES256', 'b'), publicRingKey('EdDSA', 'a', 1)], 'Option keys[2].kid must not be that of another key.'],
    ['twice, of secrets', ['a', 'a'].map(kid => ({ kid, algorithm: 'HS256', secret: SECRET })), 'Option keys[1].kid must not be that of another key.']
  ])
  t.equal(readKeys([jwkNamed('from the JWK')])[0].kid, 'from the JWK')
  t.equal(readKeys([{ ...jwkNamed('the same'), kid: 'the same' }])[0].kid, 'the same')
  t.equal(readKeys([{ algorithm: 'HS256', secret: { kty: 'oct', k: encode(SECRET), kid: 's' } }])[0].kid, 's')
  for (const kid of ['k'.repeat(256), ' ', 'constructor', '__proto__', 'ключ', '"\\\n']) t.equal(readKeys(named(kid))[0].kid, kid)
  t.end()
})

test('an RSA key of fewer than 2048 bits is refused', t => {
  const short = generateKeyPairSync('rsa', { modulusLength: 2040 })
  refuses(t, (['RS256', 'PS256'] as const).flatMap(algorithm => [
    ['private', [{ kid: 'a', algorithm, privateKey: short.privateKey }], 'Option keys[0].privateKey must have at least 2048 bits.'],
    ['public', [{ kid: 'a', algorithm, publicKey: short.publicKey }], 'Option keys[0].publicKey must have at least 2048 bits.']
  ] as const))
  t.end()
})

test('an RSA exponent that is even or below 65537 is refused', t => {
  const sentence = 'Option keys[0].publicKey must have a public exponent that is odd and at least 65537.'
  const withExponent = (...bytes: number[]) => ({ ...jwk(rsa.publicKey), e: encode(Uint8Array.from(bytes)) })
  refuses(t, [[1], [2], [3], [17], [0, 3], [255, 255], [1, 0, 0], [1, 0, 2]].map(bytes =>
    [bytes.join(), [{ kid: 'a', algorithm: 'RS256', publicKey: withExponent(...bytes) }], sentence] as const))
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 })
  refuses(t, [['private', [{ kid: 'a', algorithm: 'PS256', privateKey }], sentence.replace('public', 'private')]])
  t.equal(readKeys([{ kid: 'a', algorithm: 'RS256', publicKey: withExponent(1, 0, 3) }]).length, 1)
  t.end()
})

test('an RSA key that the ROCA flaw makes easy to factor is refused', t => {
  // The public key of the Wycheproof vector `rejectsKeyWithRocaVulnerability`.
  const n = 'AanFpofbj7KjD4Lf-N2hVMKR7yewSyXhhbirIMTGpfYEhZ_lnt5UoK98DnKIgArXGTu3MaW_HhFw16HGaTDUHqPrId7fe4r11CqRw09yBFuW79V8sYIwHdzCaWflUI6auImYbVfoN9_nD5n8' +
    'N8SY9DwXw7mwZM9wREPXoDPgOoIWl6q_MPsp7n0zs3Z5ZaiQWOOzl1S9OhwAfSiiOwz6efnXEaxuTEtPd7BjSx7NaFka8Dx9U7YqXy2RFj1O9PjyaDGuRh7YXsX3iMUSP_wSyHQg_c_qHRtKUsNS' +
    'GCT7OZg0hzm2KphtjnayKJvC64vAbROBR4Ubg6Bxg9IQVZ-QYyE'
  refuses(t, (['RS256', 'PS256'] as const).map(algorithm =>
    [algorithm, [{ kid: 'a', algorithm, publicKey: { kty: 'RSA', n, e: 'AQAB' } }], 'Option keys[0].publicKey must not be of a kind that can be factored (ROCA).'] as const))
  for (const pair of [rsa, otherRsa, ...PAIRS.PS256]) t.notOk(isRocaModulus(jwk(pair.publicKey).n!))
  t.end()
})

test('a key of another kind or on another curve than the algorithm needs is refused', t => {
  const strangers: KeyObject[] = [
    generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey,
    generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey,
    generateKeyPairSync('ec', { namedCurve: 'P-521' }).publicKey,
    generateKeyPairSync('ed448').publicKey,
    generateKeyPairSync('x25519').publicKey,
    generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).publicKey
  ]
  const kinds = { RS256: 'an RSA key', PS256: 'an RSA key', ES256: 'an EC key on the curve P-256', EdDSA: 'an Ed25519 key' }
  const all = [...strangers, rsa.publicKey, ec.publicKey, ed.publicKey]
  for (const algorithm of ALGORITHMS) {
    const own = algorithm === 'ES256' ? ec.publicKey : algorithm === 'EdDSA' ? ed.publicKey : rsa.publicKey
    const sentence = `Option keys[0].publicKey must be ${kinds[algorithm]} for ${algorithm}.`
    refuses(t, all.filter(key => key !== own).flatMap(publicKey =>
      [publicKey, pem(publicKey)].map(given => [`${publicKey.asymmetricKeyType} for ${algorithm}`, [{ kid: 'a', algorithm, publicKey: given }], sentence] as const)))
  }
  refuses(t, [
    ['private', [{ kid: 'a', algorithm: 'ES256', privateKey: jwk(ed.privateKey) }], 'Option keys[0].privateKey must be an EC key on the curve P-256 for ES256.'],
    ['a JWK', [{ kid: 'a', algorithm: 'EdDSA', publicKey: jwk(ec.publicKey) }], 'Option keys[0].publicKey must be an Ed25519 key for EdDSA.']
  ])
  t.end()
})

test('a point that is not on the curve is refused', t => {
  const onCurve = / whole, its point on the curve\.$/
  const { x, y } = jwk(ec.publicKey)
  const spki = ec.publicKey.export({ type: 'spki', format: 'der' })
  spki[spki.length - 1]! ^= 1
  const text = `-----BEGIN PUBLIC KEY-----\n${spki.toString('base64')}\n-----END PUBLIC KEY-----\n`
  const infinity = `-----BEGIN PUBLIC KEY-----\n${Buffer.from('3019301306072a8648ce3d020106082a8648ce3d03010703020000', 'hex').toString('base64')}\n-----END PUBLIC KEY-----\n`
  refuses(t, [
    ['a JWK', [{ kid: 'a', algorithm: 'ES256', publicKey: { ...jwk(ec.publicKey), y: x } }], onCurve],
    ['a private JWK', [{ kid: 'a', algorithm: 'ES256', privateKey: { ...jwk(ec.privateKey), x: y } }], onCurve],
    ['a PEM', [{ kid: 'a', algorithm: 'ES256', publicKey: text }], onCurve],
    ['infinity', [{ kid: 'a', algorithm: 'ES256', publicKey: infinity }], onCurve],
    ['infinity as KeyObject', [{ kid: 'a', algorithm: 'ES256', publicKey: createPublicKey(infinity) }], onCurve]
  ])
  const sound = 'Option keys[0].publicKey must have its point on the curve, and none of small order.'
  refuses(t, [2, 7, 8, 0, 1].map(first => {
    const bytes = Buffer.alloc(32)
    bytes[0] = first
    return [`Ed25519, ${first}`, [{ kid: 'a', algorithm: 'EdDSA', publicKey: { kty: 'OKP', crv: 'Ed25519', x: encode(bytes) } }], sound] as const
  }))
  t.end()
})

test('a private and a public part that do not belong together are refused', t => {
  // Node.js 26 does not read the halves of two keys as one.
  const parts = /^Option keys\[0\]\.privateKey must (?:hold a private and a public part that belong together|be an unencrypted PEM, .*, whole)/
  const halves = 'Option keys[0] must have a privateKey and a publicKey that belong together.'
  const { d } = jwk(otherEc.privateKey)
  refuses(t, [
    ['EC', [{ kid: 'a', algorithm: 'ES256', privateKey: { ...jwk(ec.privateKey), d } }], parts],
    ['Ed25519', [{ kid: 'a', algorithm: 'EdDSA', privateKey: { ...jwk(ed.privateKey), x: jwk(otherEd.privateKey).x } }], parts],
    ['Ed25519, of no curve', [{ kid: 'a', algorithm: 'EdDSA', privateKey: { ...jwk(ed.privateKey), x: 'AAAA' } }], parts],
    ['RSA', [{ kid: 'a', algorithm: 'RS256', privateKey: { ...jwk(rsa.privateKey), n: jwk(otherRsa.privateKey).n } }], parts],
    ['RSA exponent', [{ kid: 'a', algorithm: 'PS256', privateKey: { ...jwk(rsa.privateKey), e: encode(Uint8Array.of(1, 0, 3)) } }], parts],
    ...ALGORITHMS.map(algorithm => [algorithm, [{ kid: 'a', algorithm, privateKey: PAIRS[algorithm][0].privateKey, publicKey: PAIRS[algorithm][1].publicKey }], halves] as const)
  ])
  const broken = ec.privateKey.export({ type: 'sec1', format: 'der' })
  otherEc.publicKey.export({ type: 'spki', format: 'der' }).subarray(-65).copy(broken, broken.length - 65)
  const text = `-----BEGIN EC PRIVATE KEY-----\n${broken.toString('base64')}\n-----END EC PRIVATE KEY-----\n`
  refuses(t, [['EC, a PEM', [{ kid: 'a', algorithm: 'ES256', privateKey: text }], /belong together|whole/]])
  t.end()
})

test('a JWK for another use is refused', t => {
  const use = 'Option keys[0].publicKey must be a JWK whose use is sig.'
  const alg = 'Option keys[0].publicKey must be a JWK whose alg is EdDSA.'
  const toVerify = 'Option keys[0].publicKey must be a JWK whose key_ops allow to verify.'
  const toSign = 'Option keys[0].privateKey must be a JWK whose key_ops allow to sign.'
  const toBoth = 'Option keys[0].secret must be a JWK whose key_ops allow to sign and verify.'
  const half = (more: object) => [{ kid: 'a', algorithm: 'EdDSA', publicKey: { ...jwk(ed.publicKey), ...more } }]
  const whole = (more: object) => [{ kid: 'a', algorithm: 'EdDSA', privateKey: { ...jwk(ed.privateKey), ...more } }]
  const secret = (more: object) => [{ kid: 'a', algorithm: 'HS256', secret: { kty: 'oct', k: encode(SECRET), ...more } }]
  refuses(t, [
    ...['enc', '', 'SIG', null, 7, ['sig']].map(value => [`use ${value}`, half({ use: value }), use] as const),
    ['use of a private key', whole({ use: 'enc' }), use.replace('public', 'private')],
    ['use of a secret', secret({ use: 'enc' }), use.replace('publicKey', 'secret')],
    ...['Ed25519', 'ES256', '', null, ['EdDSA']].map(value => [`alg ${value}`, half({ alg: value }), alg] as const),
    ['alg of a private key', whole({ alg: 'ES256' }), alg.replace('public', 'private')],
    ['alg of a secret', secret({ alg: 'HS512' }), 'Option keys[0].secret must be a JWK whose alg is HS256.'],
    ...[[], ['sign'], ['Verify'], 'verify', null, { 0: 'verify' }].map(value => [`key_ops ${JSON.stringify(value)}`, half({ key_ops: value }), toVerify] as const),
    ...[[], ['verify'], ['deriveBits'], 'sign'].map(value => [`key_ops ${JSON.stringify(value)}`, whole({ key_ops: value }), toSign] as const),
    ...[[], ['verify'], ['sign']].map(value => [`key_ops ${JSON.stringify(value)}`, secret({ key_ops: value }), toBoth] as const)
  ])
  for (const keys of [
    half({ use: 'sig', alg: 'EdDSA', key_ops: ['verify'] }), half({ key_ops: ['sign', 'verify'], ext: true }),
    whole({ use: 'sig', alg: 'EdDSA', key_ops: ['sign'] }), secret({ use: 'sig', alg: 'HS256', key_ops: ['verify', 'sign'] })
  ]) t.equal(readKeys(keys).length, 1)
  t.end()
})

test('a key in the wrong place is refused', t => {
  const publicOnly = 'Option keys[0].publicKey must be a public key, not a private one.'
  refuses(t, [
    ...[ed.privateKey, pem(ed.privateKey), Buffer.from(pem(ed.privateKey)), jwk(ed.privateKey), { ...jwk(ed.publicKey), k: 'hunter2' }].map(publicKey =>
      ['a private key as the public one', [{ kid: 'a', algorithm: 'EdDSA', publicKey }], publicOnly] as const),
    ...[ed.publicKey, pem(ed.publicKey), jwk(ed.publicKey), createSecretKey(Buffer.from(SECRET)), SECRET].map(privateKey =>
      ['no private key', [{ kid: 'a', algorithm: 'EdDSA', privateKey }], UNREADABLE] as const),
    ['neither', [{ kid: 'a', algorithm: 'EdDSA' }], 'Option keys[0] must have a privateKey or a publicKey.'],
    ['a secret for an asymmetric algorithm', [{ ...ringKey('ES256', 'a'), secret: SECRET }], 'Option keys[0].secret must not be set for ES256.'],
    ['a private key for HS256', [{ kid: 'a', algorithm: 'HS256', secret: SECRET, privateKey: ed.privateKey }], 'Option keys[0].privateKey must not be set for HS256.'],
    ['a public key for HS256', [{ kid: 'a', algorithm: 'HS256', publicKey: rsa.publicKey }], 'Option keys[0].publicKey must not be set for HS256.']
  ])
  t.end()
})

test('an incomplete or encrypted key is refused', t => {
  const encrypted = rsa.privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'hunter2' })
  const older = rsa.privateKey.export({ type: 'pkcs1', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'hunter2' })
  const { p, ...noPrime } = jwk(rsa.privateKey)
  refuses(t, [
    ...['', 'hunter2', '-----BEGIN PUBLIC KEY-----', '-----BEGIN PUBLIC KEY-----\nhunter2\n-----END PUBLIC KEY-----', pem(rsa.publicKey).slice(0, 200),
      pem(rsa.publicKey) + pem(otherRsa.publicKey), '-----BEGIN CERTIFICATE-----\nhunter2\n-----END CERTIFICATE-----', JSON.stringify(jwk(rsa.publicKey)),
      null, 7, true, [], {}, { kty: 'RSA' }, { kty: 'RSA', n: 'hunter2', e: 7 }, { kty: 'hunter2' }, { keys: [jwk(rsa.publicKey)] }, () => {}
    ].map(publicKey => [inspect(publicKey).slice(0, 40), [{ kid: 'a', algorithm: 'RS256', publicKey }], UNREADABLE] as const),
    ...[encrypted, older, noPrime, { ...jwk(rsa.privateKey), d: 7 }].map(privateKey =>
      ['a private key', [{ kid: 'a', algorithm: 'RS256', privateKey }], UNREADABLE] as const)
  ])
  t.end()
})

test('a secret that protects nothing, or that is a key in disguise, is refused', t => {
  const one = (secret: unknown) => [{ kid: 'a', algorithm: 'HS256', secret }]
  const disguise = 'Option keys[0].secret must be a secret, not a PEM or a JWK.'
  const noSecret = 'Option keys[0].secret must be a string, a Buffer, or a JWK or KeyObject of a symmetric key.'
  refuses(t, [
    ['31 bytes', one('hunter2'.padEnd(31, '!')), 'Option keys[0].secret must be at least 32 bytes long.'],
    ['31 bytes as JWK', one({ kty: 'oct', k: encode('hunter2'.padEnd(31, '!')) }), 'Option keys[0].secret must be at least 32 bytes long.'],
    ['31 bytes as KeyObject', one(createSecretKey(Buffer.alloc(31, 1))), 'Option keys[0].secret must be at least 32 bytes long.'],
    ['one byte repeated', one(Buffer.alloc(64)), 'Option keys[0].secret must not be one character repeated.'],
    ...[pem(rsa.publicKey), Buffer.from(pem(ec.publicKey)), pem(ed.privateKey), encode(pem(rsa.publicKey)), JSON.stringify(jwk(rsa.publicKey)),
      JSON.stringify({ kty: 'oct', k: encode(SECRET) }), { kty: 'oct', k: encode(pem(rsa.publicKey)) }, createSecretKey(Buffer.from(pem(rsa.publicKey))),
      rsa.publicKey.export({ type: 'spki', format: 'der' }), rsa.publicKey.export({ type: 'spki', format: 'der' }).toString('base64')
    ].map(secret => [inspect(secret).slice(0, 40), one(secret), disguise] as const),
    ...[undefined, null, 7, {}, [], jwk(rsa.publicKey), jwk(ed.privateKey), rsa.publicKey, ed.privateKey, { kty: 'oct' }, { kty: 'oct', k: 7 }, { kty: 'oct', k: '' },
      { kty: 'oct', k: `${encode(SECRET)}=` }, { kty: 'OCT', k: encode(SECRET) }].map(secret => [inspect(secret).slice(0, 40), one(secret), noSecret] as const)
  ])
  t.end()
})

test('symmetric keys beside asymmetric ones are refused, other mixtures are not', t => {
  const symmetric = { kid: 's', algorithm: 'HS256', secret: SECRET }
  refuses(t, [
    ['a secret first', [symmetric, ringKey('EdDSA', 'a')], 'Option keys must not have symmetric keys beside asymmetric ones.'],
    ['a secret last', [ringKey('EdDSA', 'a'), publicRingKey('RS256', 'b'), symmetric], 'Option keys must not have symmetric keys beside asymmetric ones.']
  ])
  t.equal(readKeys([symmetric, { ...symmetric, kid: 't', secret: OTHER_SECRET }]).length, 2)
  t.equal(readKeys(ALGORITHMS.map(algorithm => ringKey(algorithm, algorithm))).length, 4)
  t.end()
})

test('later changes to the given keys do not affect the ring', async t => {
  const given = { kid: 'a', algorithm: 'EdDSA', privateKey: jwk(ed.privateKey) }
  const list = [given]
  const keys = readKeys(list)
  list.length = 0
  given.kid = 'b'
  given.privateKey.d = jwk(otherEd.privateKey).d!
  t.equal(keys.length, 1)
  t.match({ ...keys[0] }, { kid: 'a' })
  t.ok((keys[0] as PublicRingKey).privateKey!.equals(ed.privateKey))
  t.ok(Object.isFrozen(keys) && Object.isFrozen(keys[0]))
})

test('a frozen key is read, and each member of a JWK once', async t => {
  let asked = 0
  const privateKey = { ...jwk(ed.privateKey), get alg () { return asked++ === 0 ? 'EdDSA' : 'hunter2' } }
  t.equal(readKeys(Object.freeze([Object.freeze({ kid: 'a', algorithm: 'EdDSA', privateKey: Object.freeze(privateKey) })])).length, 1)
  t.equal(asked, 1)
})

test('a ring can sign when its first key can', async t => {
  t.ok(canSign(readKeys([ringKey('EdDSA', 'a'), publicRingKey('RS256', 'b')])))
  t.ok(canSign(readKeys([{ kid: 's', algorithm: 'HS256', secret: SECRET }])))
  t.notOk(canSign(readKeys([publicRingKey('EdDSA', 'a'), ringKey('RS256', 'b')])))
  t.ok(isSymmetric(readKeys([{ kid: 's', algorithm: 'HS256', secret: SECRET }])[0]))
  t.notOk(isSymmetric(readKeys([publicRingKey('EdDSA', 'a')])[0]))
})

test('the public half is derived from the private one', async t => {
  for (const algorithm of ALGORITHMS) {
    const [key] = readKeys([ringKey(algorithm, 'a')]) as readonly [PublicRingKey]
    t.ok(key.publicKey.equals(createPublicKey(PAIRS[algorithm][0].privateKey)))
  }
})
