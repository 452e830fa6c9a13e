import { test } from 'tap'
import { createHeaders, type Headers, type Prover } from '../../lib/possession/header.ts'
import { createClientKey, headerOf, type ClientKey } from '../support/proofs.ts'
import { encode } from '../support/tokens.ts'

const key = createClientKey()
const segmentOf = (key: ClientKey, more?: Record<string, unknown>): string => encode(JSON.stringify(headerOf(key, more)))
const read = (headers: Headers, segment: string): Prover => headers.read(segment) as Prover

test('a good header gives its key, and a bad one the reason', async t => {
  const headers = createHeaders()
  t.match(headers.read(segmentOf(key)), { thumbprint: key.thumbprint, verifySignature: Function })
  for (const [segment, flaw] of [
    [encode('[]'), 'typ'], [segmentOf(key, { typ: 'JWT' }), 'typ'], [segmentOf(key, { crit: [] }), 'header'], [segmentOf(key, { x5u: 'https://evil.example' }), 'header'],
    [segmentOf(key, { 'x5t#S256': 'x' }), 'header'], [segmentOf(key, { alg: 'none' }), 'alg or jwk']
  ] as const) t.equal(headers.read(segment), flaw)
  t.throws(() => headers.read(encode('{')), SyntaxError)
})

test('a key is remembered once its signature was good, and by the same header alone', async t => {
  const headers = createHeaders()
  const segment = segmentOf(key)
  const prover = read(headers, segment)
  t.not(read(headers, segment), prover, 'nothing has proved it')
  headers.remember(segment, prover)
  t.equal(read(headers, segment), prover)
  headers.remember(segment, read(headers, segmentOf(key)))
  t.equal(read(headers, segment), prover)
  t.not(read(headers, segmentOf(key, { kid: 'x' })), prover)
})

test('the memory of keys is bounded, and takes no long header', async t => {
  const headers = createHeaders(2)
  const segments = [1, 2, 3].map(() => segmentOf(createClientKey()))
  const provers = segments.map(segment => read(headers, segment))
  for (const [index, segment] of segments.entries()) headers.remember(segment, provers[index]!)
  t.strictSame(segments.map((segment, index) => read(headers, segment) === provers[index]), [false, true, true])
  const long = segmentOf(key, { kid: 'x'.repeat(500) })
  const prover = read(headers, long)
  headers.remember(long, prover)
  t.not(read(headers, long), prover)
})
