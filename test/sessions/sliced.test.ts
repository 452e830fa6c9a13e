import { setImmediate as nextTurn } from 'node:timers/promises'
import { test } from 'tap'
import { createSliced, SLICE } from '../../lib/sessions/sliced.ts'

test('short work runs at once, long work in slices, and only one run at a time', async t => {
  for (const [size, turns] of [[1, 0], [SLICE - 1, 0], [SLICE + 1, 1], [3.5 * SLICE, 3]] as const) {
    let [done, begun] = [0, 0]
    const run = createSliced(function * () {
      begun++
      for (let i = 0; i < size; i++) yield done++
    })
    const ended = run()
    if (turns > 0) run()
    t.equal(done, Math.min(size, SLICE), `${size} steps`)
    for (let turn = 1; turn <= turns; turn++) {
      await nextTurn()
      t.equal(done, Math.min(size, (turn + 1) * SLICE))
    }
    await ended
    t.equal(begun, 1)
    run()
    t.equal(begun, 2, 'once it has ended it can be done again')
  }
})
