import { test } from 'tap'
import { isSoundPoint } from '../../lib/keys/ed25519.ts'
import { createPair } from '../support/key-pairs.ts'

/** 32 bytes, the lowest first, as RFC 8032 spells a number. */
function bytesOf (value: bigint): Buffer {
  return Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse()
}

const P = 2n ** 255n - 19n
const SIGN = 2n ** 255n

test('generated public keys are sound', async t => {
  for (let i = 0; i < 20; i++) {
    t.ok(isSoundPoint(Buffer.from(createPair('EdDSA').publicKey.export({ format: 'jwk' }).x!, 'base64url')))
  }
})

test('the public keys of RFC 8032 section 7.1 are sound', async t => {
  for (const hex of [
    'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
    '278117fc144c72340f67d0f2316e8386ceffbf2b2428c9c51fef7c597f1d426e'
  ]) t.ok(isSoundPoint(Buffer.from(hex, 'hex')), hex)
})

test('the base point is sound, in either sign', async t => {
  const y = 46316835694926478169428394003475163141307993866256225615783033603165251855960n
  t.ok(isSoundPoint(bytesOf(y)))
  t.ok(isSoundPoint(bytesOf(y + SIGN)))
})

test('about half of all numbers are no point of the curve', async t => {
  const off = Array.from({ length: 40 }, (_, index) => BigInt(index + 2)).filter(y => !isSoundPoint(bytesOf(y)))
  t.same(off.slice(0, 3), [2n, 7n, 8n])
  t.ok(off.length > 10 && off.length < 30)
})

test('the eight points of small order protect nothing', async t => {
  const ofOrder8 = 0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7n
  for (const y of [0n, 1n, P - 1n, ofOrder8, P - ofOrder8]) {
    t.notOk(isSoundPoint(bytesOf(y)), y.toString(16))
    t.notOk(isSoundPoint(bytesOf(y + SIGN)), `${y.toString(16)}, the other sign`)
  }
})

test('a number that is not less than p is not canonical', async t => {
  for (const y of [P, P + 1n, P + 3n, SIGN - 1n]) t.notOk(isSoundPoint(bytesOf(y)), y.toString(16))
})
