import { setImmediate as nextTurn } from 'node:timers/promises'
import { test } from 'tap'
import { createRefusals } from '../../lib/errors.ts'
import { memoryStore } from '../../lib/index.ts'
import { createCallStore, type CallStore } from '../../lib/sessions/call-store.ts'
import { bearer } from '../support/app.ts'
import { backgroundDone, createSessionApp, createToldStore, FAILURES, outcomeOf, PATH } from '../support/session-app.ts'

const store = memoryStore()
const createRefusal = createRefusals(undefined)

/** The timers that keep this process alive. */
const timers = () => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length

test('an answer in time is returned, and no timer is left', async t => {
  const callStore = createCallStore(store, 60_000, createRefusal)
  const before = timers()
  t.equal(await callStore(async given => given), store)
  t.equal(timers(), before)
})

test('any failure of the store is STORE_UNAVAILABLE', async t => {
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

test('only the message of a store error is kept', async t => {
  const callStore = createCallStore(store, 1, createRefusal)
  const thrown = Object.assign(new Error('READONLY', { cause: 'sid' }), { command: { name: 'evalsha', args: ['sid'] } })
  const { cause } = await callStore(async () => { throw thrown }).catch(error => error)
  t.strictSame([Object.keys(cause), cause.message, cause.cause], [[], 'READONLY', undefined])
})

test('an answer or a failure that comes too late has no effect', async t => {
  const callStore = createCallStore(store, 1, createRefusal)
  const settles: Array<() => void> = []
  const late = [
    callStore(() => new Promise<void>(resolve => { settles.push(resolve) })),
    callStore(() => new Promise<void>((_resolve, reject) => { settles.push(() => reject(new Error('too late'))) }))
  ]
  for (const asked of late) await t.rejects(asked, { code: 'FST_DUAL_TOKEN_STORE_UNAVAILABLE' })
  for (const settle of settles) settle()
})

test('at most a thousand calls are unsettled, a thousand more that end sessions, and ten reads; further calls are not made', async t => {
  const callStore = createCallStore(store, 1, createRefusal)
  const settles: Array<() => void> = []
  const hang = () => new Promise<void>(resolve => { settles.push(resolve) })
  const refused = async (kind: Parameters<CallStore>[1]): Promise<string> => (await callStore(hang, kind).catch(error => error)).cause.message
  const many = async (count: number, kind: Parameters<CallStore>[1]) => new Set(await Promise.all(Array.from({ length: count }, () => refused(kind))))
  const NO_ANSWER = 'the session store did not answer within 1 ms'
  const TOO_MANY = 'too many calls of the session store are unsettled'

  t.strictSame(await many(1000, undefined), new Set([NO_ANSWER]))
  t.equal(await refused('ordinary'), TOO_MANY, 'what was given up is unsettled, too')
  t.equal(settles.length, 1000)
  t.strictSame(await many(1000, 'ending'), new Set([NO_ANSWER]))
  t.equal(await refused('ending'), TOO_MANY)
  t.equal(settles.length, 2000)
  t.strictSame(await many(10, 'reading'), new Set([NO_ANSWER]), 'the feed is read whatever else is unsettled')
  t.equal(await refused('reading'), TOO_MANY)
  t.equal(settles.length, 2010)

  for (const settle of settles) settle()
  await Promise.resolve()
  await Promise.resolve()
  for (const kind of ['ordinary', 'ending', 'reading'] as const) t.equal(await callStore(async () => 'answer', kind), 'answer')
})

test('while a store hangs, sign-out and reads of the feed take precedence over sign-ins and repeated revocations', async t => {
  const told = createToldStore(memoryStore(), false)
  const { app, signIn, renew, me, instead, calls } = await createSessionApp(t, { told, sessions: { pollInterval: 0.001 } })
  const [leaving, ended] = [await signIn(), await signIn()]
  const signOut = async (token: string) => outcomeOf(await app.inject({ method: 'DELETE', url: PATH, headers: bearer(token) }))
  const asked = (method: string): number => calls.filter(([name]) => name === method).length
  await signOut(ended.token)
  const hang = () => new Promise(() => {})
  instead.set('create', hang)
  const replies = await Promise.all(Array.from({ length: 1200 }, () => app.inject({ method: 'POST', url: PATH, payload: { password: 'good' } })))
  t.strictSame(new Set(replies.map(outcomeOf)), new Set(['STORE_UNAVAILABLE']))
  t.equal(asked('create'), 1002)

  const polls = asked('revokedSince')
  while (asked('revokedSince') < polls + 3) await nextTurn()
  t.equal(await me(leaving.token), '200')
  calls.length = 0
  t.equal(outcomeOf(await renew(ended.refresh_token)), 'REFRESH_REVOKED')
  await backgroundDone()
  t.equal(asked('revoke'), 0, 'it was told before, and is told again when there is room')
  t.equal(await signOut(leaving.token), '204')
  t.equal(await me(leaving.token), 'ACCESS_REVOKED')
})
