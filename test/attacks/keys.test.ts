// Tokens that choose their own algorithm or key, and signatures in other spellings: all refused, and all alike to the last byte.
import { constants, createHmac, sign } from 'node:crypto'
import { inspect } from 'node:util'
import { test, type Test } from 'tap'
import type { DualTokenKey } from '../../lib/index.ts'
import { createApp } from '../support/app.ts'
import { ALGORITHMS, PAIRS, publicRingKey, ringKey, signAs, signatureOf } from '../support/key-pairs.ts'
import { accessClaims, encode, type Payload, refreshClaims, SECRET } from '../support/tokens.ts'
import { listen, request } from '../support/wire.ts'

type Attack = readonly [name: string, forge: (payload: Payload) => string]

/** One key of each algorithm; the RSA keys of two of them are different. */
const RING: readonly DualTokenKey[] = [ringKey('EdDSA', 'ed'), ringKey('ES256', 'ec'), ringKey('RS256', 'rs'), publicRingKey('PS256', 'ps')]
const KID = { RS256: 'rs', PS256: 'ps', ES256: 'ec', EdDSA: 'ed' } as const

/** Each attack gets, on an access and on a refresh token, the very bytes that plain nonsense gets, and by `verifyToken` the same error. */
async function refusesAlike (t: Test, attacks: readonly Attack[], keys = RING): Promise<void> {
  const { app } = await createApp(t, { keys })
  const port = await listen(app)
  const send = async (target: string, token: string) => (await request(port, target, [`Authorization: Bearer ${token}`])).bytes
  const [me, renewal] = [await send('GET /me', 'nonsense'), await send('PUT /authorizations', 'nonsense')]
  t.match(me, /^HTTP\/1\.1 401 [^]+FST_DUAL_TOKEN_ACCESS_INVALID/)
  t.match(renewal, /^HTTP\/1\.1 403 [^]+FST_DUAL_TOKEN_REFRESH_INVALID/)

  for (const [name, forge] of attacks) {
    for (const [target, payload, expected] of [['GET /me', accessClaims(), me], ['PUT /authorizations', refreshClaims(), renewal]] as const) {
      const token = forge(payload)
      t.throws(() => app.dualToken.verifyToken(token), { code: 'FST_DUAL_TOKEN_ACCESS_INVALID' }, name)
      t.equal(await send(target, token), expected, name)
    }
  }
}

/** A token whose signature bytes are made of the honest ones. */
function withSignature (algorithm: keyof typeof KID, change: (bytes: Buffer, input: string) => Buffer | string): (payload: Payload) => string {
  return payload => {
    const input = `${encode(JSON.stringify({ alg: algorithm, typ: 'JWT', kid: KID[algorithm] }))}.${encode(JSON.stringify(payload))}`
    const changed = change(Buffer.from(signatureOf(algorithm, input, PAIRS[algorithm][0].privateKey), 'base64url'), input)
    return `${input}.${typeof changed === 'string' ? changed : encode(changed)}`
  }
}

test('the tokens these attacks are made from are good', async t => {
  const { app } = await createApp(t, { keys: RING })
  const port = await listen(app)
  for (const algorithm of ALGORITHMS) {
    const honest = withSignature(algorithm, bytes => bytes)
    t.equal((await request(port, 'GET /me', [`Authorization: Bearer ${honest(accessClaims())}`])).status, 200, algorithm)
    t.equal((await request(port, 'PUT /authorizations', [`Authorization: Bearer ${honest(refreshClaims())}`])).status, 201, algorithm)
  }
})

test('the header never chooses the algorithm', t =>
  refusesAlike(t, ALGORITHMS.flatMap(own => ALGORITHMS.filter(other => other !== own).flatMap((other): Attack[] => [
    [`${other} under the ${own} key, by the key of ${other}`, payload =>
      signAs(other, PAIRS[other][0].privateKey, { alg: other, typ: 'JWT', kid: KID[own] }, payload)],
    [`${other} by the key of ${other}, called ${own}`, payload =>
      signAs(other, PAIRS[other][0].privateKey, { alg: own, typ: 'JWT', kid: KID[own] }, payload)],
    [`${own} called ${other}`, payload =>
      signAs(own, PAIRS[own][0].privateKey, { alg: other, typ: 'JWT', kid: KID[own] }, payload)]
  ]))))

test('an RSA key that signs by one padding does not verify the other', t =>
  refusesAlike(t, ([['RS256', 'PS256'], ['PS256', 'RS256']] as const).flatMap(([own, other]): Attack[] => ['own', 'other'].map(named =>
    [`${other} by the very key of ${own}, called ${named}`, payload =>
      signAs(other, PAIRS[own][0].privateKey, { alg: named === 'own' ? own : other, typ: 'JWT', kid: KID[own] }, payload)] as const))))

test('a longer or shorter hash under the same key is refused', t =>
  refusesAlike(t, (['sha1', 'sha384', 'sha512'] as const).flatMap((hash): Attack[] => ['RS256', `RS${hash.slice(3)}`].map(alg =>
    [`${alg} by ${hash}`, payload => {
      const input = `${encode(JSON.stringify({ alg, typ: 'JWT', kid: 'rs' }))}.${encode(JSON.stringify(payload))}`
      return `${input}.${sign(hash, Buffer.from(input), PAIRS.RS256[0].privateKey).toString('base64url')}`
    }]))))

test('a public key in any spelling is no HMAC secret', async t => {
  for (const algorithm of ALGORITHMS) {
    const { publicKey } = PAIRS[algorithm][0]
    const pem = publicKey.export({ type: 'spki', format: 'pem' }) as string
    const der = publicKey.export({ type: 'spki', format: 'der' })
    const jwk = publicKey.export({ format: 'jwk' })
    const published = { ...jwk, kid: KID[algorithm], alg: algorithm, use: 'sig' }
    const spellings: Array<string | Buffer> = [
      pem, pem.trim(), pem.replaceAll('\n', '\r\n'), pem.replaceAll('\n', ''), pem.replaceAll('\n', '\\n'), `${pem}\0`,
      der, der.toString('base64'), der.toString('base64url'), der.toString('hex'), encode(pem),
      JSON.stringify(jwk), JSON.stringify(published), JSON.stringify({ keys: [published] }),
      ...[jwk.n, jwk.e, jwk.x, jwk.y].filter(member => member !== undefined).flatMap(member => [member, Buffer.from(member, 'base64url')]),
      '', Buffer.alloc(32), KID[algorithm]
    ]
    if (publicKey.asymmetricKeyType === 'rsa') spellings.push(publicKey.export({ type: 'pkcs1', format: 'pem' }) as string, publicKey.export({ type: 'pkcs1', format: 'der' }))
    await refusesAlike(t, spellings.flatMap((secret): Attack[] => [algorithm, 'HS256', 'HS512'].map(alg =>
      [`${alg} with the key of ${algorithm} as ${String(secret).slice(0, 30)}`, payload => {
        const input = `${encode(JSON.stringify({ alg, typ: 'JWT', kid: KID[algorithm] }))}.${encode(JSON.stringify(payload))}`
        return `${input}.${createHmac(alg === 'HS512' ? 'sha512' : 'sha256', secret).update(input).digest('base64url')}`
      }])))
  }
})

test('a kid that names another key, no key or nothing sensible is refused', t => {
  const kids: unknown[] = [
    'ec', 'rs', 'ps', 'hs', 'ED', 'ed ', ' ed', 'ed\0', 'e\u0301d', undefined, null, '', 0, 1, -1, true, false, [], ['ed'], [['ed']], {}, { ed: 1 },
    { toString: 'ed' }, 'constructor', '__proto__', 'prototype', 'toString', 'valueOf', 'hasOwnProperty', 'length', '0', 'size', 'get',
    '../../../../dev/null', '/dev/null', 'file:///dev/null', "ed' OR '1'='1", 'ed; id', '$(id)', '{{7*7}}', '%00', 'http://127.0.0.1/jwks.json',
    'k'.repeat(3000), 'k'.repeat(10_000), 'ed'.repeat(5000)
  ]
  return refusesAlike(t, kids.flatMap((kid): Attack[] => [
    [`kid ${String(JSON.stringify(kid)).slice(0, 40)}`, payload => signAs('EdDSA', PAIRS.EdDSA[0].privateKey, { alg: 'EdDSA', typ: 'JWT', kid }, payload)],
    ['the same, given first', payload => signAs('EdDSA', PAIRS.EdDSA[0].privateKey, { kid, alg: 'EdDSA' }, payload)]
  ]))
})

test('a kid called constructor is a kid like any other', async t => {
  const { app } = await createApp(t, { keys: [ringKey('EdDSA', 'constructor'), ringKey('ES256', '__proto__')] })
  for (const [algorithm, kid] of [['EdDSA', 'constructor'], ['ES256', '__proto__']] as const) {
    const token = `${encode(`{"alg":"${algorithm}","kid":"${kid}"}`)}.${encode(JSON.stringify(accessClaims()))}`
    t.equal(app.dualToken.verifyToken(`${token}.${signatureOf(algorithm, token, PAIRS[algorithm][0].privateKey)}`).user_id, 7)
  }
  const { app: other } = await createApp(t, { keys: RING })
  const header = '{"alg":"EdDSA","__proto__":{"kid":"ed"}}'
  const token = `${encode(header)}.${encode(JSON.stringify(accessClaims()))}`
  t.throws(() => other.dualToken.verifyToken(`${token}.${signatureOf('EdDSA', token, PAIRS.EdDSA[0].privateKey)}`), { code: 'FST_DUAL_TOKEN_ACCESS_INVALID' })
})

test('a key that is not in the ring is refused, whatever it is called', t =>
  refusesAlike(t, ALGORITHMS.flatMap((algorithm): Attack[] => [
    [`${algorithm}, a known name`, payload => signAs(algorithm, PAIRS[algorithm][1].privateKey, { alg: algorithm, typ: 'JWT', kid: KID[algorithm] }, payload)],
    [`${algorithm}, with the key`, payload => signAs(algorithm, PAIRS[algorithm][1].privateKey,
      { alg: algorithm, kid: KID[algorithm], jwk: PAIRS[algorithm][1].publicKey.export({ format: 'jwk' }) }, payload)],
    [`${algorithm}, with the right key`, payload => signAs(algorithm, PAIRS[algorithm][0].privateKey,
      { alg: algorithm, kid: KID[algorithm], jwk: PAIRS[algorithm][0].publicKey.export({ format: 'jwk' }) }, payload)],
    [`${algorithm}, with an address`, payload => signAs(algorithm, PAIRS[algorithm][1].privateKey,
      { alg: algorithm, kid: KID[algorithm], jku: 'http://127.0.0.1/jwks.json' }, payload)],
    [`${algorithm}, alg none`, payload => `${encode(JSON.stringify({ alg: 'none', kid: KID[algorithm] }))}.${encode(JSON.stringify(payload))}.`],
    [`${algorithm}, no signature`, withSignature(algorithm, () => '')]
  ])))

test('a signature of another length, or in another spelling, is refused', async t => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const nextLetter = (text: string) => text.slice(0, -1) + alphabet[alphabet.indexOf(text.at(-1)!) + 1]
  await refusesAlike(t, ALGORITHMS.flatMap((algorithm): Attack[] => [
    [`${algorithm}, a byte more`, withSignature(algorithm, bytes => Buffer.concat([bytes, Buffer.of(0)]))],
    [`${algorithm}, a zero before`, withSignature(algorithm, bytes => Buffer.concat([Buffer.of(0), bytes]))],
    [`${algorithm}, a byte less`, withSignature(algorithm, bytes => bytes.subarray(0, -1))],
    [`${algorithm}, without the first byte`, withSignature(algorithm, bytes => bytes.subarray(1))],
    [`${algorithm}, half`, withSignature(algorithm, bytes => bytes.subarray(bytes.length / 2))],
    [`${algorithm}, one byte`, withSignature(algorithm, bytes => bytes.subarray(0, 1))],
    [`${algorithm}, twice`, withSignature(algorithm, bytes => Buffer.concat([bytes, bytes]))],
    [`${algorithm}, zeros`, withSignature(algorithm, bytes => Buffer.alloc(bytes.length))],
    [`${algorithm}, ones`, withSignature(algorithm, bytes => Buffer.alloc(bytes.length, 0xff))],
    [`${algorithm}, one bit changed`, withSignature(algorithm, bytes => Buffer.from(bytes.map((byte, index) => index === 40 ? byte ^ 8 : byte)))],
    [`${algorithm}, padding`, withSignature(algorithm, bytes => `${encode(bytes)}==`)],
    [`${algorithm}, loose bits in the last character`, withSignature(algorithm, bytes => nextLetter(encode(bytes)))],
    [`${algorithm}, another alphabet`, withSignature(algorithm, bytes => `${encode(bytes).slice(0, -2)}+/`)],
    [`${algorithm}, in hexadecimal`, withSignature(algorithm, bytes => bytes.toString('hex'))]
  ]))
})

test('an ES256 signature is r and s in 64 bytes and nothing else', async t => {
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
  const bytesOf = (value: bigint) => Buffer.from(value.toString(16).padStart(64, '0'), 'hex')
  const zero = Buffer.alloc(32)
  await refusesAlike(t, [
    ['DER', withSignature('ES256', (_bytes, input) => sign('sha256', Buffer.from(input), PAIRS.ES256[0].privateKey))],
    ['r and s swapped', withSignature('ES256', bytes => Buffer.concat([bytes.subarray(32), bytes.subarray(0, 32)]))],
    ['r zero', withSignature('ES256', bytes => Buffer.concat([zero, bytes.subarray(32)]))],
    ['s zero', withSignature('ES256', bytes => Buffer.concat([bytes.subarray(0, 32), zero]))],
    ['both zero', withSignature('ES256', () => Buffer.alloc(64))],
    ['r the order', withSignature('ES256', bytes => Buffer.concat([bytesOf(order), bytes.subarray(32)]))],
    ['s the order', withSignature('ES256', bytes => Buffer.concat([bytes.subarray(0, 32), bytesOf(order)]))],
    ['both one', withSignature('ES256', () => Buffer.concat([bytesOf(1n), bytesOf(1n)]))],
    ['the order and zero', withSignature('ES256', () => Buffer.concat([bytesOf(order), zero]))]
  ])
})

test('a PS256 signature with salt of another length, or another hash, is refused', t =>
  refusesAlike(t, [0, 20, 31, 33, 222].map((saltLength): Attack => [`salt of ${saltLength} bytes`, withSignature('PS256', (_bytes, input) =>
    sign('sha256', Buffer.from(input), { key: PAIRS.PS256[0].privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength }))])
    .concat((['sha1', 'sha384', 'sha512'] as const).map((hash): Attack => [hash, withSignature('PS256', (_bytes, input) =>
      sign(hash, Buffer.from(input), { key: PAIRS.PS256[0].privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }))]))))

test('no named secret is tried for a token without its kid', t => {
  const keys: DualTokenKey[] = [{ kid: 'a', algorithm: 'HS256', secret: SECRET }, { kid: 'b', algorithm: 'HS256', secret: `${SECRET}!` }]
  return refusesAlike(t, [undefined, 'b', 'c', null, ['a'], 'constructor'].map((kid): Attack =>
    [`kid ${kid}`, payload => signAs('HS256', SECRET, { alg: 'HS256', typ: 'JWT', kid }, payload)]), keys)
})

test('claims are validated as strictly with asymmetric keys as with a secret', t =>
  refusesAlike(t, [{ exp: undefined }, { exp: '9'.repeat(9) }, { nbf: 4e9 }, { refresh: 1 }, { user_id: 0 }, { iat: 4e9 }, { exp: 9e9 }].map((more): Attack =>
    [JSON.stringify(more), payload => signAs('EdDSA', PAIRS.EdDSA[0].privateKey, { alg: 'EdDSA', typ: 'JWT', kid: 'ed' }, { ...payload, ...more })])))

test('what the plugin decorates and throws does not show a key', async t => {
  const { app } = await createApp(t, { keys: RING })
  const secrets = ALGORITHMS.flatMap(algorithm => {
    const { privateKey } = PAIRS[algorithm][0]
    const { d } = privateKey.export({ format: 'jwk' })
    return [d!, Buffer.from(d!, 'base64url').toString('hex'), privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64').slice(-40)]
  })
  const errors: unknown[] = []
  for (const keys of [[{ ...ringKey('EdDSA', 'a'), kid: '' }], [{ kid: 'a', algorithm: 'ES256', privateKey: PAIRS.EdDSA[0].privateKey.export({ format: 'jwk' }) }]]) {
    try {
      app.dualToken.setKeys(keys as DualTokenKey[])
    } catch (error) {
      errors.push(error)
    }
  }
  t.equal(errors.length, 2)
  const seen = inspect([app.dualToken, app.loginRequired, app.refreshRequired, errors], { depth: 9, showHidden: true }) + JSON.stringify([app.dualToken, errors])
  t.same(secrets.filter(secret => seen.includes(secret)), [])
})
