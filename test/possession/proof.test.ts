// The step itself: a request → a verdict. What clients see of it is in the tests of the routes.
import Fastify from 'fastify'
import { test } from 'tap'
import { createKeyRing } from '../../lib/keys/ring.ts'
import { createKeyFactory } from '../../lib/keys/sign.ts'
import { createHeaders } from '../../lib/possession/header.ts'
import { createNonces } from '../../lib/possession/nonce.ts'
import { createVerifyProof, type ProofVerdict } from '../../lib/possession/proof.ts'
import { createIsReplayed } from '../../lib/possession/replay.ts'
import { createClock } from '../support/app.ts'
import { signAs } from '../support/key-pairs.ts'
import { createClientKey, headerOf, proofBy, requestWith } from '../support/proofs.ts'
import { NOW, SECRET } from '../support/tokens.ts'

const keys = [createClientKey('ES256'), createClientKey('EdDSA')]
const key = keys[0]!

function createBench (origin: string | null = null) {
  const clock = createClock()
  const nonces = createNonces(createKeyRing([Buffer.from(SECRET)], createKeyFactory(Fastify())), clock.now)
  return { clock, nonces, verifyProof: createVerifyProof({ origin, now: clock.now, headers: createHeaders(), nonces, isReplayed: createIsReplayed() }) }
}

function outcome (verdict: ProofVerdict): string {
  return verdict.flaw === null ? 'good' : `${verdict.flaw} ${verdict.reason}`
}

test('a good proof gives the thumbprint of its key', async t => {
  const { verifyProof } = createBench()
  for (const key of keys) t.strictSame(verifyProof(requestWith(proofBy(key))), { thumbprint: key.thumbprint, flaw: null })
  t.equal(outcome(verifyProof(requestWith(proofBy(keys[1]!, { header: { alg: 'Ed25519' } })))), 'good')
  t.equal(outcome(verifyProof(requestWith(proofBy(key, { header: { kid: 'mine' }, claims: { jti: 'x'.repeat(256), more: true } })))), 'good')
})

test('each check has its reason, and the first one that fails counts', async t => {
  const { verifyProof } = createBench()
  const good = proofBy(key)
  const [header, payload, signature] = good.split('.') as [string, string, string]
  const cases: Array<[string, string | string[] | undefined]> = [
    ['MISSING no proof', undefined],
    ['INVALID more than one header', `${good}, ${good}`],
    ['INVALID more than one header', [good, good]],
    ['INVALID too long', proofBy(key, { claims: { more: 'x'.repeat(4096) } })],
    ['INVALID not a compact JWS', ''],
    ['INVALID not a compact JWS', `${header}.${payload}`],
    ['INVALID not JSON', `e30x.${payload}.${signature}`],
    ['INVALID typ', `W10.${payload}.${signature}`],
    ['INVALID typ', proofBy(key, { header: { typ: 'JWT', alg: 'none' } })],
    ['INVALID header', proofBy(key, { header: { crit: ['exp'] } })],
    ['INVALID alg or jwk', proofBy(key, { header: { alg: 'none' } })],
    ['INVALID signature', `${header}.${payload}.${proofBy(key).split('.')[2]!}`],
    ['INVALID not JSON', signAs(key.algorithm, key.privateKey, headerOf(key), [])],
    ['INVALID htm', proofBy(key, { claims: { htm: 'POST', htu: 'x' } })],
    ['INVALID htu', proofBy(key, { claims: { htu: 'x', iat: 0 } })],
    ['INVALID ath', proofBy(key, { claims: { ath: 'x' } })],
    ['INVALID jti', proofBy(key, { claims: { jti: 7 } })],
    ['INVALID iat', proofBy(key, { claims: { iat: 'now' } })],
    ['NONCE iat', proofBy(key, { claims: { iat: 0 } })],
    ['NONCE nonce', proofBy(key, { claims: { nonce: 'x' } })],
    ['NONCE nonce', proofBy(key, { claims: { nonce: 7 } })]
  ]
  for (const [expected, proof] of cases) t.equal(outcome(verifyProof(requestWith(proof))), expected)
})

test('a proof is fresh for five minutes before and after its time', async t => {
  const { verifyProof, clock } = createBench()
  for (const [iat, expected] of [[NOW - 300, 'good'], [NOW + 300, 'good'], [NOW - 301, 'NONCE iat'], [NOW + 301, 'NONCE iat'], [NOW * 1000, 'NONCE iat']] as const) {
    t.equal(outcome(verifyProof(requestWith(proofBy(key, { claims: { iat } })))), expected, String(iat - NOW))
  }
  clock.set(NaN)
  t.equal(outcome(verifyProof(requestWith(proofBy(key)))), 'NONCE iat')
})

test('with a fresh nonce, the time of the proof is ignored', async t => {
  const { verifyProof, clock, nonces } = createBench()
  const nonce = nonces.make()
  const withNonce = (iat: number) => requestWith(proofBy(key, { claims: { nonce, iat } }))
  for (const iat of [0, NOW, 4e9]) t.equal(outcome(verifyProof(withNonce(iat))), 'good', String(iat))
  clock.advance(300)
  t.equal(outcome(verifyProof(withNonce(0))), 'good')
  clock.advance(1)
  t.equal(outcome(verifyProof(withNonce(NOW))), 'NONCE nonce', 'an old nonce is replaced, even where the clock is right')
})

test('a proof is good once, for as long as it is fresh', async t => {
  const { verifyProof, clock, nonces } = createBench()
  const request = requestWith(proofBy(key, { claims: { iat: NOW + 300 } }))
  t.equal(outcome(verifyProof(request)), 'good')
  t.equal(outcome(verifyProof(request)), 'INVALID jti used before')
  clock.advance(600)
  t.equal(outcome(verifyProof(request)), 'INVALID jti used before', 'its last moment')
  clock.advance(1)
  t.equal(outcome(verifyProof(request)), 'NONCE iat')

  const again = requestWith(proofBy(key, { claims: { iat: 0, nonce: nonces.make() } }))
  t.equal(outcome(verifyProof(again)), 'good')
  clock.advance(300)
  t.equal(outcome(verifyProof(again)), 'INVALID jti used before')
})

test('a refused proof does not use up its id', async t => {
  const { verifyProof } = createBench()
  const jti = 'once'
  t.equal(outcome(verifyProof(requestWith(proofBy(key, { claims: { jti, iat: 0 } })))), 'NONCE iat')
  t.equal(outcome(verifyProof(requestWith(proofBy(key, { claims: { jti } })))), 'good')
})

test('the option says where clients see this server', async t => {
  const { verifyProof } = createBench('https://app.example/api')
  t.equal(outcome(verifyProof(requestWith(proofBy(key, { claims: { htu: 'https://app.example/api/authorizations' } })))), 'good')
  t.equal(outcome(verifyProof(requestWith(proofBy(key)))), 'INVALID htu')
})
