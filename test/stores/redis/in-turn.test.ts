import { test } from 'tap'
import { createInTurn } from '../../../lib/stores/redis/in-turn.ts'

test('steps of one key go one behind the other, whether they fail or not; those of another key do not wait', async t => {
  const inTurn = createInTurn()
  const told: string[] = []
  let free = (): void => {}
  const first = inTurn('a', async () => {
    told.push('first')
    await new Promise<void>(resolve => { free = resolve })
    throw new Error('first fails')
  })
  const second = inTurn('a', async () => {
    told.push('second')
    return 2
  })
  t.equal(await inTurn('b', async () => 'b'), 'b')
  t.strictSame(told, ['first'])
  free()
  await t.rejects(first, { message: 'first fails' })
  t.equal(await second, 2)
  t.equal(await inTurn('a', async () => 3), 3)
  t.strictSame(told, ['first', 'second'])
})
