import { setImmediate as nextTurn } from 'node:timers/promises'
import Fastify from 'fastify'
import { test, type Test } from 'tap'
import { dualToken, memoryStore, type SessionStore } from '../../lib/index.ts'
import { readSessions } from '../../lib/options/sessions.ts'
import { createFeed } from '../../lib/sessions/feed.ts'
import { SLICE } from '../../lib/sessions/sliced.ts'
import type { RevocationPage } from '../../lib/sessions/store.ts'
import { bearer, createApp } from '../support/app.ts'
import { createLog, createSessionApp, createToldStore, outcomeOf, PATH } from '../support/session-app.ts'
import { accessToken, claimsIn, NOW, SECRET } from '../support/tokens.ts'

const REVOCATION_TTL = 7_260_000

/** The clocks and the timers of this process, for as long as a test takes: time goes by when it says so. */
function stopTime (t: Test) {
  const moments = { wall: NOW * 1000, monotonic: 1000, plugin: NOW * 1000 }
  const timers = new Map<object, { run: () => void, delay: number, ref: boolean }>()
  const { setTimeout, clearTimeout } = globalThis
  const { now } = Date
  globalThis.setTimeout = ((run: () => void, delay: number) => {
    const timer = {
      unref () {
        timers.get(timer)!.ref = false
        return timer
      }
    }
    timers.set(timer, { run, delay, ref: true })
    return timer
  }) as unknown as typeof setTimeout
  globalThis.clearTimeout = (timer => { timers.delete(timer as object) }) as typeof clearTimeout
  Date.now = () => moments.wall
  performance.now = () => moments.monotonic
  t.teardown(() => {
    Object.assign(globalThis, { setTimeout, clearTimeout })
    Date.now = now
    Reflect.deleteProperty(performance, 'now')
  })
  return {
    moments,
    timers,
    advance (milliseconds: number) {
      for (const name of ['wall', 'monotonic', 'plugin'] as const) moments[name] += milliseconds
    },
    /** Lets the one timer that waits fire, and what follows come to its end. */
    async fire () {
      const [[timer, { run }]] = timers as unknown as [[object, { run: () => void }]]
      timers.delete(timer)
      run()
      await nextTurn()
    }
  }
}

type Answer = Partial<RevocationPage> | Error | Promise<Partial<RevocationPage> | Error>

/** A feed of a store that gives these answers, one after the other; then it has nothing new. */
function createTestFeed (now: () => number, answers: Answer[], more: Partial<SessionStore> = {}, options: object = {}) {
  const cursors: Array<string | null> = []
  const { subscribe, inProcess, ...bare } = memoryStore()
  const store: SessionStore = {
    ...bare,
    async revokedSince (cursor) {
      cursors.push(cursor)
      const answer = await answers.shift()
      if (answer instanceof Error) throw answer
      return { epoch: 'first', age: 0, sessionIds: [], cursor: `${cursors.length}`, more: false, ...answer }
    },
    ...more
  }
  const { log, lines } = createLog()
  const settings = readSessions({ store, ...options }, 7200, 1_209_600)
  return { feed: createFeed(settings, now, async call => await call(store), log), cursors, lines }
}

test('loading reads every page, from the beginning', async t => {
  const { feed, cursors } = createTestFeed(() => NOW * 1000, [
    { sessionIds: ['a', 'b'], more: true, cursor: 'x' }, { sessionIds: ['c'], more: true, cursor: 'y' }, { sessionIds: [], cursor: 'z' }
  ])
  t.equal(feed.isRevoked('a'), false)
  await feed.load(10_000)
  for (const id of ['a', 'b', 'c']) t.equal(feed.isRevoked(id), true)
  t.equal(feed.isRevoked('d'), false)
  t.strictSame(cursors, [null, 'x', 'y'])
})

test('when boot reads the feed for long, the log names the option to raise', async t => {
  const time = stopTime(t)
  let answer!: (page: Partial<RevocationPage>) => void
  const { feed, lines } = createTestFeed(() => time.moments.plugin, [
    { sessionIds: ['a', 'b'], more: true, cursor: 'x' }, new Promise<Partial<RevocationPage>>(resolve => { answer = resolve })
  ])
  const loaded = feed.load(10_000)
  await nextTurn()
  await time.fire()
  t.match(lines, [{
    level: 40, msg: 'Reading the feed takes long, measured by the option pluginTimeout of Fastify, 10000 ms: 2 revoked sessions were read so far. Raise it'
  }])
  answer({})
  await loaded
  t.equal(time.timers.size, 0)

  const { feed: short } = createTestFeed(() => time.moments.plugin, [])
  await short.load(10_000)
  t.equal(time.timers.size, 0, 'a quick one leaves no timer')
})

test('a feed that is longer than can be read within pluginTimeout fails the boot with one sentence; without a limit it is read', async t => {
  const real = performance.now.bind(performance)
  let skipped = 0
  performance.now = () => real() + skipped
  t.teardown(() => Reflect.deleteProperty(performance, 'now'))
  const boot = async (pluginTimeout: number) => {
    const told = createToldStore(memoryStore(), false)
    let page = 0
    told.instead.set('revokedSince', async () => {
      skipped += 20_000
      page++
      return { epoch: 'e', age: 0, sessionIds: [`id-${page}`], cursor: String(page), more: page < 10 }
    })
    const app = Fastify({ pluginTimeout })
    t.teardown(() => app.close())
    await app.register(dualToken, { secret: SECRET, sessions: { store: told.store } })
    await app.ready()
  }
  await t.rejects(boot(60_000), {
    code: 'FST_DUAL_TOKEN_OPTION_INVALID',
    message: 'The feed is longer than can be read within the option pluginTimeout of Fastify, 60000 ms: 3 revoked sessions were read so far. Raise it.'
  })
  await t.resolves(boot(300_000))
  await t.resolves(boot(0))
})

test('a long read does not block the event loop, even if the store answers at once', async t => {
  const pages = Array.from({ length: 10 }, (_, page) => Array.from({ length: SLICE / 2 }, (_, i) => `id-${page}-${i}`))
  const { feed } = createTestFeed(() => NOW * 1000, pages.map((sessionIds, i) => ({ sessionIds, cursor: String(i), more: i < 9 })), { inProcess: true })
  const seen = new Set<number>()
  const look = (): void => { seen.add(pages.filter(([first]) => feed.isRevoked(first!)).length) }
  const loaded = feed.load(10_000)
  for (let turn = 0; turn < 10; turn++) {
    look()
    await nextTurn()
  }
  await loaded
  look()
  t.strictSame([...seen], [0, 2, 4, 6, 8, 10])
})

test('the feed reports the moment since which it remembers', async t => {
  const { feed } = createTestFeed(() => NOW * 1000, [{ age: 5500 }])
  t.equal(feed.remembersSince(), Infinity, 'before it is loaded it remembers nothing')
  await feed.load(10_000)
  t.equal(feed.remembersSince(), NOW - 6)
})

test('boot retries a store that cannot be read yet', async t => {
  const { feed, cursors } = createTestFeed(() => NOW * 1000, [new Error('not yet'), { sessionIds: ['a'] }])
  await feed.load(10_000)
  t.equal(feed.isRevoked('a'), true)
  t.equal(cursors.length, 2)
})

test('a store that cannot be read for five seconds fails the boot with one sentence', async t => {
  const real = performance.now.bind(performance)
  let skipped = 0
  performance.now = () => real() + skipped
  t.teardown(() => Reflect.deleteProperty(performance, 'now'))
  const told = createToldStore()
  told.instead.set('revokedSince', async () => {
    skipped += 2000
    throw new Error('ECONNREFUSED')
  })
  await t.rejects(createSessionApp(t, { told }), {
    code: 'FST_DUAL_TOKEN_OPTION_INVALID',
    message: 'Option sessions.store must be a store that can be read at boot.',
    cause: { code: 'FST_DUAL_TOKEN_STORE_UNAVAILABLE', cause: { message: 'ECONNREFUSED' } }
  })
  t.equal(told.calls.length, 3)
})

test('the server is ready once the feed is loaded', async t => {
  const told = createToldStore()
  const { promise, resolve } = withResolvers<void>()
  told.instead.set('revokedSince', async (...values) => {
    await promise
    return await Reflect.apply(told.inner.revokedSince, told.inner, values)
  })
  let ready = false
  const creating = createSessionApp(t, { told, sessions: { storeTimeout: 60 } }).then(() => { ready = true })
  while (told.calls.length === 0) await nextTurn()
  t.equal(ready, false)
  resolve()
  await creating
})

test('the feed is read again every pollInterval, from its cursor, one read at a time', async t => {
  const time = stopTime(t)
  const { promise, resolve } = withResolvers<Partial<RevocationPage>>()
  const { feed, cursors } = createTestFeed(() => time.moments.plugin, [{ cursor: 'x' }, { cursor: 'y', sessionIds: ['a'] }, promise], {}, { pollInterval: 3 })
  await feed.load(10_000)
  feed.start()
  t.strictSame([...time.timers.values()].map(({ delay, ref }) => [delay, ref]), [[3000, false]], 'and its timer keeps no process alive')

  await time.fire()
  t.equal(feed.isRevoked('a'), true)
  await time.fire()
  t.strictSame(cursors, [null, 'x', 'y'])
  t.equal(time.timers.size, 0, 'while one read is under way, no other is planned')
  time.advance(400_000)
  t.equal(feed.isStale(), true)
  await nextTurn()
  t.equal(cursors.length, 3, 'nor is one begun by a request')
  resolve({ sessionIds: ['b'] })
  await nextTurn()
  t.equal(feed.isRevoked('b'), true)
  t.strictSame([...time.timers.values()].map(({ delay, ref }) => [delay, ref]), [[3000, false]])
})

test('once stopped, the feed neither reads nor listens', async t => {
  const time = stopTime(t)
  let listening = 0
  const subscribe = () => {
    listening++
    return () => { listening-- }
  }
  const { promise, resolve } = withResolvers<Partial<RevocationPage>>()
  const { feed } = createTestFeed(() => time.moments.plugin, [{}, promise], { subscribe })
  await feed.load(10_000)
  t.equal(listening, 0)
  feed.start()
  t.equal(listening, 1)
  await time.fire()
  feed.stop()
  t.equal(listening, 0)
  resolve({})
  await nextTurn()
  t.equal(time.timers.size, 0, 'a read that ends afterwards plans no other')

  const other = createTestFeed(() => time.moments.plugin, []).feed
  await other.load(10_000)
  other.start()
  other.stop()
  t.equal(time.timers.size, 0)
})

test('a read that fails after the feed has stopped logs nothing', async t => {
  const time = stopTime(t)
  const { promise, resolve } = withResolvers<Error>()
  const { feed, cursors, lines } = createTestFeed(() => time.moments.plugin, [{}, promise])
  await feed.load(10_000)
  feed.start()
  await time.fire()
  feed.stop()
  resolve(new Error('Connection is closed.'))
  await nextTurn()
  t.equal(cursors.length, 2)
  t.strictSame(lines, [])
})

test('a pushed revocation takes effect at once', async t => {
  let push: (ids: readonly string[]) => void = () => {}
  const { feed } = createTestFeed(() => NOW * 1000, [], {
    subscribe: listener => {
      push = listener
      return () => {}
    }
  })
  await feed.load(10_000)
  feed.start()
  push(['a', 'b'])
  t.strictSame(['a', 'b', 'c'].map(feed.isRevoked), [true, true, false])
  feed.stop()
})

test('a session is forgotten after one access lifetime and a minute', async t => {
  const time = stopTime(t)
  const { feed } = createTestFeed(() => time.moments.plugin, [{ sessionIds: ['a'] }])
  await feed.load(10_000)
  feed.start()
  feed.add(['b'])
  time.advance(1000)
  feed.add(['c'])
  time.advance(REVOCATION_TTL - 1001)
  await time.fire()
  t.strictSame(['a', 'b', 'c'].map(feed.isRevoked), [true, true, true])
  time.advance(1)
  await time.fire()
  t.strictSame(['a', 'b', 'c'].map(feed.isRevoked), [false, false, true])
  feed.stop()
})

test('many sessions are forgotten in slices that do not block the event loop', async t => {
  const time = stopTime(t)
  const ids = Array.from({ length: 35_000 }, (_, i) => `id-${i}`)
  const { feed } = createTestFeed(() => time.moments.plugin, [{ sessionIds: ids }])
  await feed.load(10_000)
  feed.start()
  time.advance(REVOCATION_TTL)
  const remembered = () => ids.filter(feed.isRevoked).length
  await time.fire()
  const counts: number[] = []
  while (remembered() > 0) {
    counts.push(remembered())
    await nextTurn()
  }
  t.ok(counts.length >= 2, 'not all at once')
  for (const [i, count] of counts.slice(1).entries()) t.ok(counts[i]! - count <= 2 * SLICE, `${counts}`)
  feed.stop()
})

test('a session revoked twice is forgotten a lifetime after the second time', async t => {
  const time = stopTime(t)
  const { feed } = createTestFeed(() => time.moments.plugin, [])
  await feed.load(10_000)
  feed.start()
  feed.add(['a'])
  feed.add(['b'])
  time.advance(REVOCATION_TTL / 2)
  feed.add(['a'])
  time.advance(REVOCATION_TTL / 2)
  await time.fire()
  t.strictSame(['a', 'b'].map(feed.isRevoked), [true, false])
  time.advance(REVOCATION_TTL / 2)
  await time.fire()
  t.equal(feed.isRevoked('a'), false)
  feed.stop()
})

test('a store with a new epoch is read from the beginning, and remembers since then', async t => {
  const time = stopTime(t)
  const { feed, cursors } = createTestFeed(() => time.moments.plugin, [
    { sessionIds: ['a'], cursor: 'x', age: 60_000 },
    { epoch: 'second', age: 500, sessionIds: ['c'], cursor: 'y' },
    { epoch: 'second', age: 500, sessionIds: ['b'], cursor: 'z' },
    { epoch: 'second' }
  ])
  await feed.load(10_000)
  t.equal(feed.remembersSince(), NOW - 60)
  feed.start()
  time.advance(10_000)
  await time.fire()
  t.strictSame(cursors, [null, 'x', null])
  t.strictSame(['a', 'b', 'c'].map(feed.isRevoked), [true, true, true], 'what this process knew, it still knows')
  t.equal(feed.remembersSince(), NOW + 9)
  await time.fire()
  t.strictSame(cursors, [null, 'x', null, 'z'])
  t.equal(feed.remembersSince(), NOW + 9)
  feed.stop()
})

test('revocations that the store has lost are written again, and those that it still reports are not', async t => {
  const time = stopTime(t)
  const revoked: string[] = []
  const { feed, lines } = createTestFeed(() => time.moments.plugin, [
    { sessionIds: ['a', 'b', 'c'], cursor: 'x' },
    { epoch: 'second', sessionIds: ['b'], cursor: 'y' },
    { epoch: 'second', sessionIds: ['d'], cursor: 'z' },
    { epoch: 'second' }
  ], {
    async revoke ({ sessionId, mustExist, revocationTtl }) {
      t.strictSame([mustExist, revocationTtl], [false, REVOCATION_TTL])
      revoked.push(sessionId)
      return true
    }
  })
  await feed.load(10_000)
  t.strictSame(revoked, [], 'at boot a process remembers nothing')
  feed.start()
  feed.add(['e'])
  await time.fire()
  await nextTurn()
  t.strictSame(revoked.sort(), ['a', 'c', 'e'])
  t.match(lines, [{ msg: 'The session store had lost 3 ended sessions; it was told again' }])
  await time.fire()
  t.equal(revoked.length, 3, 'once is enough')
  feed.stop()
})

test('writing lost revocations again continues after a failure, four at a time, and restarts with a new epoch', async t => {
  const time = stopTime(t)
  const ids = Array.from({ length: 5000 }, (_, i) => `id-${i}`)
  const revoked = new Set<string>()
  let [running, most, fails] = [0, 0, false]
  const { feed, lines } = createTestFeed(() => time.moments.plugin, [
    { sessionIds: ids, cursor: 'x' }, { epoch: 'second', sessionIds: ids.slice(0, 3000), cursor: 'y' }, { epoch: 'second', cursor: 'z' }, { epoch: 'second' }
  ], {
    async revoke ({ sessionId }) {
      most = Math.max(most, ++running)
      await Promise.resolve()
      running--
      if (fails) throw new Error('down')
      revoked.add(sessionId)
      if (revoked.size === 100) fails = true
      return true
    }
  })
  await feed.load(10_000)
  feed.start()
  await time.fire()
  for (let turns = 0; turns < 20; turns++) await nextTurn()
  t.equal(revoked.size, 100)
  fails = false
  await time.fire()
  for (let turns = 0; turns < 20; turns++) await nextTurn()
  t.strictSame([...revoked].sort(), ids.slice(3000).sort(), 'each once, and none that the feed has told')
  t.equal(most, 4)
  t.match(lines, [{ msg: 'The session store had lost 2000 ended sessions; it was told again' }])
  feed.stop()
})

test('a stopped feed writes nothing again', async t => {
  const time = stopTime(t)
  let calls = 0
  const { feed } = createTestFeed(() => time.moments.plugin, [
    { sessionIds: Array.from({ length: 100 }, (_, i) => `id-${i}`) }, { epoch: 'second' }
  ], {
    async revoke () {
      if (++calls === 10) feed.stop()
      return true
    }
  })
  await feed.load(10_000)
  feed.start()
  await time.fire()
  for (let turns = 0; turns < 5; turns++) await nextTurn()
  t.ok(calls >= 10 && calls < 20, String(calls))
})

test('a store whose feed begins in the future does not make fresh tokens old', async t => {
  const { feed } = createTestFeed(() => NOW * 1000, [{ age: -3_600_000 }])
  await feed.load(10_000)
  t.equal(feed.remembersSince(), NOW)
})

test('when the plugin\'s clock has stepped back, what may have been forgotten meanwhile counts as forgotten', async t => {
  const time = stopTime(t)
  const { feed } = createTestFeed(() => time.moments.plugin, [{ sessionIds: ['a'], age: 60_000 }])
  await feed.load(10_000)
  feed.start()
  time.moments.plugin += 3 * REVOCATION_TTL
  await time.fire()
  t.equal(feed.isRevoked('a'), false)
  t.equal(feed.remembersSince(), NOW - 60)
  time.moments.plugin = (NOW + 5) * 1000
  t.equal(feed.remembersSince(), NOW + 5, 'at once, before the next read')
  await time.fire()
  t.equal(feed.remembersSince(), NOW + 5)
  time.moments.plugin -= 5000
  await time.fire()
  t.equal(feed.remembersSince(), NOW + 5, 'a step that is small enough changes nothing')
  feed.stop()
})

test('a store that begins a new epoch between two pages, or whose read fails half-way, is read from the beginning too', async t => {
  const time = stopTime(t)
  const { feed, cursors } = createTestFeed(() => time.moments.plugin, [
    { more: true, cursor: 'x' },
    { epoch: 'second', cursor: 'y' },
    new Error('gone again'),
    { epoch: 'second', sessionIds: ['a'], cursor: 'z' }
  ])
  await t.resolves(feed.load(10_000))
  t.strictSame(cursors, [null, 'x', null, null])
  t.equal(feed.isRevoked('a'), true)
})

test('the log says once that the feed cannot be read, and once that it can again', async t => {
  const time = stopTime(t)
  const down = () => Object.assign(new Error('down'), { command: { args: ['secret'] } })
  const { feed, lines } = createTestFeed(() => time.moments.plugin, [{}, down(), down(), down(), {}, {}, down(), {}])
  await feed.load(10_000)
  feed.start()
  for (let i = 0; i < 7; i++) await time.fire()
  const cannot = { level: 40, msg: 'Cannot read the feed of revoked sessions' }
  const again = { level: 30, msg: 'The feed of revoked sessions can be read again' }
  t.match(lines, [cannot, again, cannot, again])
  t.equal(lines.length, 4)
  feed.stop()
})

test('the feed is stale when it was unreadable for longer than maxStaleness, by either clock', async t => {
  const time = stopTime(t)
  const { moments } = time
  const { feed } = createTestFeed(() => moments.plugin, [{}, new Error('down'), {}])
  await feed.load(10_000)
  feed.start()
  t.equal(feed.isStale(), false)
  await time.fire()
  t.equal(feed.isStale(), false, 'a cut is not yet staleness')
  for (const clock of ['wall', 'monotonic', 'plugin'] as const) {
    moments[clock] += 300_000
    t.equal(feed.isStale(), false, clock)
    moments[clock] += 1
    t.equal(feed.isStale(), true, clock)
    moments[clock] -= 300_001
  }
  moments.wall -= 86_400_000
  t.equal(feed.isStale(), false, 'a wall clock that was set back does not matter')
  moments.monotonic += 300_001
  t.equal(feed.isStale(), true)
  await time.fire()
  t.equal(feed.isStale(), false, 'read again, it is fresh')
  feed.stop()
})

test('a plugin clock that returns nonsense makes an unreadable feed stale', async t => {
  const time = stopTime(t)
  const { feed } = createTestFeed(() => time.moments.plugin, [{}, new Error('down')])
  await feed.load(10_000)
  feed.start()
  await time.fire()
  time.moments.plugin = NaN
  t.equal(feed.isStale(), true)
  feed.stop()
})

test('after the process has slept, the feed is stale until a read, which a request starts', async t => {
  const time = stopTime(t)
  const { feed, cursors } = createTestFeed(() => time.moments.plugin, [])
  await feed.load(10_000)
  time.moments.wall += 300_001
  t.equal(feed.isStale(), true)
  t.equal(cursors.length, 2)
  await nextTurn()
  t.equal(feed.isStale(), false)
})

test('a store in this process is not cut off by sleep', async t => {
  const time = stopTime(t)
  const { feed } = createTestFeed(() => time.moments.plugin, [], { inProcess: true })
  await feed.load(10_000)
  time.advance(300_001)
  t.equal(feed.isStale(), false)
})

/** A server whose store is out of this process, and a way to let it sleep past maxStaleness. */
async function createStaleApp (t: Test, onStale: 'deny' | 'allow') {
  const made = await createSessionApp(t, { told: createToldStore(memoryStore(), false), sessions: { onStale, pollInterval: 0.001 } })
  const pair = await made.signIn()
  const real = Date.now
  t.teardown(() => { Date.now = real })
  made.instead.set('revokedSince', async () => { throw new Error('down') })
  Date.now = () => real() + 301_000
  return { ...made, ...pair, open: async () => (await made.app.inject({ url: '/open', headers: bearer(pair.token) })).json() }
}

test('when the feed is stale guards answer 503 and open routes see nobody, until it is back', async t => {
  const { app, token, refresh_token: refreshed, me, renew, open, instead } = await createStaleApp(t, 'deny')
  const guarded = await app.inject({ url: '/me', headers: bearer(token) })
  t.equal(guarded.statusCode, 503)
  t.match(guarded.headers, { 'retry-after': '1', 'cache-control': 'no-store' })
  t.equal(outcomeOf(guarded), 'STORE_UNAVAILABLE')
  t.equal(outcomeOf(await app.inject({ url: '/renewal', headers: bearer(refreshed) })), 'STORE_UNAVAILABLE')
  t.equal(outcomeOf(await renew(refreshed)), 'STORE_UNAVAILABLE')
  t.strictSame(await open(), { user: null })
  t.throws(() => app.dualToken.verifyToken(token), { code: 'FST_DUAL_TOKEN_STORE_UNAVAILABLE' })
  t.equal(await me('x'), 'ACCESS_INVALID', 'a bad token is a bad token')

  instead.clear()
  while (await me(token) !== '200') await nextTurn()
  t.match(await open(), { user: { user_id: 7 } })
  t.equal((await renew(refreshed)).statusCode, 201, 'the same token works')
})

test('with onStale: allow guards go on from what they know', async t => {
  const { app, token, me, open } = await createStaleApp(t, 'allow')
  t.equal(await me(token), '200')
  t.match(await open(), { user: { user_id: 7 } })
  await app.dualToken.revokeSession(String(claimsIn(token).sid))
  t.equal(await me(token), 'ACCESS_REVOKED')
})

test('access tokens issued before the feed began are refused, refresh tokens are not', async t => {
  const told = createToldStore(memoryStore(), false)
  const { clock, signIn, me, renew, app } = await createSessionApp(t, { told, sessions: { pollInterval: 0.001 } })
  const { token, refresh_token: refreshed } = await signIn()
  t.equal(await me(token), '200')
  clock.advance(60)
  told.instead.set('revokedSince', async () => ({ epoch: 'anew', age: 0, sessionIds: [], cursor: '', more: false }))
  while (await me(token) === '200') await nextTurn()
  const reply = await app.inject({ url: '/me', headers: bearer(token) })
  t.equal(outcomeOf(reply), 'ACCESS_EXPIRED', 'a refresh tells whether its session was ended')
  const next = (await renew(refreshed)).json()
  t.equal(await me(next.token), '200')
  t.equal(await me((await signIn()).token), '200')

  const { iat, ...timeless } = claimsIn(next.token)
  t.throws(() => app.dualToken.verifyToken(accessToken({ ...timeless, iat: undefined })), {
    code: 'FST_DUAL_TOKEN_ACCESS_EXPIRED', cause: { message: 'issued before the store remembers' }
  })
})

test('tokens issued before the server is ready are valid when it is', async t => {
  for (const store of [memoryStore(), createToldStore(memoryStore(), false).store]) {
    const { app, clock } = await createApp(t, { sessions: { store } })
    const { token } = await app.dualToken.issueTokens({ user_id: 7 })
    clock.advance(5)
    t.equal(outcomeOf(await app.inject({ url: '/me', headers: bearer(token) })), '200')
  }
})

test('a closed server leaves no timer, and closes its store', async t => {
  const timers = () => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length
  const before = timers()
  let closed = 0
  const { app } = await createSessionApp(t, { told: createToldStore({ ...memoryStore(), close: async () => { closed++ } }) })
  t.equal(timers(), before, 'nor does an open one keep the process alive')
  await app.close()
  t.equal(closed, 1)
  t.equal(timers(), before)
})

test('a store in memory says at boot that sessions end with the process, any other says nothing', async t => {
  for (const inProcess of [true, false]) {
    const { log, lines } = createLog()
    const app = Fastify({ loggerInstance: log })
    t.teardown(() => app.close())
    await app.register(dualToken, { secret: SECRET, sessions: { store: createToldStore(memoryStore(), inProcess).store } })
    await app.ready()
    t.match(lines, inProcess ? [{ level: 40, msg: 'Sessions are kept in memory: they end with this process' }] : [])
    t.equal(lines.length, inProcess ? 1 : 0)
  }
})

test('a session revoked through the routes is refused at once, whatever the feed does', async t => {
  const told = createToldStore(memoryStore(), false)
  const { app, signIn, me } = await createSessionApp(t, { told })
  told.instead.set('revokedSince', () => new Promise(() => {}))
  const { token } = await signIn()
  await app.inject({ method: 'DELETE', url: PATH, headers: bearer(token) })
  t.equal(await me(token), 'ACCESS_REVOKED')
})

function withResolvers<T> () {
  let resolve: (value: T) => void = () => {}
  const promise = new Promise<T>(_resolve => { resolve = _resolve })
  return { promise, resolve }
}
