// Proofs that are malformed or misused: each is refused at a sign-in and at a refresh, none by a 5xx, and the session lives on.
import { createHash, createHmac, createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import { test } from 'tap'
import { createBoundApp } from '../support/bound.ts'
import { signAs, signatureOf } from '../support/key-pairs.ts'
import { claimsFor, createClientKey, headerOf, proofBy, TARGET, type ClientKey } from '../support/proofs.ts'
import { outcomeOf } from '../support/session-app.ts'
import { encode, NOW } from '../support/tokens.ts'
import { listen, request } from '../support/wire.ts'

type Method = 'POST' | 'PUT'
type Make = (key: ClientKey, htm: Method) => string

const other = createClientKey()
const ed = createClientKey('EdDSA')
const rsa = (modulusLength: number) => generateKeyPairSync('rsa', { modulusLength })
const pem = ({ jwk }: ClientKey): string => createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' }) as string

const withClaims = (more: Record<string, unknown>): Make => (key, htm) => proofBy(key, { claims: { htm, ...more } })
const withHeader = (header: Record<string, unknown>): Make => (key, htm) => proofBy(key, { header, claims: { htm } })
const withJwk = (more: Record<string, unknown>): Make => (key, htm) => proofBy(key, { header: { jwk: { ...key.jwk, ...more } }, claims: { htm } })
/** Any texts of a header and a payload, signed as they are. */
const raw = (header: (key: ClientKey) => string | Uint8Array, payload: (htm: Method) => string | Uint8Array): Make => (key, htm) => {
  const input = `${encode(header(key))}.${encode(payload(htm))}`
  return `${input}.${signatureOf('ES256', input, key.privateKey)}`
}
const goodHeader = (key: ClientKey): string => JSON.stringify(headerOf(key))
const goodPayload = (htm: Method): string => JSON.stringify(claimsFor({ htm }))
const segments = (change: (segments: [string, string, string], key: ClientKey) => string): Make => (key, htm) =>
  change(proofBy(key, { claims: { htm } }).split('.') as [string, string, string], key)

function smallOrder (htm: Method): string {
  // The neutral point: S = 0 and R = the same point sign every message.
  const x = Buffer.from([1, ...Buffer.alloc(31)]).toString('base64url')
  const input = [{ typ: 'dpop+jwt', alg: 'EdDSA', jwk: { kty: 'OKP', crv: 'Ed25519', x } }, claimsFor({ htm })].map(part => encode(JSON.stringify(part))).join('.')
  return `${input}.${Buffer.from([1, ...Buffer.alloc(63)]).toString('base64url')}`
}

function byRsa (algorithm: 'RS256' | 'PS256', bits: number, htm: Method): string {
  const { privateKey, publicKey } = rsa(bits)
  return signAs(algorithm, privateKey, { typ: 'dpop+jwt', alg: algorithm, jwk: publicKey.export({ format: 'jwk' }) }, claimsFor({ htm }))
}

function onCurve (namedCurve: string, alg: string, htm: Method): string {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve })
  const input = [{ typ: 'dpop+jwt', alg, jwk: publicKey.export({ format: 'jwk' }) }, claimsFor({ htm })].map(part => encode(JSON.stringify(part))).join('.')
  return `${input}.${sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
}

const MISUSED: Readonly<Record<string, Make>> = {
  'an empty header': () => '',
  'no JWS': () => 'proof',
  'two segments': segments(([header, payload]) => `${header}.${payload}`),
  'four segments': segments(parts => [...parts, 'e30'].join('.')),
  'an empty signature': segments(([header, payload]) => `${header}.${payload}.`),
  padding: segments(([header, payload, signature]) => `${header}.${payload}.${signature}==`),
  'characters of base64': segments(([header, payload, signature]) => `${header}.${payload}.${signature.slice(0, -2)}+/`),
  'a signature with other last bits': segments(([header, payload, signature]) =>
    `${header}.${payload}.${signature.slice(0, -1)}${{ A: 'B', Q: 'R', g: 'h', w: 'x' }[signature.at(-1)!]}`),
  'a scheme before the proof': segments(parts => `DPoP ${parts.join('.')}`),
  'two proofs in one header': (key, htm) => `${proofBy(key, { claims: { htm } })}, ${proofBy(key, { claims: { htm } })}`,
  'more than 4096 characters': withClaims({ more: 'x'.repeat(3600) }),
  'a header that is no JSON': raw(() => '{', goodPayload),
  'a header that is a list': raw(() => '[]', goodPayload),
  'a header that is not UTF-8': raw(() => Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]), goodPayload),
  'a payload that is no JSON': raw(goodHeader, () => 'proof'),
  'a payload that is null': raw(goodHeader, () => 'null'),
  'a payload that is not UTF-8': raw(goodHeader, () => Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])),
  'typ JWT': withHeader({ typ: 'JWT' }),
  'no typ': withHeader({ typ: undefined }),
  'typ in other letters': withHeader({ typ: 'DPoP+JWT' }),
  'typ as a list': withHeader({ typ: ['dpop+jwt'] }),
  crit: withHeader({ crit: ['b64'] }),
  'b64: false': withHeader({ b64: false }),
  'an address of keys': withHeader({ jku: 'https://evil.example/keys' }),
  'a certificate': withHeader({ x5c: ['MIIB'] }),
  'alg: none': segments(([, payload], key) => `${encode(JSON.stringify(headerOf(key, { alg: 'none' })))}.${payload}.`),
  'alg: none, and a signature': withHeader({ alg: 'none' }),
  'HS256 with the public key': (key, htm) => {
    const input = [headerOf(key, { alg: 'HS256' }), claimsFor({ htm })].map(part => encode(JSON.stringify(part))).join('.')
    return `${input}.${createHmac('sha256', pem(key)).update(input).digest('base64url')}`
  },
  'HS256 with a secret for a key': (_key, htm) => signAs('HS256', 'secret', { typ: 'dpop+jwt', alg: 'HS256', jwk: { kty: 'oct', k: encode('secret') } }, claimsFor({ htm })),
  'no alg': withHeader({ alg: undefined }),
  'alg of another key': withHeader({ alg: 'EdDSA' }),
  'alg in other letters': withHeader({ alg: 'es256' }),
  'RSA of 1024 bits': (_key, htm) => byRsa('RS256', 1024, htm),
  'RSA of 2048 bits': (_key, htm) => byRsa('PS256', 2048, htm),
  'the curve P-384': (_key, htm) => onCurve('P-384', 'ES384', htm),
  'the curve secp256k1': (_key, htm) => onCurve('secp256k1', 'ES256', htm),
  'no jwk': withHeader({ jwk: undefined }),
  'a jwk that is text': (key, htm) => proofBy(key, { header: { jwk: JSON.stringify(key.jwk) }, claims: { htm } }),
  'a jwk that is a list': (key, htm) => proofBy(key, { header: { jwk: [key.jwk] }, claims: { htm } }),
  'a key named by kid': (key, htm) => proofBy(key, { header: { jwk: undefined, kid: key.thumbprint }, claims: { htm } }),
  'a jwk with the private part': (key, htm) => proofBy(key, { header: { jwk: key.privateKey.export({ format: 'jwk' }) }, claims: { htm } }),
  'a jwk with a secret beside': withJwk({ k: 'AA' }),
  'a jwk to encrypt': withJwk({ use: 'enc' }),
  'a jwk without y': withJwk({ y: undefined }),
  'a point that is not on the curve': (key, htm) => proofBy(key, { header: { jwk: { ...key.jwk, x: key.jwk.y, y: key.jwk.x } }, claims: { htm } }),
  'the point zero': withJwk({ x: encode(Buffer.alloc(32)), y: encode(Buffer.alloc(32)) }),
  'a point with padding': (key, htm) => proofBy(key, { header: { jwk: { ...key.jwk, x: `${key.jwk.x}=` } }, claims: { htm } }),
  'a point of 31 bytes': (key, htm) => proofBy(key, { header: { jwk: { ...key.jwk, x: key.jwk.x!.slice(2) } }, claims: { htm } }),
  'an Ed25519 point of small order': (_key, htm) => smallOrder(htm),
  'an Ed25519 point that is not on the curve': (_key, htm) => proofBy(ed, { header: { jwk: { ...ed.jwk, x: encode(Buffer.from([2, ...Buffer.alloc(31)])) } }, claims: { htm } }),
  'the signature of another key': (key, htm) => proofBy({ ...other, jwk: key.jwk }, { claims: { htm } }),
  'a signature over other claims': segments(([header, , signature]) => `${header}.${encode(JSON.stringify(claimsFor()))}.${signature}`),
  'a signature in DER': (key, htm) => {
    const input = `${encode(goodHeader(key))}.${encode(goodPayload(htm))}`
    return `${input}.${sign('sha256', Buffer.from(input), key.privateKey).toString('base64url')}`
  },
  'a signature of zeros': segments(([header, payload]) => `${header}.${payload}.${encode(Buffer.alloc(64))}`),
  'another method': (key, htm) => proofBy(key, { claims: { htm: htm === 'PUT' ? 'POST' : 'PUT' } }),
  'the method in other letters': (key, htm) => proofBy(key, { claims: { htm: htm.toLowerCase() } }),
  'no method': withClaims({ htm: undefined }),
  'another path': withClaims({ htu: `${TARGET}/sessions` }),
  'another host': withClaims({ htu: 'http://evil.example/authorizations' }),
  'another port': withClaims({ htu: 'http://localhost:8080/authorizations' }),
  'another scheme': withClaims({ htu: 'https://localhost/authorizations' }),
  'a query in htu': withClaims({ htu: `${TARGET}?from=1` }),
  'a fragment in htu': withClaims({ htu: `${TARGET}#top` }),
  'a user in htu': withClaims({ htu: 'http://me@localhost/authorizations' }),
  'a path alone as htu': withClaims({ htu: '/authorizations' }),
  'htu as a list': withClaims({ htu: [TARGET] }),
  'no htu': withClaims({ htu: undefined }),
  ath: withClaims({ ath: createHash('sha256').update('token').digest('base64url') }),
  'no jti': withClaims({ jti: undefined }),
  'an empty jti': withClaims({ jti: '' }),
  'a jti of 257 characters': withClaims({ jti: 'x'.repeat(257) }),
  'a jti that is a number': withClaims({ jti: 7 }),
  'no iat': withClaims({ iat: undefined }),
  'iat as text': withClaims({ iat: String(NOW) }),
  'an iat that is too old': withClaims({ iat: NOW - 301 }),
  'an iat that is to come': withClaims({ iat: NOW + 301 }),
  'iat in milliseconds': withClaims({ iat: NOW * 1000 }),
  'iat beyond all numbers': raw(goodHeader, htm => goodPayload(htm).replace(String(NOW), '1e999')),
  'a nonce that is invented': withClaims({ nonce: encode(Buffer.alloc(22)) }),
  'a nonce that is empty': withClaims({ nonce: '' }),
  'a nonce that is null': withClaims({ nonce: null }),
  'a nonce that is a list': withClaims({ nonce: [] })
}

const NEEDS_NONCE = /^an iat|^iat in milliseconds|^iat beyond|^a nonce/

test('malformed and misused proofs are refused at a refresh, and the session lives on', async t => {
  t.ok(Object.keys(MISUSED).length >= 60)
  const { bind, put, prove, asked } = await createBoundApp(t)
  const key = createClientKey()
  const { refresh_token: refreshed } = await bind(key)
  asked()
  for (const [name, make] of Object.entries(MISUSED)) {
    const reply = await put(refreshed, make(key, 'PUT'))
    t.strictSame([reply.statusCode, outcomeOf(reply)], [401, NEEDS_NONCE.test(name) ? 'PROOF_NONCE' : 'PROOF_INVALID'], name)
  }
  const used = prove(key, 'PUT')
  t.strictSame(asked(), [])
  t.equal((await put(refreshed, used)).statusCode, 201)
  t.equal((await put(refreshed, used)).statusCode, 401, 'a proof that was used')
  t.equal((await put(refreshed, prove(other, 'PUT'))).statusCode, 401, "another's key")
  t.equal((await put(refreshed, [prove(key, 'PUT'), prove(key, 'PUT')])).statusCode, 401, 'two headers')
  t.equal((await put(refreshed, prove(key, 'PUT'))).statusCode, 201)
})

test('malformed and misused proofs are refused at a sign-in, and nothing is issued', async t => {
  const { post, asked, prove } = await createBoundApp(t)
  const key = createClientKey()
  asked()
  for (const [name, make] of Object.entries(MISUSED)) {
    const reply = await post(make(key, 'POST'))
    t.strictSame([reply.statusCode, outcomeOf(reply)], [400, NEEDS_NONCE.test(name) ? 'PROOF_NONCE' : 'PROOF_INVALID'], name)
  }
  t.strictSame(asked(), [])
  const used = prove(key, 'POST')
  t.strictSame([(await post(used)).statusCode, (await post(used)).statusCode], [201, 400], 'a proof that was used')
})

test('a nonce is good for its time, and for the service that made it', async t => {
  const { bind, put, prove, clock } = await createBoundApp(t)
  const foreign = await createBoundApp(t, { secret: 'eleven purple monkeys juggle nine lanterns' })
  const key = createClientKey()
  const { refresh_token: refreshed } = await bind(key)
  const nonceOf = async (app: typeof foreign): Promise<unknown> => (await app.post(app.prove(key, 'POST', { claims: { iat: 0 } }))).headers['dpop-nonce']
  const outcomeWith = async (nonce: unknown): Promise<string> => outcomeOf(await put(refreshed, prove(key, 'PUT', { claims: { iat: 0, nonce } })))
  t.equal(await outcomeWith(await nonceOf(foreign)), 'PROOF_NONCE')
  const nonce = (await put(refreshed, prove(key, 'PUT', { claims: { iat: 0 } }))).headers['dpop-nonce']
  t.equal(await outcomeWith(nonce), '201')
  clock.advance(301)
  t.equal(await outcomeWith(nonce), 'PROOF_NONCE')
})

test('two DPoP lines on the wire are refused, both good', async t => {
  const { app, bind, prove } = await createBoundApp(t)
  const port = await listen(app)
  const key = createClientKey()
  const { refresh_token: refreshed } = await bind(key)
  const send = async (...proofs: string[]) => await request(port, 'PUT /authorizations', [`Authorization: Bearer ${refreshed}`, ...proofs.map(proof => `DPoP: ${proof}`)])
  t.equal((await send(prove(key, 'PUT'), prove(key, 'PUT'))).status, 401)
  t.equal((await send(prove(key, 'PUT'))).status, 201)
})

test('a Host that is no host gives no proof, and no 5xx', async t => {
  const { bind, put, prove } = await createBoundApp(t)
  const key = createClientKey()
  const { refresh_token: refreshed } = await bind(key)
  for (const host of [' ', 'a b', '[', 'localhost:99999', '<script>', '%00']) {
    t.equal((await put(refreshed, prove(key, 'PUT'), { host })).statusCode, 401, host)
  }
})
