// RFC 8037, Ed25519 in JOSE: the examples of its appendix A.
import Fastify from 'fastify'
import { test } from 'tap'
import { createKeyFactory } from '../../lib/keys/sign.ts'
import { keySetOf } from '../../lib/routes/jwks.ts'
import { thumbprintOf } from '../../lib/cli/keygen.ts'
import { readKeys, type PublicRingKey } from '../../lib/keys/check.ts'
import { createApp } from '../support/app.ts'
import { signatureOf } from '../support/key-pairs.ts'
import { encode, isSignedBy } from '../support/tokens.ts'

/** Appendix A.1. */
const PRIVATE = { kty: 'OKP', crv: 'Ed25519', d: 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }
/** Appendix A.2. */
const PUBLIC = { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }
/** Appendix A.4. */
const INPUT = 'eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc'
const SIGNATURE = 'hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg'

const keys = readKeys([{ kid: 'k', algorithm: 'EdDSA', privateKey: PRIVATE }]) as readonly [PublicRingKey]
const key = createKeyFactory(Fastify())(keys[0])

test('appendix A.1 and A.2: the key set contains the public half of the private key', async t => {
  t.same(JSON.parse(keySetOf(keys).body), { keys: [{ ...PUBLIC, kid: 'k', alg: 'EdDSA', use: 'sig' }] })
})

test('appendix A.3: the thumbprint', async t => {
  t.equal(thumbprintOf(PUBLIC), 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k')
  t.equal(thumbprintOf(PRIVATE), thumbprintOf(PUBLIC))
})

test('appendix A.4: the signature', async t => {
  t.equal(signatureOf('EdDSA', INPUT, keys[0].privateKey!), SIGNATURE)
  const [header, payload, signature] = key.sign({ iat: 7 }).split('.')
  t.equal(signature, signatureOf('EdDSA', `${header}.${payload}`, keys[0].privateKey!), 'ours is made in the same way, which is without chance')
})

test('appendix A.5: the example verifies with the key as it was read; a token it is not, for its payload is no JSON', async t => {
  t.ok(key.verifySignature(INPUT, SIGNATURE))
  const { app } = await createApp(t, { keys: [{ kid: 'k', algorithm: 'EdDSA', privateKey: PRIVATE }] })
  t.throws(() => app.dualToken.verifyToken(`${INPUT}.${SIGNATURE}`), { code: 'FST_DUAL_TOKEN_ACCESS_INVALID' })
})

test('section 3.1: a signature of another length or with a changed bit is refused', async t => {
  const token = key.sign({ iat: 7 })
  t.ok(isSignedBy(key, token))
  const input = token.slice(0, token.lastIndexOf('.'))
  const bytes = Buffer.from(token.slice(input.length + 1), 'base64url')
  for (const changed of [bytes.subarray(0, 63), Buffer.concat([bytes, Buffer.of(0)]), Buffer.concat([bytes, bytes]), Buffer.alloc(64)]) {
    t.notOk(isSignedBy(key, `${input}.${encode(changed)}`))
  }
  for (let bit = 0; bit < 512; bit++) {
    const changed = Buffer.from(bytes)
    changed[bit >> 3]! ^= 1 << (bit & 7)
    t.notOk(isSignedBy(key, `${input}.${encode(changed)}`))
  }
})

test('section 3.1: the order of the group added to a signature is another spelling of it, and refused', async t => {
  const order = 2n ** 252n + 27742317777372353535851937790883648493n
  const token = key.sign({ iat: 7 })
  const input = token.slice(0, token.lastIndexOf('.'))
  const bytes = Buffer.from(token.slice(input.length + 1), 'base64url')
  const s = BigInt(`0x${Buffer.from(bytes.subarray(32)).reverse().toString('hex')}`) + order
  const spelt = Buffer.concat([bytes.subarray(0, 32), Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse()])
  t.notOk(isSignedBy(key, `${input}.${encode(spelt)}`))
})
