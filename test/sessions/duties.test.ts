import { test } from 'tap'
import { memoryStore, type SessionStore, type StoreDuty } from '../../lib/index.ts'
import { hasDuty, mustHaveDuty } from '../../lib/sessions/duties.ts'

const { duties, ...dutiless } = memoryStore()
const none: SessionStore = dutiless
const DUTIES: StoreDuty[] = ['limit', 'label', 'lifetime', 'except', 'possession']

test('the memory store fulfils every duty', async t => {
  t.strictSame([...duties!].sort(), [...DUTIES].sort())
})

test('a store has the duties that it names, and no other', async t => {
  for (const duty of DUTIES) {
    t.equal(hasDuty({ ...none, duties: [duty] }, duty), true)
    t.doesNotThrow(() => mustHaveDuty({ ...none, duties: [duty] }, duty, 'x'))
    for (const store of [none, { ...none, duties: [] }, { ...none, duties: DUTIES.filter(one => one !== duty) }]) {
      t.equal(hasDuty(store, duty), false)
      t.throws(() => mustHaveDuty(store, duty, 'x'), {
        code: 'FST_DUAL_TOKEN_OPTION_INVALID', message: `Option x needs a session store with the duty '${duty}', which this one does not name.`
      })
    }
  }
})
