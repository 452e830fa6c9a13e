import { generateKeyPairSync } from 'node:crypto'
import { test } from 'tap'
import { readProofKey } from '../../lib/possession/key.ts'
import { createClientKey } from '../support/proofs.ts'

const ec = createClientKey('ES256')
const ed = createClientKey('EdDSA')

test('the public key of an algorithm is read, whatever else its JWK says of itself', async t => {
  t.match(readProofKey('ES256', ec.jwk), { algorithm: 'ES256', thumbprint: ec.thumbprint, privateKey: null })
  for (const alg of ['EdDSA', 'Ed25519']) t.match(readProofKey(alg, ed.jwk), { algorithm: 'EdDSA', thumbprint: ed.thumbprint }, alg)
  for (const more of [{ use: 'sig' }, { key_ops: ['verify'] }, { alg: 'ES256' }, { kid: 'mine', ext: true }]) {
    t.equal((readProofKey('ES256', { ...ec.jwk, ...more }))?.thumbprint, ec.thumbprint, JSON.stringify(more))
  }
  t.ok(readProofKey('EdDSA', { ...ed.jwk, alg: 'Ed25519' }), 'both names are one algorithm')
})

test('a JWK for another use, of another algorithm or with a private member is refused', async t => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'jwk' })
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey.export({ format: 'jwk' })
  const x25519 = generateKeyPairSync('x25519').publicKey.export({ format: 'jwk' })
  const cases: Array<[unknown, unknown]> = [
    ['ES256', undefined], ['ES256', null], ['ES256', 'jwk'], ['ES256', [ec.jwk]], ['ES256', {}],
    ['none', ec.jwk], ['HS256', ec.jwk], ['RS256', rsa], ['ES256', rsa], ['ES384', p384], ['ES256', p384], ['EdDSA', x25519],
    ['EdDSA', ec.jwk], ['ES256', ed.jwk], [['ES256'], ec.jwk], [undefined, ec.jwk], ['constructor', ec.jwk],
    ['ES256', { ...ec.jwk, use: 'enc' }], ['ES256', { ...ec.jwk, key_ops: ['sign'] }], ['ES256', { ...ec.jwk, key_ops: 'verify' }], ['ES256', { ...ec.jwk, alg: 'EdDSA' }],
    ...['d', 'k', 'p', 'q', 'dp', 'dq', 'qi', 'oth'].map((name): [unknown, unknown] => ['ES256', { ...ec.jwk, [name]: 'AA' }]),
    ['ES256', ec.privateKey.export({ format: 'jwk' })], ['EdDSA', ed.privateKey.export({ format: 'jwk' })]
  ]
  for (const [alg, jwk] of cases) t.equal(readProofKey(alg, jwk), null, `${String(alg)} ${JSON.stringify(jwk)}`)
})

test('a point is written in one way, and lies on the curve', async t => {
  const { x, y } = ec.jwk as { x: string, y: string }
  const other = x.slice(0, 5) + (x[5] === 'A' ? 'B' : 'A') + x.slice(6)
  const zero = Buffer.alloc(32).toString('base64url')
  for (const members of [
    { x: `${x}=` }, { x: x.slice(1) }, { x: `A${x}` }, { x: 7 }, { y: undefined }, { x: `${x.slice(0, -1)}B` },
    { x: `${x.slice(0, -1)}/` }, { x: other }, { x: y, y: x }, { x: zero, y: zero }
  ]) t.equal(readProofKey('ES256', { ...ec.jwk, ...members }), null, JSON.stringify(members))
})

test('a point of small order on Ed25519, whose signatures anybody can make, is refused', async t => {
  const P = 2n ** 255n - 19n
  const encode = (y: bigint): string => Buffer.from(y.toString(16).padStart(64, '0'), 'hex').reverse().toString('base64url')
  const order8 = ['c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a', '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05']
  const points = [...[0n, 1n, P - 1n, P, P + 1n].map(encode), ...order8.map(hex => Buffer.from(hex, 'hex').toString('base64url'))]
  for (const x of points) t.equal(readProofKey('EdDSA', { ...ed.jwk, x }), null, x)
})
