import cluster from 'node:cluster'
import { inspect } from 'node:util'
import { test } from 'tap'
import { memoryStore } from '../../lib/index.ts'
import { readSessions } from '../../lib/options/sessions.ts'
import { node, start } from '../support/server-process.ts'

const store = memoryStore()
const ACCESS = 7200
const REFRESH = 1_209_600
const IN_A_WORKER = 'Option sessions.store must not be memoryStore() in a worker of node:cluster, because each worker would know only its own sessions: ' +
  'use sqliteStore, postgresStore or redisStore.'

test('a store is enough: everything else has a default, durations in milliseconds', async t => {
  t.strictSame(readSessions({ store }, ACCESS, REFRESH), {
    store,
    rotate: true,
    grace: 10_000,
    recovery: 86_400_000,
    sliding: null,
    limit: null,
    possession: { mode: 'optional', origin: null },
    pollInterval: 2000,
    maxStaleness: 300_000,
    onStale: 'deny',
    storeTimeout: 1000,
    onEvent: undefined,
    clockTolerance: 0,
    revocationTtl: 7_260_000
  })
})

test('every member keeps its given value, fractions of a second included', async t => {
  const onEvent = () => {}
  t.strictSame(readSessions({
    store,
    rotate: true,
    grace: 2.5,
    recovery: '1h',
    sliding: true,
    maxLifetime: '30d',
    maxPerUser: 5,
    whenFull: 'refuse',
    pollInterval: 0.05,
    maxStaleness: '1m',
    onStale: 'allow',
    storeTimeout: '250 s',
    dpop: { mode: 'required', origin: 'https://app.example' },
    onEvent
  }, 60, 86_400, 30), {
    store,
    rotate: true,
    grace: 2500,
    recovery: 3_600_000,
    sliding: { lifetime: 86_400_000, maxLifetime: 2_592_000_000 },
    limit: { max: 5, whenFull: 'refuse' },
    possession: { mode: 'required', origin: 'https://app.example' },
    pollInterval: 50,
    maxStaleness: 60_000,
    onStale: 'allow',
    storeTimeout: 250_000,
    onEvent,
    clockTolerance: 30_000,
    revocationTtl: 150_000
  })
})

test('undefined is the same as absent', async t => {
  const names = ['rotate', 'grace', 'recovery', 'sliding', 'maxLifetime', 'maxPerUser', 'whenFull', 'pollInterval', 'maxStaleness', 'onStale', 'storeTimeout', 'onEvent']
  const absent = readSessions({ store }, ACCESS, REFRESH)
  for (const name of names) t.strictSame(readSessions({ store, [name]: undefined }, ACCESS, REFRESH), absent, name)
})

test('the settings are frozen, and the option is not written to', async t => {
  const settings = readSessions(Object.freeze({ store, sliding: true, maxPerUser: 1 }), ACCESS, REFRESH)
  t.ok(Object.isFrozen(settings))
  t.ok(Object.isFrozen(settings.sliding))
  t.ok(Object.isFrozen(settings.limit))
})

test('a store may be an instance of a class', async t => {
  class Store {
    async create () {}
    async rotate () {}
    async confirm () {}
    async revoke () {}
    async revokeUser () {}
    async list () {}
    async revokedSince () {}
  }
  const own = new Store()
  t.equal(readSessions({ store: own }, ACCESS, REFRESH).store, own)
})

test('an invalid member gives one sentence that says why', async t => {
  const { list, ...listless } = memoryStore()
  const aStore = 'must be a session store: memoryStore(), sqliteStore(path), postgresStore(pool), redisStore(client) or one of your own'
  const aDuration = "must be seconds, or a string with a unit such as '15m', '2h' or '14d'"
  const noDurations = [null, true, -1, NaN, Infinity, '', 'soon', '10', {}, [1], '101 years', 1e12]
  const ofATimer = 'must be more than 0, and at most 24 days'

  const cases: Array<[string, unknown[], string]> = [
    ['store', [undefined, null, 'memory', memoryStore, {}, [], listless, { ...listless, list: true }], aStore],
    ['rotate', [null, 0, 'true', {}], 'must be true or false'],
    ['sliding', [null, 1, 'true', {}], 'must be true or false'],
    ['onStale', [null, true, 'Deny', ''], "must be 'deny' or 'allow'"],
    ['onEvent', [null, 'log', {}, []], 'must be a function'],
    ...['grace', 'recovery', 'pollInterval', 'maxStaleness', 'storeTimeout', 'maxLifetime'].map((name): [string, unknown[], string] =>
      [name, noDurations, aDuration]),
    ['pollInterval', [0, '0s', 0.0001, '25d'], ofATimer],
    ['storeTimeout', [0, '0s', 0.0004, '25d', 1e9], ofATimer],
    ['maxStaleness', [0, 2, '2s'], 'must be longer than pollInterval'],
    ['pollInterval', ['5m', 301], ''],
    ['maxPerUser', [null, 0, -1, 1.5, NaN, Infinity, '5', true, {}], 'must be a whole number, at least 1'],
    ['whenFull', [null, true, '', 'end', 'evict'], "must be 'end_oldest' or 'refuse'"],
    ['whenFull', ['end_oldest', 'refuse'], 'needs maxPerUser'],
    ['storetimeout', [1, undefined], 'is not known'],
    ['constructor', [Object], 'is not known'],
    ['maxSessions', [10], 'is not known']
  ]
  for (const [name, values, sentenceEnd] of cases) {
    const message = sentenceEnd === '' ? 'Option sessions.maxStaleness must be longer than pollInterval.' : `Option sessions.${name} ${sentenceEnd}.`
    for (const value of values) {
      t.throws(
        () => readSessions({ store, [name]: value }, ACCESS, REFRESH),
        { code: 'FST_DUAL_TOKEN_OPTION_INVALID', message },
        `${name}: ${inspect(value, { depth: 0 })}`
      )
    }
  }
})

test('members that contradict each other are refused', async t => {
  t.throws(() => readSessions({ store, rotate: false, sliding: true }, ACCESS, REFRESH), { message: 'Option sessions.sliding needs rotate.' })
  const short = { message: 'Option sessions.maxLifetime must not be shorter than refreshExpiresIn.' }
  t.throws(() => readSessions({ store, sliding: true, maxLifetime: '13d' }, ACCESS, REFRESH), short)
  t.doesNotThrow(() => readSessions({ store, sliding: true, maxLifetime: '14d' }, ACCESS, REFRESH))
  t.doesNotThrow(() => readSessions({ store, sliding: false, maxLifetime: '13d' }, ACCESS, REFRESH), 'no session slides')
})

test('grace and recovery may be 0', async t => {
  t.match(readSessions({ store, grace: 0, recovery: '0s' }, ACCESS, REFRESH), { grace: 0, recovery: 0 })
})

test('a limit ends the oldest session by default, and needs a store that keeps limits', async t => {
  t.strictSame(readSessions({ store, maxPerUser: 3 }, ACCESS, REFRESH).limit, { max: 3, whenFull: 'end_oldest' })
  for (const duties of [undefined, [], ['label'] as const]) {
    t.throws(() => readSessions({ store: { ...store, duties }, maxPerUser: 3 }, ACCESS, REFRESH), {
      code: 'FST_DUAL_TOKEN_OPTION_INVALID',
      message: "Option sessions.maxPerUser needs a session store with the duty 'limit', which this one does not name."
    })
  }
})

test('in a worker of node:cluster, the memory store is refused, and a shared store is not', async t => {
  const file = new URL('../support/cluster-worker.ts', import.meta.url).pathname
  const { log, ended } = start(t, node(file))
  t.equal(await ended, 0)
  t.strictSame(log.map(line => JSON.parse(line)), [
    { isWorker: false, memory: 'ready', shared: 'ready' },
    { isWorker: true, memory: IN_A_WORKER, shared: 'ready' }
  ])
})

test('a store of one process is refused when node:cluster says that this process is a worker', async t => {
  const { isWorker } = cluster
  t.teardown(() => Object.assign(cluster, { isWorker }))
  Object.assign(cluster, { isWorker: true })
  t.throws(() => readSessions({ store }, ACCESS, REFRESH), { code: 'FST_DUAL_TOKEN_OPTION_INVALID', message: IN_A_WORKER })
  t.doesNotThrow(() => readSessions({ store: { ...store, inProcess: false } }, ACCESS, REFRESH))
})

test('dpop is a mode, or an object with a mode and an origin; by default it follows the duty of the store', async t => {
  const possession = (dpop: unknown) => readSessions({ store, dpop }, ACCESS, REFRESH).possession
  t.strictSame(possession(undefined), { mode: 'optional', origin: null })
  t.strictSame(possession(false), { mode: false, origin: null })
  for (const mode of ['optional', 'required']) {
    t.strictSame(possession(mode), { mode, origin: null })
    t.strictSame(possession({ mode }), { mode, origin: null })
  }
  t.strictSame(possession({}), { mode: 'optional', origin: null })
  for (const origin of ['https://app.example', 'http://localhost:3000', 'https://app.example/api', 'https://app.example/api/v1']) {
    t.strictSame(possession({ origin }), { mode: 'optional', origin })
  }
  const without = { ...store, duties: [] }
  t.strictSame(readSessions({ store: without }, ACCESS, REFRESH).possession, { mode: false, origin: null })
  t.strictSame(readSessions({ store: without, dpop: false }, ACCESS, REFRESH).possession, { mode: false, origin: null })
})

test('any other dpop is refused by name', async t => {
  const refused = (dpop: unknown, message: RegExp) => t.throws(() => readSessions({ store, dpop }, ACCESS, REFRESH), { message }, inspect(dpop))
  for (const dpop of [true, null, 'always', 7, [], { mode: false }, { mode: null }]) {
    refused(dpop, /^Option sessions\.dpop (?:must be 'optional'|must be|\.)/)
  }
  refused({ modes: 'required' }, /^Option sessions\.dpop\.modes is not known/)
  for (const origin of [null, '', 'app.example', 'ftp://app.example', 'https://', 'https://app.example/', 'https://app.example/api/', 'https://app.example?x', 'https://app.example#x', 'https://me@app.example', 'https://a b', 'https://app.example:99999', 7]) {
    refused({ origin }, /^Option sessions\.dpop\.origin must be where clients see this server/)
  }
  t.throws(() => readSessions({ store: { ...store, duties: [] }, dpop: 'optional' }, ACCESS, REFRESH), { message: /^Option sessions\.dpop needs a session store with the duty 'possession'/ })
})
