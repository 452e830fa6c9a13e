import { test } from 'tap'
import { createFault } from '../../lib/errors.ts'
import { openStore } from '../../lib/sessions/load.ts'
import { memoryStore } from '../../lib/index.ts'
import { createSessionApp, createToldStore } from '../support/session-app.ts'

test('a store that cannot be opened yet is tried again', async t => {
  let calls = 0
  await openStore(async () => { if (++calls < 3) throw new Error('ECONNREFUSED') })
  t.equal(calls, 3)
})

test('a store that cannot be opened for five seconds fails the boot, with its reason as the cause', async t => {
  const real = performance.now.bind(performance)
  let skipped = 0
  performance.now = () => real() + skipped
  t.teardown(() => Reflect.deleteProperty(performance, 'now'))
  const open = async () => {
    skipped += 2000
    throw new Error('ECONNREFUSED')
  }
  await t.rejects(openStore(open), {
    code: 'FST_DUAL_TOKEN_OPTION_INVALID',
    message: 'Option sessions.store must be a store that can be read at boot.',
    cause: { message: 'ECONNREFUSED' }
  })
})

test('a store that says itself which option is wrong is not tried again', async t => {
  let calls = 0
  const open = async () => {
    calls++
    throw createFault('OPTION_INVALID', 'The tables are missing.')
  }
  await t.rejects(openStore(open), { message: 'The tables are missing.' })
  t.equal(calls, 1)
})

test('a store is opened once, before its feed is read', async t => {
  const told = createToldStore()
  const calls: string[] = []
  told.instead.set('revokedSince', async (...args: Parameters<ReturnType<typeof memoryStore>['revokedSince']>) => {
    calls.push('revokedSince')
    return await memoryStore().revokedSince(...args)
  })
  Object.assign(told.store, { open: async () => { calls.push('open') } })
  await createSessionApp(t, { told })
  t.strictSame(calls, ['open', 'revokedSince'])
})
