import { setImmediate as nextTurn } from 'node:timers/promises'
import { test } from 'tap'
import { createBackground } from '../../lib/sessions/background.ts'

/** A queue whose tasks begin when it lets them, and end when we do. */
function createQueue () {
  const background = createBackground()
  const running = new Map<string, { resolve: () => void, reject: (error: Error) => void }>()
  const began: string[] = []
  const add = (key: string) => background(key, () => new Promise<void>((resolve, reject) => {
    began.push(key)
    running.set(key, { resolve, reject })
  }))
  return {
    add,
    began,
    async end (key: string) {
      running.get(key)!.resolve()
      await nextTurn()
    },
    async fail (key: string) {
      running.get(key)!.reject(new Error('store down'))
      await nextTurn()
    }
  }
}

const keys = (count: number) => Array.from({ length: count }, (_, i) => `key ${i}`)

test('sixteen tasks run at a time, the others wait for their turn, in order', async t => {
  const { add, began, end, fail } = createQueue()
  for (const key of keys(20)) add(key)
  t.strictSame(began, keys(16))
  await end('key 3')
  t.strictSame(began, keys(17))
  await fail('key 0')
  t.strictSame(began, keys(18), 'a task that fails makes room, too')
  for (const key of keys(18)) await end(key)
  t.strictSame(began, keys(20))
})

test('a task whose key runs or waits is not added', async t => {
  const { add, began, end } = createQueue()
  for (const key of keys(17)) add(key)
  for (const key of keys(17)) add(key)
  for (const key of keys(17)) await end(key)
  t.strictSame(began, keys(17))
  add('key 0')
  t.equal(began.length, 18, 'once it is over, it can be asked for again')
})

test('a failed task is forgotten, and can be added again', async t => {
  const { add, began, fail } = createQueue()
  add('a')
  await fail('a')
  add('a')
  t.strictSame(began, ['a', 'a'])
})

test('at most ten thousand tasks wait', async t => {
  const { add, began, end } = createQueue()
  for (const key of keys(16 + 10_000)) add(key)
  add('one too many')
  await end('key 0')
  add('room again')
  for (let i = 1; i < began.length; i++) await end(began[i]!)
  t.equal(began.length, 16 + 10_000 + 1)
  t.notOk(began.includes('one too many'))
  t.equal(began.at(-1), 'room again')
})
