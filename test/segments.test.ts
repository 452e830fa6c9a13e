import { test } from 'tap'
import { split } from '../lib/segments.ts'

test('a token of two segments is no token', async t => {
  t.equal(split('a.b'), null)
})
