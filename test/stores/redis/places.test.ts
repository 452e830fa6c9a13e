import { test } from 'tap'
import { createPlaces, ownerOf } from '../../../lib/stores/redis/places.ts'
import { isSessionId } from '../../../lib/tokens/session-claims.ts'

test('an id leads to the shard of its user, and the users spread over all shards', async t => {
  for (const shards of [1, 2, 3, 16, 64]) {
    const places = createPlaces({ shards }, false)
    const counts = new Map<unknown, number>()
    for (let userId = 0; userId < 6400; userId++) {
      const id = places.newSessionId(userId)
      if (!isSessionId(id)) t.fail(id)
      const shard = places.ofSession(id)
      if (shard !== places.ofUser(ownerOf(userId))) t.fail(`user ${userId}`)
      counts.set(shard, (counts.get(shard) ?? 0) + 1)
    }
    t.equal(counts.size, shards)
    t.ok([...counts.values()].every(count => Math.abs(count * shards / 6400 - 1) < 0.6), [...counts.values()].join(' '))
  }
})

test('any text leads to a shard', async t => {
  const places = createPlaces({ shards: 64 }, false)
  for (const id of ['', '?', '\u{1f989}', 'A', '_', ' ']) t.ok(places.shards.includes(places.ofSession(id)), id)
})

test('a client of a Cluster gets 16 shards, any other one; a prefix with a hash tag one', async t => {
  const count = (prefix: string | undefined, isCluster: boolean): number => createPlaces(prefix === undefined ? {} : { prefix }, isCluster).shards.length
  t.strictSame([count(undefined, false), count(undefined, true), count('app:', true), count('{app}:', true)], [1, 16, 16, 1])
})

test('shards are a whole number from 1 to 64, and one where the prefix has a hash tag', async t => {
  for (const shards of [0, 65, -1, 1.5, NaN, '4', null]) {
    t.throws(() => createPlaces({ shards: shards as number }, true), { name: 'RangeError', message: 'shards must be a whole number from 1 to 64.' })
  }
  t.equal(createPlaces({ prefix: '{app}:', shards: 1 }, true).shards[0]!.feed, '{app}:revoked')
  t.throws(() => createPlaces({ prefix: '{app}:', shards: 2 }, true), {
    name: 'TypeError', message: 'prefix must not have a hash tag with more than one shard: it would keep all of them in one slot.'
  })
})
