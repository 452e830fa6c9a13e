import { test } from 'tap'
import { createIsReplayed } from '../../lib/possession/replay.ts'

test('an id is used again while the proof is fresh, and by its own key alone', async t => {
  const isReplayed = createIsReplayed()
  t.equal(isReplayed('a', 'id', 100, 400, 'anybody'), false)
  t.equal(isReplayed('a', 'id', 100, 400, 'anybody'), true)
  t.equal(isReplayed('b', 'id', 100, 400, 'anybody'), false)
  t.equal(isReplayed('a', 'other', 100, 400, 'anybody'), false)
  t.equal(isReplayed('a', 'id', 400, 700, 'anybody'), true, 'to the last moment')
  t.equal(isReplayed('a', 'id', 400.001, 700, 'anybody'), false)
  t.equal(isReplayed('a', 'id', 401, 700, 'anybody'), true)
})

test('memory is bounded: when it is full, the oldest id goes', async t => {
  const isReplayed = createIsReplayed(3)
  for (const id of ['1', '2', '3', '4']) t.equal(isReplayed('a', id, 0, 300, 'anybody'), false)
  for (const id of ['2', '3', '4']) t.equal(isReplayed('a', id, 0, 300, 'anybody'), true, id)
  t.equal(isReplayed('a', '1', 0, 300, 'anybody'), false)
})

test('strangers push out only each other: what an owner has used stays used, wherever it was seen', async t => {
  const isReplayed = createIsReplayed(2)
  t.equal(isReplayed('a', 'refresh', 0, 300, 'owner'), false)
  t.equal(isReplayed('a', 'sign-in', 0, 300, 'anybody'), false)
  t.equal(isReplayed('a', 'sign-in', 0, 300, 'owner'), true)
  for (const id of ['1', '2', '3']) t.equal(isReplayed('b', id, 0, 300, 'anybody'), false)
  t.equal(isReplayed('a', 'refresh', 0, 300, 'owner'), true)
  t.equal(isReplayed('a', 'refresh', 0, 300, 'anybody'), true)
  t.equal(isReplayed('a', 'sign-in', 0, 300, 'anybody'), false)
})
