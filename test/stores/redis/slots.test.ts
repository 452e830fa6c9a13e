import { test } from 'tap'
import { slotOf, tagsOf } from '../../../lib/stores/redis/slots.ts'
import { openRedis, withoutRedis } from '../../support/redis.ts'

test('the tags of 16 shards', async t => {
  t.equal(tagsOf(16).join(' '), '18 3 1a j 19 2 64 k 7t 34 du u 6r 22 dt t')
})

test('the slot of each tag is in the middle of its part of the slots, for any number of shards', async t => {
  for (let count = 1; count <= 64; count++) {
    const tags = tagsOf(count)
    t.equal(new Set(tags).size, count)
    const parts = tags.map(tag => slotOf(tag) / 16_384 * count)
    t.ok(parts.every((part, i) => Math.abs(part - i - 0.5) <= 0.051), `${count} shards`)
  }
})

test('nodes of equal runs of slots get their share of 16 shards', async t => {
  for (const nodes of [2, 3, 4, 5, 6, 8, 16]) {
    const counts = Array.from({ length: nodes }, () => 0)
    for (const tag of tagsOf(16)) counts[Math.floor(slotOf(tag) / 16_384 * nodes)]! += 1
    t.ok(Math.max(...counts) - Math.min(...counts) <= 1, `${nodes} nodes: ${counts.join(', ')}`)
  }
})

test('a tag has the slot that the server computes', { skip: withoutRedis }, async t => {
  const { client } = await openRedis(t)
  for (const tag of ['', 'a', '123456789', 'äöü🦉', ...tagsOf(64)]) {
    const found = await client.call('CLUSTER', 'KEYSLOT', tag).catch(() => null)
    if (found === null) return t.equal(slotOf('123456789'), 0x31c3 % 16_384, 'a server without cluster commands tells none')
    t.equal(slotOf(tag), found, tag)
  }
})
