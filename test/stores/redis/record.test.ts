import fc from 'fast-check'
import { test } from 'tap'
import { newSession } from '../../../lib/testing/setting.ts'
import { packRecord, unpackRecord } from '../../../lib/stores/redis/record.ts'
import { hashNonce } from '../../../lib/tokens/session-claims.ts'

const NOW = 1_750_000_000_000

const instant = fc.nat({ max: 2 ** 48 - 1 })
const text = (maxLength: number) => fc.option(fc.string({ unit: 'grapheme', maxLength }))

const changes = fc.record({
  generation: fc.nat(2 ** 31),
  parentGeneration: fc.integer({ min: -1, max: 2 ** 31 - 1 }),
  confirmed: fc.boolean(),
  rotatedAt: instant,
  displacedAt: instant,
  issuedAt: instant,
  createdAt: instant,
  authenticatedAt: instant,
  expiresAt: instant,
  lastUsedAt: instant,
  nonceHash: fc.string().map(hashNonce),
  ip: text(256),
  userAgent: text(256),
  label: text(64),
  lifetime: fc.option(instant),
  jkt: fc.option(fc.string({ unit: 'binary-ascii', maxLength: 64 }))
}, { requiredKeys: [] })

test('a record is unpacked as it was packed', async t => {
  fc.assert(fc.property(changes, changes => {
    const record = newSession(7, NOW, changes)
    t.strictSame(unpackRecord(record.id, 7, packRecord(record)), record)
  }), { numRuns: 500 })
})

test('the usual record takes 95 bytes and those of its client, and holds no user id', async t => {
  const packed = packRecord(newSession('ada@example.org', NOW, { ip: '198.51.100.200', userAgent: 'x'.repeat(110) }))
  t.equal(packed.length, 95 + 14 + 110)
  t.notOk(packed.includes('ada'))
})

test('a nonce hash that is not a SHA-256 is refused', async t => {
  for (const nonceHash of ['', 'abc', hashNonce('') + 'AAAA']) {
    t.throws(() => packRecord(newSession(7, NOW, { nonceHash })), { name: 'TypeError', message: 'nonceHash must be a SHA-256 in base64url.' })
  }
})
