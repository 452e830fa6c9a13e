import { test } from 'tap'
import { parseSegment } from '../../lib/keys/segment.ts'
import { split } from '../../lib/tokens/split.ts'
import { encode } from '../support/tokens.ts'

test('a compact JWS is split into its three segments', async t => {
  t.strictSame(split('aa.bb.AA'), { header: 'aa', payload: 'bb', signature: 'AA', input: 'aa.bb' })
  t.strictSame(split('aaa.bbbb.-_-_'), { header: 'aaa', payload: 'bbbb', signature: '-_-_', input: 'aaa.bbbb' })
})

test('anything but three base64url segments is not split', async t => {
  const cases = [
    '', '.', '..', 'aa', 'aa.bb', 'aa.bb.', '.bb.AA', 'aa..AA', 'aa.bb.AA.', '.aa.bb.AA', 'aa.bb.AA.AA', 'aa.bb.AA.AA.AA',
    'aa.bb.AA==', 'a=.bb.AA', 'a+.bb.AA', 'a/.bb.AA', ' aa.bb.AA', 'aa.bb.AA ', 'aa.bb.AA\n', '\naa.bb.AA', 'aa.b b.AA',
    'aa.bb.AÄ', 'aа.bb.AA', 'aa.bb.AA\0', 'aa.b%2E.AA', 'aa.bb.A\u2024A'
  ]
  for (const token of cases) t.equal(split(token), null, JSON.stringify(token))
})

test('a segment of an impossible length is refused', async t => {
  for (const token of ['a.bb.AA', 'aaaaa.bb.AA', 'aa.b.AA', 'aa.bbbbb.AA', 'aa.bb.A', 'aa.bb.AAAAA']) t.equal(split(token), null, token)
})

test('a signature has one spelling: its unused bits are zero', async t => {
  const digest = encode(Buffer.alloc(32, 0xff))
  t.equal(split(`aa.bb.${digest}`)?.signature, digest)
  const spellings = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_']
  t.equal(spellings.filter(last => split(`aa.bb.${digest.slice(0, -1)}${last}`)).length, 16, 'of 43 characters, two bits are unused')
  t.equal(spellings.filter(last => split(`aa.bb.A${last}`)).length, 4, 'of two characters, four bits are unused')
  t.equal(spellings.filter(last => split(`aa.bb.AAA${last}`)).length, 64, 'of four characters, none is')
})

test('a segment is parsed to the JSON object in it', async t => {
  t.strictSame(parseSegment(encode('{"alg":"HS256"}')), { alg: 'HS256' })
  t.strictSame(parseSegment(encode(' {} ')), {})
  t.strictSame(parseSegment(encode('{"name":"Zoë 🦉"}')), { name: 'Zoë 🦉' })
  t.strictSame(parseSegment(encode('{"a":1,"a":2}')), { a: 2 }, 'of a name given twice the last counts')
})

test('a segment of other JSON or of bytes that are not UTF-8 is null', async t => {
  for (const text of ['null', 'true', '1', '"{}"', '[]', '[{}]']) t.equal(parseSegment(encode(text)), null, text)
  for (const bytes of [[0x22, 0xff, 0x22], [0x7b, 0x22, 0xc0, 0xaf, 0x22, 0x3a, 0x31, 0x7d], [0xed, 0xa0, 0x80]]) {
    t.equal(parseSegment(encode(Uint8Array.from(bytes))), null)
  }
})

test('a segment that is not JSON throws a SyntaxError', async t => {
  for (const text of ['', '{', '{}{}', "{'a':1}", '{"a":NaN}', '\ufeff{}']) {
    t.throws(() => parseSegment(encode(text)), { name: 'SyntaxError' }, JSON.stringify(text))
  }
})
