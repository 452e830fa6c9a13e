import diagnostics from 'node:diagnostics_channel'
import { setImmediate as nextTurn } from 'node:timers/promises'
import Fastify from 'fastify'
import { test, type Test } from 'tap'
import { dualToken, memoryStore, remoteKeys, type DualTokenKey, type KeySetEvent, type RemoteKeysOptions } from '../../lib/index.ts'
import { createFollower } from '../../lib/keys/follow.ts'
import { keySetSettingsOf } from '../../lib/options/remote-keys.ts'
import { bearer, createApp, type AppOptions } from '../support/app.ts'
import { mintWith, ringKey } from '../support/key-pairs.ts'
import { answerWith, createPublisher, publicJwk, until, type Publisher } from '../support/publisher.ts'
import { createLog, createToldStore, outcomeOf } from '../support/session-app.ts'
import { accessClaims, NOW, refreshClaims } from '../support/tokens.ts'
import { listen } from '../support/wire.ts'

const [k1, k2] = [publicJwk('EdDSA', 'k1'), publicJwk('EdDSA', 'k2', 1)]
const first = mintWith('EdDSA', 'k1', accessClaims())
const second = mintWith('EdDSA', 'k2', accessClaims(), 1)

/** A server that follows the publisher, with its log. By itself it would not read again while a test runs. */
async function createFollowing (t: Test, { url }: Pick<Publisher, 'url'>, remote: Partial<RemoteKeysOptions> = {}, options: AppOptions = {}) {
  const { log, lines, text } = createLog()
  const clockApp = await createApp(t, {
    keys: remoteKeys(url, { algorithms: ['EdDSA'], maxAge: '1d', cooldown: '1h', timeout: '1m', ...remote }), routes: false, ...options
  }, { loggerInstance: log })
  const { app } = clockApp
  return { ...clockApp, lines, text, me: async (token: string) => outcomeOf(await app.inject({ url: '/me', headers: bearer(token) })) }
}

/** The reads of a key set, as they are published. */
function eventsOf (t: Test, { url }: Pick<Publisher, 'url'>): KeySetEvent[] {
  const events: KeySetEvent[] = []
  const listener = (event: unknown): void => {
    if ((event as KeySetEvent).url === url) events.push(event as KeySetEvent)
  }
  diagnostics.subscribe('fastify-dual-token:keys', listener)
  t.teardown(() => diagnostics.unsubscribe('fastify-dual-token:keys', listener))
  return events
}

test('the set is read before the server is ready, once', async t => {
  const publisher = await createPublisher(t, k1, k2)
  const { app, me } = await createFollowing(t, publisher)
  t.throws(() => app.dualToken.verifyToken(first), { code: 'FST_DUAL_TOKEN_ACCESS_INVALID' }, 'before that no key is known')
  t.equal(publisher.requests(), 0)
  await app.ready()
  for (let i = 0; i < 3; i++) for (const token of [first, second]) t.equal(await me(token), '200')
  t.equal(app.dualToken.verifyToken(mintWith('EdDSA', 'k1', refreshClaims())).refresh, true)
  t.equal(publisher.requests(), 1)
})

test('a server that follows a set issues nothing, and its keys cannot be set', async t => {
  const publisher = await createPublisher(t, k1)
  const { app, me } = await createFollowing(t, publisher)
  for (const moment of ['before it is ready', 'when it is ready']) {
    await t.rejects(app.dualToken.issueTokens({ user_id: 7 }), {
      code: 'FST_DUAL_TOKEN_OPTION_INVALID', message: 'Option keys must begin with a private key for issueTokens.'
    }, moment)
    t.throws(() => app.dualToken.setKeys([ringKey('EdDSA', 'k1')]), {
      code: 'FST_DUAL_TOKEN_OPTION_INVALID', message: 'Option keys must be a list of keys for setKeys: this service follows a key set.'
    }, moment)
    await app.ready()
  }
  t.equal(await me(first), '200')

  const keys = remoteKeys(publisher.url, { algorithms: ['EdDSA'] })
  await t.rejects(async () => { await Fastify().register(dualToken, { keys, routes: { login: () => null } as unknown as false }) }, {
    code: 'FST_DUAL_TOKEN_OPTION_INVALID', message: 'Option routes needs keys that begin with a private one: these can only verify.'
  })
  await t.rejects(async () => { await Fastify().register(dualToken, { keys, jwks: true as false }) }, {
    message: 'Option jwks needs keys of this service: a key set that is followed is served by its publisher.'
  })
})

test('a publisher that comes up late is waited for', async t => {
  const publisher = await createPublisher(t)
  publisher.answer((response, request) => {
    publisher.publish(k1)
    answerWith('starting', {}, 503)(response, request)
  })
  const { me, lines } = await createFollowing(t, publisher, {}, {})
  t.equal(await me(first), '200')
  t.equal(publisher.requests(), 2)
  t.strictSame(lines.filter(({ level }) => level > 30), [], 'which is no event for the log')
})

/** Stops the time of `performance.now`; what it returns moves it, by milliseconds. */
function skipTime (t: Test): (step: number) => void {
  let moment = performance.now()
  performance.now = () => moment
  t.teardown(() => Reflect.deleteProperty(performance, 'now'))
  return step => { moment += step }
}

test('a set that cannot be read for five seconds fails the boot with one sentence', async t => {
  const skip = skipTime(t)
  for (const [answer, reason] of [
    [answerWith('{"keys":[]}', {}, 404), 'the key set is answered with status 404'],
    [answerWith('<html>'), 'the key set is not a JWK Set'],
    [answerWith(''), 'the key set is not a JWK Set'],
    [answerWith(JSON.stringify({ keys: [publicJwk('ES256', 'k1')] })),
      'the key set has no key that can be used here: keys[0] must be of an algorithm that this service allows: EdDSA']
  ] as const) {
    const publisher = await createPublisher(t)
    publisher.answer((response, request) => {
      skip(2000)
      answer(response, request)
    })
    const { app } = await createFollowing(t, publisher)
    await t.rejects(async () => await app.ready(), {
      code: 'FST_DUAL_TOKEN_OPTION_INVALID',
      message: `Option keys must be a key set that can be read at boot: ${reason}.`,
      cause: { message: reason }
    })
    t.equal(publisher.requests(), 3)
  }
})

test('Fastify\'s pluginTimeout shortens the patience of the boot, and 0 does not', async t => {
  const skip = skipTime(t)
  const { follower: hanging } = createStepFollower([() => new Promise(() => {})], { timeout: '1h' })
  await t.rejects(hanging.open(100), { message: 'Option keys must be a key set that can be read at boot: the key set did not come within 90 ms.' })

  const { follower, requests } = createStepFollower([() => {
    skip(3000)
    return new Response('', { status: 404 })
  }])
  await t.rejects(follower.open(0), { message: 'Option keys must be a key set that can be read at boot: the key set is answered with status 404.' })
  t.equal(requests(), 2)

  const { follower: late, requests: lateRequests } = createStepFollower([() => {
    skip(4700)
    return new Response('', { status: 404 })
  }])
  await t.rejects(late.open(0), { message: 'Option keys must be a key set that can be read at boot: the key set is answered with status 404.' })
  t.equal(lateRequests(), 1, 'no read is cut short that has hardly begun')
})

test('a token that names an unknown key is INVALID, and has the set read at once', async t => {
  const publisher = await createPublisher(t, k1)
  const events = eventsOf(t, publisher)
  const { me, lines } = await createFollowing(t, publisher)
  t.equal(await me(first), '200')
  publisher.publish(k1, k2)
  t.equal(await me(second), 'ACCESS_INVALID')
  await until(async () => await me(second) === '200')
  t.equal(await me(first), '200')
  t.equal(publisher.requests(), 2)
  t.match(events, [
    { outcome: 'changed', reason: null, keys: 1, milliseconds: Number }, { outcome: 'changed', reason: null, keys: 2, milliseconds: Number }
  ])
  t.ok(events.every(Object.isFrozen))
  t.match(lines.filter(({ msg }) => msg.includes('key set')), [{ level: 30, url: publisher.url, kids: ['k1', 'k2'], msg: 'The key set has changed' }])
})

test('no request waits for the set', async t => {
  const publisher = await createPublisher(t, k1)
  const { app, me } = await createFollowing(t, publisher)
  await app.ready()
  let answer!: () => void
  publisher.answer((response, request) => { answer = () => answerWith(JSON.stringify({ keys: [k1, k2] }))(response, request) })
  for (let i = 0; i < 20; i++) {
    t.equal(await me(second), 'ACCESS_INVALID')
    t.equal(await me(first), '200')
  }
  await until(() => publisher.requests() === 2)
  answer()
  await until(async () => await me(second) === '200')
  t.equal(publisher.requests(), 2)
})

test('unknown keys have the set read once per cooldown, by the clock of the plugin, even one that was set back', async t => {
  const publisher = await createPublisher(t, k1)
  const events = eventsOf(t, publisher)
  const { app, clock, me } = await createFollowing(t, publisher, { cooldown: '30s' })
  await app.ready()
  const ask = async (count: number) => {
    for (let i = 0; i < 5; i++) {
      t.equal(await me(mintWith('EdDSA', `forged-${i}`, accessClaims())), 'ACCESS_INVALID')
      await until(() => events.length === count)
    }
    t.equal(publisher.requests(), count)
  }
  await ask(2)
  clock.advance(29.999)
  await ask(2)
  clock.advance(0.001)
  await ask(3)
  clock.advance(-3600)
  await ask(4)
  clock.advance(29.999)
  await ask(4)
  clock.set(NaN)
  await ask(4)
})

test('only a token that names a key has the set read', async t => {
  const publisher = await createPublisher(t, k1)
  const { app, me } = await createFollowing(t, publisher)
  await app.ready()
  const [, payload, signature] = first.split('.')
  const header = (members: object): string => Buffer.from(JSON.stringify(members)).toString('base64url')
  for (const token of [
    'x', 'a.b.c', `.${payload}.${signature}`, `${header({ alg: 'EdDSA' })}.${payload}.${signature}`, `${header({ alg: 'EdDSA', kid: 7 })}.${payload}.${signature}`,
    `${header({ alg: 'ES256', kid: 'k1' })}.${payload}.${signature}`, mintWith('EdDSA', 'k1', accessClaims(), 1)
  ]) t.equal(await me(token), 'ACCESS_INVALID')
  await nextTurn()
  t.equal(publisher.requests(), 1)
})

test('a key that is gone from the set fails at once, however often its tokens were seen before', async t => {
  const publisher = await createPublisher(t, k1)
  const { me } = await createFollowing(t, publisher, { maxAge: 0.01, cooldown: 0.01 })
  for (let i = 0; i < 3; i++) t.equal(await me(first), '200')
  publisher.publish(k2)
  await until(async () => await me(second) === '200')
  t.equal(await me(first), 'ACCESS_INVALID')
})

test('another key under the same name fails the tokens of the first', async t => {
  const publisher = await createPublisher(t, k1)
  const { me } = await createFollowing(t, publisher, { maxAge: 0.01, cooldown: 0.01 })
  t.equal(await me(first), '200')
  publisher.publish({ ...k2, kid: 'k1' })
  await until(async () => await me(first) === 'ACCESS_INVALID')
  t.equal(await me(mintWith('EdDSA', 'k1', accessClaims(), 1)), '200')
})

test('keys that are left out are logged once for each set, by their place and kid', async t => {
  const publisher = await createPublisher(t, k1, { ...k2, d: 'AAAA' }, publicJwk('RS256', 'rs'))
  const { app, me, lines, text } = await createFollowing(t, publisher, { cooldown: '1s' })
  await app.ready()
  t.equal(await me(second), 'ACCESS_INVALID')
  await until(() => publisher.requests() === 2)
  t.match(lines.filter(({ level }) => level === 40), [
    { url: publisher.url, kid: 'k2', reason: 'keys[1] must be a public key, not a private one', msg: 'A key of the key set is left out' },
    { url: publisher.url, kid: 'rs', reason: 'keys[2] must be of an algorithm that this service allows: EdDSA', msg: 'A key of the key set is left out' }
  ])
  t.notMatch(text(), 'AAAA')
})

/** Timers that wait until they are fired, without any time passing. */
function stopTimers (t: Test) {
  const timers = new Map<object, { run: () => void, delay: number, ref: boolean }>()
  const { setTimeout, clearTimeout } = globalThis
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
  // Those of fetch, which began before, must not fire at what is no more.
  globalThis.clearTimeout = (timer => { if (!timers.delete(timer as object)) clearTimeout(timer) }) as typeof clearTimeout
  t.teardown(() => { Object.assign(globalThis, { setTimeout, clearTimeout }) })
  return {
    /** The delays of those that wait, and whether any of them keeps the process alive. */
    waiting: () => [...timers.values()].map(({ delay, ref }) => ref ? `${delay} ref` : delay),
    async fire () {
      const [[timer, { run }]] = timers as unknown as [[object, { run: () => void }]]
      timers.delete(timer)
      run()
      await nextTurn()
    }
  }
}

/** A follower whose publisher is a function: each answer in turn, the last one again and again. */
function createStepFollower (answers: Array<() => Response | Promise<Response>>, remote: Partial<RemoteKeysOptions> = {}) {
  const { log, lines } = createLog()
  const rings: string[][] = []
  let requests = 0
  const fetch = async (): Promise<Response> => await answers[Math.min(requests++, answers.length - 1)]!()
  const settings = keySetSettingsOf(remoteKeys('https://id.example/jwks.json?access=hunter2', { algorithms: ['EdDSA'], fetch, ...remote }))!
  const follower = createFollower({ settings, now: () => NOW * 1000, replace: keys => { rings.push(keys.map(({ kid }) => kid)) }, log })
  return { follower, lines, rings, requests: () => requests }
}

function setOf (keys: unknown[], cacheControl?: string, age = '0') {
  return () => new Response(JSON.stringify({ keys }), { headers: { age, ...(cacheControl !== undefined && { 'cache-control': cacheControl }) } })
}

test('the set is read again as Cache-Control says, after the cooldown at the earliest and maxAge at the latest', async t => {
  const cases: Array<[string | undefined, string, number]> = [
    [undefined, '0', 600_000],
    ['public', '0', 600_000],
    ['max-age=300', '0', 300_000],
    ['max-age=300', '100', 200_000],
    ['max-age=300', '280', 30_000],
    ['max-age=600', '0', 600_000],
    ['max-age=86400', '0', 600_000],
    ['max-age=0', '0', 30_000],
    ['no-store', '0', 30_000],
    ['no-cache', '0', 30_000]
  ]
  const time = stopTimers(t)
  for (const [cacheControl, age, delay] of cases) {
    const { follower } = createStepFollower([setOf([k1], cacheControl, age)])
    await follower.open(10_000)
    t.strictSame(time.waiting(), [delay], `${cacheControl}, ${age}`)
    follower.close()
    t.strictSame(time.waiting(), [])
  }
  const { follower } = createStepFollower([setOf([k1], 'max-age=1')], { maxAge: 10 })
  await follower.open(10_000)
  t.strictSame(time.waiting(), [10_000], 'maxAge is the latest, though it be shorter than the cooldown')
  follower.close()
})

test('a publisher that is down for an hour changes nothing, and is two lines in the log', async t => {
  const down = () => { throw new Error('ECONNREFUSED') }
  const time = stopTimers(t)
  const { follower, lines, rings, requests } = createStepFollower([setOf([k1]), ...Array.from({ length: 120 }, () => down), setOf([k1]), setOf([k1, k2])])
  await follower.open(10_000)
  t.strictSame(time.waiting(), [600_000])
  for (let seconds = 0; seconds < 3600; seconds += 30) {
    await time.fire()
    t.strictSame(time.waiting(), [30_000])
  }
  t.strictSame(rings, [['k1']])
  t.equal(requests(), 121)

  await time.fire()
  t.strictSame(time.waiting(), [600_000])
  t.strictSame(rings, [['k1']], 'the same set is no new ring')
  t.match(lines, [
    { level: 40, url: 'https://id.example/jwks.json', msg: 'Cannot read the key set; the keys stay as they are', err: { message: /^the key set cannot be reached/ } },
    { level: 30, url: 'https://id.example/jwks.json', msg: 'The key set can be read again' }
  ])
  t.equal(lines.length, 2)
  await time.fire()
  t.strictSame(rings, [['k1'], ['k1', 'k2']])
  follower.close()
})

test('each new reason why the set cannot be read is a line in the log, and each read an event', async t => {
  const time = stopTimers(t)
  const events = eventsOf(t, { url: 'https://id.example/jwks.json' })
  const { follower, lines, rings } = createStepFollower([
    setOf([k1]), () => new Response('', { status: 500 }), () => new Response('', { status: 500 }), setOf([]), setOf([k1])
  ])
  await follower.open(10_000)
  for (let i = 0; i < 4; i++) await time.fire()
  t.strictSame(lines.map(({ level }) => level), [40, 40, 30])
  t.match(lines, [{ err: { message: 'the key set is answered with status 500' } }, { err: { message: 'the key set has no keys' } }, {}])
  t.match(events.map(({ outcome, reason, keys }) => [outcome, reason, keys]), [
    ['changed', null, 1],
    ['failed', 'the key set is answered with status 500', 1],
    ['failed', 'the key set is answered with status 500', 1],
    ['failed', 'the key set has no keys', 1],
    ['unchanged', null, 1]
  ])
  t.strictSame(rings, [['k1']])
  follower.close()
})

test('a read that an unknown key has caused puts off the one that was due', async t => {
  const time = stopTimers(t)
  const { follower, requests } = createStepFollower([setOf([k1])])
  follower.noticeUnknown()
  t.equal(requests(), 0, 'before the first read there is nothing to read again')
  await follower.open(10_000)
  follower.noticeUnknown()
  follower.noticeUnknown()
  await nextTurn()
  t.strictSame(time.waiting(), [600_000])
  t.equal(requests(), 2)
  follower.close()
  follower.noticeUnknown()
  t.equal(requests(), 2)
})

test('a server that closes ends the read under way, says nothing of it and reads no more', async t => {
  const publisher = await createPublisher(t, k1)
  const { app, me, lines } = await createFollowing(t, publisher, { maxAge: 0.01, cooldown: 0.01 })
  await app.ready()
  const closed = new Promise<void>(resolve => publisher.answer(response => response.once('close', resolve)))
  await me(second)
  await until(() => publisher.requests() === 2)
  await app.close()
  await closed
  await nextTurn()
  t.equal(publisher.requests(), 2)
  t.strictSame(lines.filter(({ level }) => level > 30), [])
})

test('a server that closes while it boots gives up, and one that closes just then reads no more', async t => {
  const hanging = createStepFollower([() => { throw new Error('down') }])
  const opened = hanging.follower.open(0)
  hanging.follower.close()
  await t.rejects(opened, { code: 'FST_DUAL_TOKEN_OPTION_INVALID' })
  t.equal(hanging.requests(), 1)

  const time = stopTimers(t)
  const { follower } = createStepFollower([() => { follower.close(); return setOf([k1])() }])
  await follower.open(0).catch(() => {})
  t.strictSame(time.waiting(), [])
})

test('one object for two registrations: each has a ring, a cache and a cooldown of its own', async t => {
  const publisher = await createPublisher(t, k1)
  const keys = remoteKeys(publisher.url, { algorithms: ['EdDSA'], maxAge: '1d', cooldown: '1h' })
  const one = await createFollowing(t, publisher, {}, { keys })
  const other = await createFollowing(t, publisher, {}, { keys })
  for (const { me } of [one, other]) t.equal(await me(first), '200')
  publisher.publish(k1, k2)
  t.equal(await one.me(second), 'ACCESS_INVALID')
  await until(async () => await one.me(second) === '200')
  t.equal(publisher.requests(), 3)
  t.equal(await other.me(second), 'ACCESS_INVALID', 'the other one has not read it')
  await until(async () => await other.me(second) === '200')
  t.equal(publisher.requests(), 4)
  await one.app.close()
  t.equal(await other.me(second), '200')
})

test('with sessions, a sign-out at the publisher reaches the server that follows its keys', async t => {
  const store = memoryStore()
  const { app: signIn } = await createApp(t, { keys: [ringKey('EdDSA', 'k1')], jwks: true, sessions: { store }, now: Date.now })
  const url = `http://127.0.0.1:${await listen(signIn)}/.well-known/jwks.json`
  const { store: watched } = createToldStore(store)
  const { me, app } = await createFollowing(t, { url }, {}, { sessions: { store: watched, pollInterval: 0.01 }, now: Date.now })
  const { token, refresh_token: refresh } = await signIn.dualToken.issueTokens({ user_id: 7 })
  t.equal(await me(token), '200')
  await t.rejects(app.dualToken.refreshTokens(refresh), { message: 'Option keys must begin with a private key for refreshTokens.' })
  t.equal(await signIn.dualToken.revokeUser(7), 1)
  await until(async () => await me(token) === 'ACCESS_REVOKED')
})

test('a roll at the publisher in three steps is followed, and no request fails', async t => {
  const signing = (kid: string, index: 0 | 1): DualTokenKey => ringKey('EdDSA', kid, index)
  const { app: signIn } = await createApp(t, { keys: [signing('k1', 0)], jwks: true })
  const url = `http://127.0.0.1:${await listen(signIn)}/.well-known/jwks.json`
  const events = eventsOf(t, { url })
  const { app } = await createFollowing(t, { url }, { maxAge: 0.02, cooldown: 0.02 })
  const port = await listen(app)
  const statuses = new Map<string, number>()
  const over = new AbortController()

  /** Signs in again and again, and visits the server that follows with each token. */
  async function visit (): Promise<void> {
    while (!over.signal.aborted) {
      const { token } = await signIn.dualToken.issueTokens({ user_id: 7 })
      const { kid } = JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString())
      const { status } = await fetch(`http://127.0.0.1:${port}/me`, { headers: bearer(token) })
      statuses.set(`${kid} ${status}`, (statuses.get(`${kid} ${status}`) ?? 0) + 1)
    }
  }

  /** The wait between two steps: until the server that follows has read the set. */
  async function read (keys: number): Promise<void> {
    await until(() => events.at(-1)?.keys === keys)
  }
  const visitors = Array.from({ length: 4 }, visit)
  await until(() => (statuses.get('k1 200') ?? 0) > 20)
  signIn.dualToken.setKeys([signing('k1', 0), signing('k2', 1)])
  await read(2)
  signIn.dualToken.setKeys([signing('k2', 1), signing('k1', 0)])
  await until(() => (statuses.get('k2 200') ?? 0) > 20)
  signIn.dualToken.setKeys([signing('k2', 1)])
  await read(1)
  const before = statuses.get('k2 200')!
  await until(() => statuses.get('k2 200')! > before + 20)
  over.abort()
  await Promise.all(visitors)
  t.strictSame([...statuses.keys()].sort(), ['k1 200', 'k2 200'])
  t.throws(() => app.dualToken.verifyToken(mintWith('EdDSA', 'k1', accessClaims())), { code: 'FST_DUAL_TOKEN_ACCESS_INVALID' })
})
