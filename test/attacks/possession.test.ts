// What a thief of a bound refresh token gets, and what he gets where the defence is off.
import { createPublicKey, verify } from 'node:crypto'
import { test } from 'tap'
import { createHeaders } from '../../lib/possession/header.ts'
import { readProofKey } from '../../lib/possession/key.ts'
import { createVerifyProof } from '../../lib/possession/proof.ts'
import { createIsReplayed, type IsReplayed } from '../../lib/possession/replay.ts'
import { createBoundApp } from '../support/bound.ts'
import { createClientKey, proofBy, requestWith } from '../support/proofs.ts'
import { claimsIn, mint, NOW } from '../support/tokens.ts'

test('a thief of the refresh token gets nothing without the key, and the owner stays signed in', async t => {
  const { bind, put, prove, clock, me, events } = await createBoundApp(t)
  const owner = createClientKey()
  const thief = createClientKey()
  let { refresh_token: stolen, token } = await bind(owner)
  let held = stolen
  for (let hour = 0; hour < 10; hour++) {
    for (const proof of [undefined, prove(thief, 'PUT'), proofBy({ ...thief, jwk: owner.jwk }), prove(owner, 'POST')]) {
      const reply = await put(stolen, proof)
      t.equal(reply.statusCode, 401)
      t.notMatch(reply.body, /eyJ/)
    }
    t.equal(await me(token), '200')
    const reply = await put(held, prove(owner, 'PUT'))
    t.equal(reply.statusCode, 201)
    ;({ token, refresh_token: held } = reply.json())
    if (hour % 2 === 0) stolen = held
    clock.advance(3600)
  }
  t.notOk(events.some(({ type }) => type === 'reused' || type === 'revoked'))
})

test('where sessions are not bound, the same thief is served, and the owner is signed out', async t => {
  const { signIn, put, prove, clock } = await createBoundApp(t, { sessions: { dpop: false } })
  const { refresh_token: stolen } = await signIn()
  const { refresh_token: taken } = (await put(stolen, undefined)).json()
  t.equal(claimsIn(taken).gen, 1)
  clock.advance(3600)
  t.equal((await put(taken, undefined)).statusCode, 201)
  t.equal((await put(stolen, prove(createClientKey(), 'PUT'))).statusCode, 403)
  t.equal((await put(taken, undefined)).statusCode, 403)
})

test('a proof that was read in transit is worth nothing a second time', async t => {
  const { bind, put, prove } = await createBoundApp(t)
  const owner = createClientKey()
  const { refresh_token: refreshed } = await bind(owner)
  const proof = prove(owner, 'PUT')
  t.equal((await put(refreshed, proof)).statusCode, 201)
  t.equal((await put(refreshed, proof)).statusCode, 401)
})

test('without the memory of proofs, it is good again', async t => {
  const forgetful = createIsReplayed(1)
  t.equal(forgetful('key', 'proof', NOW, NOW + 300, 'owner'), false)
  t.equal(forgetful('key', 'another', NOW, NOW + 300, 'owner'), false)
  t.equal(forgetful('key', 'proof', NOW, NOW + 300, 'owner'), false)
})

/** A thief sends the proof of an owner's refresh again, after a flood of sign-ins with proofs of his own; how it is taken the second time. */
function replayAfterFlood (isReplayed: IsReplayed): string | null {
  const verifyProof = createVerifyProof({
    origin: null, now: () => NOW * 1000, headers: createHeaders(), nonces: { make: () => '', timeOf: () => null }, isReplayed
  })
  const owner = createClientKey()
  const thief = createClientKey()
  const refreshed = requestWith(proofBy(owner))
  verifyProof(refreshed, owner.thumbprint)
  for (let count = 0; count < 10; count++) verifyProof(requestWith(proofBy(thief)))
  for (let count = 0; count < 10; count++) verifyProof(requestWith(proofBy(thief)), owner.thumbprint)
  return verifyProof(refreshed, owner.thumbprint).flaw
}

test('a flood of sign-ins, which takes no password, does not make the memory forget the proofs of owners', async t => {
  t.equal(replayAfterFlood(createIsReplayed(10)), 'INVALID')
})

test('with one memory for all, it does, and the proof is good again', async t => {
  const isReplayed = createIsReplayed(10)
  t.equal(replayAfterFlood((thumbprint, id, now, until) => isReplayed(thumbprint, id, now, until, 'anybody')), null)
})

/** From Node.js 24 on, OpenSSL refuses points of small order by itself. */
const ENGINE_ACCEPTS = Number(process.versions.node.split('.')[0]) < 24

test('a signature that anybody can make, for a point of small order, is refused; the engine alone accepts it, up to Node.js 22', async t => {
  const neutral = Buffer.from([1, ...Buffer.alloc(31)])
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: neutral.toString('base64url') }
  t.equal(await readProofKey('EdDSA', jwk), null)
  t.equal(verify(null, Buffer.from('anything'), createPublicKey({ key: jwk, format: 'jwk' }), Buffer.concat([neutral, Buffer.alloc(32)])), ENGINE_ACCEPTS)
})

test('whoever has copied a sign-in cannot bind its session to another key', async t => {
  const { bind, put, prove } = await createBoundApp(t)
  const owner = createClientKey()
  const { refresh_token: refreshed } = await bind(owner)
  const [header, , signature] = refreshed.split('.') as [string, string, string]
  for (const cnf of [undefined, { jkt: createClientKey().thumbprint }, { jkt: 7 }, {}, null, []]) {
    const changed = Buffer.from(JSON.stringify({ ...claimsIn(refreshed), cnf })).toString('base64url')
    t.equal((await put(`${header}.${changed}.${signature}`, prove(owner, 'PUT'))).statusCode, 403)
  }
})

test('whoever has the signing key makes no refresh token of a bound session, with or without the claim', async t => {
  const { bind, put, prove, me } = await createBoundApp(t)
  const owner = createClientKey()
  const thief = createClientKey()
  const { token, refresh_token: refreshed } = await bind(owner)
  for (const cnf of [undefined, { jkt: thief.thumbprint }]) {
    for (const n of [claimsIn(refreshed).n, 'A'.repeat(22)]) {
      t.equal((await put(mint({ ...claimsIn(refreshed), cnf, n }), prove(thief, 'PUT'))).statusCode, 401)
    }
  }
  for (const cnf of [{ jkt: 'short' }, 'x', null, []]) t.equal((await put(mint({ ...claimsIn(refreshed), cnf }), prove(owner, 'PUT'))).statusCode, 403, 'the claim is well-formed')
  t.equal(await me(token), '200')
  t.equal((await put(refreshed, prove(owner, 'PUT'))).statusCode, 201)
})

test('2,000 proofs with random changes are refused, and none by a 5xx', async t => {
  const { bind, put, prove } = await createBoundApp(t)
  const owner = createClientKey('EdDSA')
  const { refresh_token: refreshed } = await bind(owner)
  const good = prove(owner, 'PUT')
  let seed = 7
  const random = (below: number): number => (seed = (seed * 48_271) % 2_147_483_647) % below
  const alphabet = 'ABCxyz019-_.=+/ ,{}"\\%~é'
  let wrong = 0
  for (let round = 0; round < 2000; round++) {
    const at = random(good.length)
    const changed = good.slice(0, at) + alphabet[random(alphabet.length)]! + good.slice(at + random(3))
    if (changed === good) continue
    if ((await put(refreshed, changed)).statusCode !== 401) wrong++
  }
  t.equal(wrong, 0)
  t.equal((await put(refreshed, good)).statusCode, 201)
})
