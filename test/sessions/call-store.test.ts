import { test } from 'tap'
import { createRefusals } from '../../lib/errors.ts'
import { memoryStore } from '../../lib/index.ts'
import { createCallStore } from '../../lib/sessions/call-store.ts'
import { FAILURES } from '../support/session-app.ts'

const store = memoryStore()
const createRefusal = createRefusals(undefined)

/** The timers that keep this process alive. */
const timers = () => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length

test('an answer in time is the answer, and no timer is left', async t => {
  const callStore = createCallStore(store, 60_000, createRefusal)
  const before = timers()
  t.equal(await callStore(async given => given), store)
  t.equal(timers(), before)
})

test('a store that fails in whatever way is unavailable', async t => {
  const callStore = createCallStore(store, 1, createRefusal)
  const messages = new Map([
    ['it rejects', 'READONLY'], ['it rejects with no error', 'the session store failed'], ['it throws', 'not connected'],
    ['it never answers', 'the session store did not answer within 1 ms']
  ])
  for (const [name, fail] of Object.entries(FAILURES)) {
    const error = await callStore(fail as () => Promise<never>).catch(error => error)
    t.match(error, { code: 'FST_DUAL_TOKEN_STORE_UNAVAILABLE', statusCode: 503, cause: { message: messages.get(name) } }, name)
    t.match(error.headers, { 'retry-after': '1', 'cache-control': 'no-store' })
  }
  t.equal(messages.size, Object.keys(FAILURES).length)
})

test('of what the store threw only the message is kept', async t => {
  const callStore = createCallStore(store, 1, createRefusal)
  const thrown = Object.assign(new Error('READONLY', { cause: 'sid' }), { command: { name: 'evalsha', args: ['sid'] } })
  const { cause } = await callStore(async () => { throw thrown }).catch(error => error)
  t.strictSame([Object.keys(cause), cause.message, cause.cause], [[], 'READONLY', undefined])
})

test('an answer, or a failure, that comes too late disturbs nobody', async t => {
  const callStore = createCallStore(store, 1, createRefusal)
  const settles: Array<() => void> = []
  const late = [
    callStore(() => new Promise<void>(resolve => { settles.push(resolve) })),
    callStore(() => new Promise<void>((_resolve, reject) => { settles.push(() => reject(new Error('too late'))) }))
  ]
  for (const asked of late) await t.rejects(asked, { code: 'FST_DUAL_TOKEN_STORE_UNAVAILABLE' })
  for (const settle of settles) settle()
})

test('a thousand calls are unsettled at most, and a thousand more that end sessions; the others are not made', async t => {
  const callStore = createCallStore(store, 1, createRefusal)
  const settles: Array<() => void> = []
  const hang = () => new Promise<void>(resolve => { settles.push(resolve) })
  const refused = async (ends: boolean): Promise<string> => (await callStore(hang, ends).catch(error => error)).cause.message
  const NO_ANSWER = 'the session store did not answer within 1 ms'
  const TOO_MANY = 'too many calls of the session store are unsettled'

  t.strictSame(new Set(await Promise.all(Array.from({ length: 1000 }, () => refused(false)))), new Set([NO_ANSWER]))
  t.equal(await refused(false), TOO_MANY, 'what was given up is unsettled, too')
  t.equal(settles.length, 1000)
  t.strictSame(new Set(await Promise.all(Array.from({ length: 1000 }, () => refused(true)))), new Set([NO_ANSWER]))
  t.equal(await refused(true), TOO_MANY)
  t.equal(settles.length, 2000)

  for (const settle of settles) settle()
  await Promise.resolve()
  await Promise.resolve()
  t.equal(await callStore(async () => 'answer'), 'answer')
})
