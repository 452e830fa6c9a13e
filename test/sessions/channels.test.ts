// What can be seen on the diagnostics channels of the store and of the feed.
import diagnostics from 'node:diagnostics_channel'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { test, type Test } from 'tap'
import { createRefusals } from '../../lib/errors.ts'
import { memoryStore, type FeedEvent, type SessionStore, type StoreCallEvent } from '../../lib/index.ts'
import { createCallStore } from '../../lib/sessions/call-store.ts'
import { bearer } from '../support/app.ts'
import { createSessionApp, createToldStore, PATH } from '../support/session-app.ts'

/** What a channel says until the test ends, or until `stop` is called. */
function listenTo<Event> (t: Test, name: 'store' | 'feed'): { heard: Event[], stop: () => void } {
  const heard: Event[] = []
  const listener = (message: unknown): void => {
    t.ok(Object.isFrozen(message))
    heard.push(message as Event)
  }
  diagnostics.subscribe(`fastify-dual-token:${name}`, listener)
  const stop = (): void => { diagnostics.unsubscribe(`fastify-dual-token:${name}`, listener) }
  t.teardown(stop)
  return { heard, stop }
}

const seen = (heard: StoreCallEvent[]): string[] => heard.splice(0).filter(({ method }) => method !== 'revokedSince').map(({ method, outcome }) => `${method} ${outcome}`)

test('each call of the store is an event: its method, its outcome and how long it took', async t => {
  const { heard } = listenTo<StoreCallEvent>(t, 'store')
  const { app, signIn, renew } = await createSessionApp(t)
  t.match(heard.splice(0), [{ method: 'revokedSince', outcome: 'ok' }], 'the read at boot')
  const pair = await signIn()
  await renew(pair.refresh_token)
  await app.inject({ url: `${PATH}/sessions`, headers: bearer(pair.token) })
  await app.inject({ method: 'DELETE', url: PATH, headers: bearer(pair.token) })
  await app.dualToken.revokeUser(7)
  for (const { milliseconds } of heard) t.ok(milliseconds >= 0 && milliseconds < 10_000)
  t.strictSame(heard.map(event => Object.keys(event).sort().join()), heard.map(() => 'method,milliseconds,outcome'))
  t.strictSame(seen(heard), ['create ok', 'rotate ok', 'list ok', 'revoke ok', 'revokeUser ok'])
})

test('failures, time limits and calls that are not made are told apart', async t => {
  const { heard } = listenTo<StoreCallEvent>(t, 'store')
  const { signIn, renew, instead } = await createSessionApp(t)
  const { refresh_token: token } = await signIn()
  seen(heard)
  instead.set('rotate', async () => { throw new Error('down') })
  await renew(token)
  instead.set('rotate', () => { throw new Error('not connected') })
  await renew(token)
  instead.set('rotate', () => new Promise(() => {}))
  await renew(token)
  t.strictSame(seen(heard), ['rotate failed', 'rotate failed', 'rotate timeout'])

  await Promise.all(Array.from({ length: 1000 }, () => renew(token)))
  t.strictSame(new Set(seen(heard)), new Set(['rotate timeout', 'rotate refused']))
  await renew(token)
  t.strictSame(seen(heard), ['rotate refused'])
})

test('a store that is frozen, or that has private members, is called as before', async t => {
  class PrivateStore {
    readonly #own = memoryStore()
    readonly size = 1
    async list (...values: Parameters<SessionStore['list']>) { return await this.#own.list(...values) }
  }
  const request = { userId: 7, now: 0, revocationTtl: 1 }
  for (const store of [Object.freeze(memoryStore()), new PrivateStore() as unknown as SessionStore]) {
    const { heard, stop } = listenTo<StoreCallEvent>(t, 'store')
    const callStore = createCallStore(store, 60_000, createRefusals(undefined))
    t.strictSame(await callStore(store => store.list(request)), [])
    t.match(heard, [{ method: 'list', outcome: 'ok' }])
    t.equal(await callStore(async given => (given as { size?: number }).size), (store as { size?: number }).size, 'other members are there')
    stop()
    t.strictSame(await callStore(store => store.list(request)), [])
    t.equal(heard.length, 2)
  }
})

test('when nobody listens, the store itself is called', async t => {
  const store = memoryStore()
  const callStore = createCallStore(store, 60_000, createRefusals(undefined))
  t.equal(await callStore(async given => given), store)
  const { stop } = listenTo<StoreCallEvent>(t, 'store')
  t.not(await callStore(async given => given), store)
  stop()
  t.equal(await callStore(async given => given), store)
})

test('each read of the feed is an event: its outcome, the age and size of what is known, and the reads that failed', async t => {
  const { heard, stop } = listenTo<FeedEvent>(t, 'feed')
  const told = createToldStore(memoryStore(), false)
  let isDown = true
  told.instead.set('revokedSince', async (...values) => {
    if (isDown) throw new Error('down')
    return await told.inner.revokedSince(...values)
  })
  setTimeout(() => { isDown = false }, 1)
  const { signIn, app } = await createSessionApp(t, { told, sessions: { pollInterval: 0.001, storeTimeout: 10 } })
  const until = async (matches: (event: FeedEvent) => boolean): Promise<FeedEvent> => {
    for (;;) {
      const found = heard.find(matches)
      if (found !== undefined) return found
      await nextTurn()
    }
  }
  t.match(heard[0], { outcome: 'failed', age: null, size: 0, failedReads: 1 }, 'at boot nothing is known yet')
  const first = await until(({ outcome }) => outcome === 'read')
  t.ok(first.age! >= 0)
  const { token } = await signIn()
  await app.inject({ method: 'DELETE', url: PATH, headers: bearer(token) })
  await until(({ size }) => size === 1)

  isDown = true
  heard.length = 0
  const [before, after] = [await until(({ outcome }) => outcome === 'failed'), await until(({ failedReads }) => failedReads > 5)]
  t.ok(after.age! > before.age!, 'the age grows while reads fail')
  t.equal(after.size, 1)
  t.strictSame(Object.keys(after).sort(), ['age', 'failedReads', 'outcome', 'size'])
  stop()
  const { length } = heard
  const polls = told.calls.length
  while (told.calls.length < polls + 2) await nextTurn()
  t.equal(heard.length, length)
})
