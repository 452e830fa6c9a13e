import { test } from 'tap'
import { createIsReplayed } from '../../lib/possession/replay.ts'

test('an id is used again while the proof is fresh, and by its own key alone', async t => {
  const isReplayed = createIsReplayed()
  t.equal(isReplayed('a', 'id', 100, 400), false)
  t.equal(isReplayed('a', 'id', 100, 400), true)
  t.equal(isReplayed('b', 'id', 100, 400), false)
  t.equal(isReplayed('a', 'other', 100, 400), false)
  t.equal(isReplayed('a', 'id', 400, 700), true, 'to the last moment')
  t.equal(isReplayed('a', 'id', 400.001, 700), false)
  t.equal(isReplayed('a', 'id', 401, 700), true)
})

test('memory is bounded: when it is full, the oldest id goes', async t => {
  const isReplayed = createIsReplayed(3)
  for (const id of ['1', '2', '3', '4']) t.equal(isReplayed('a', id, 0, 300), false)
  for (const id of ['2', '3', '4']) t.equal(isReplayed('a', id, 0, 300), true, id)
  t.equal(isReplayed('a', '1', 0, 300), false)
})
