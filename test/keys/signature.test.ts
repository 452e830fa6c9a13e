import { constants, sign } from 'node:crypto'
import { test } from 'tap'
import { readKeys } from '../../lib/keys/check.ts'
import type { KeyAlgorithm } from '../../lib/keys/types.ts'
import { createVerifySignature, type VerifySignature } from '../../lib/keys/signature.ts'
import { ALGORITHMS, PAIRS, publicRingKey, signatureOf } from '../support/key-pairs.ts'
import { encode, OTHER_SECRET, SECRET } from '../support/tokens.ts'

const INPUT = 'aGVhZGVy.cGF5bG9hZA'

/** Of the first pair of each algorithm, or the secret. */
function checkOf (algorithm: KeyAlgorithm): VerifySignature {
  const [key] = readKeys([algorithm === 'HS256' ? { kid: 'k', algorithm, secret: SECRET } : publicRingKey(algorithm, 'k')])
  return createVerifySignature(key)
}

function signedBy (algorithm: KeyAlgorithm, index: 0 | 1, input = INPUT): string {
  return signatureOf(algorithm, input, algorithm === 'HS256' ? [SECRET, OTHER_SECRET][index] : PAIRS[algorithm][index].privateKey)
}

for (const algorithm of ['HS256', ...ALGORITHMS] as const) {
  const verifySignature = checkOf(algorithm)
  const signature = signedBy(algorithm, 0)

  test(`${algorithm}: a key has signed what node:crypto has signed with it, again and again`, async t => {
    for (const input of [INPUT, '', 'ä', 'x'.repeat(4096)]) {
      for (let times = 0; times < 3; times++) t.ok(verifySignature(input, signedBy(algorithm, 0, input)))
    }
  })

  test(`${algorithm}: a key has not signed anything else`, async t => {
    t.notOk(verifySignature(INPUT, signedBy(algorithm, 1)), 'another key')
    t.notOk(verifySignature(`${INPUT}A`, signature), 'another input')
    t.notOk(verifySignature('', signature), 'no input')
    const bytes = Buffer.from(signature, 'base64url')
    for (let bit = 0; bit < bytes.length * 8; bit += 7) {
      const changed = Buffer.from(bytes)
      changed[bit >> 3]! ^= 1 << (bit & 7)
      t.notOk(verifySignature(INPUT, encode(changed)), `bit ${bit}`)
    }
  })

  test(`${algorithm}: a signature of another length is not valid`, async t => {
    const bytes = Buffer.from(signature, 'base64url')
    const others = [Buffer.alloc(0), bytes.subarray(1), bytes.subarray(0, -1), Buffer.concat([bytes, Buffer.of(0)]), Buffer.concat([Buffer.of(0), bytes]), Buffer.concat([bytes, bytes])]
    for (const other of others) t.notOk(verifySignature(INPUT, encode(other)), `${other.length} bytes`)
    t.notOk(verifySignature(INPUT, encode(Buffer.alloc(bytes.length))), 'zeros')
    t.notOk(verifySignature(INPUT, encode(Buffer.alloc(bytes.length, 0xff))), 'ones')
  })
}

test('a signature in the notation or with the padding of another algorithm is not valid', async t => {
  const [ec, rsa] = [PAIRS.ES256[0].privateKey, PAIRS.RS256[0].privateKey]
  t.notOk(checkOf('ES256')(INPUT, sign('sha256', Buffer.from(INPUT), ec).toString('base64url')), 'ES256 in DER')
  t.notOk(checkOf('RS256')(INPUT, signatureOf('PS256', INPUT, rsa)), 'PS256 under an RS256 key')
  t.notOk(checkOf('PS256')(INPUT, signatureOf('RS256', INPUT, PAIRS.PS256[0].privateKey)), 'RS256 under a PS256 key')
  for (const saltLength of [0, 20, 64, 222]) {
    const salted = sign('sha256', Buffer.from(INPUT), { key: PAIRS.PS256[0].privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength })
    t.notOk(checkOf('PS256')(INPUT, salted.toString('base64url')), `PS256 with a salt of ${saltLength} bytes`)
  }
  for (const hash of ['sha1', 'sha384', 'sha512']) {
    t.notOk(checkOf('RS256')(INPUT, sign(hash, Buffer.from(INPUT), rsa).toString('base64url')), `RSA with ${hash}`)
  }
})
