import { getEventListeners, once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { test, type Test } from 'tap'
import { AuthorizationError, createTokenClient, type TokenClient, type TokenClientOptions, type TokenLocks } from '../../lib/client/index.ts'
import type { LoadUser } from '../../lib/index.ts'
import { createGate, createStorage, KINDS, startClientApp, type ClientApp, type ClientAppOptions, type MemoryStorage } from '../support/client-app.ts'
import { readPage } from '../support/markdown.ts'
import { FAILURES } from '../support/session-app.ts'
import { ACCESS_LIFETIME, REFRESH_LIFETIME } from '../support/tokens.ts'

const GOOD = { password: 'good' }
const BUSY = { statusCode: 503, code: 'FST_DUAL_TOKEN_STORE_UNAVAILABLE' }

interface Setting extends ClientApp {
  readonly client: TokenClient
  readonly storage: MemoryStorage
  /** What `onSignInRequired` was told. */
  readonly ends: unknown[]
  /** For how many seconds a busy server was waited. */
  readonly waits: number[]
}

/** A server and a client of it, signed in. */
async function open (t: Test, appOptions?: ClientAppOptions, options: Partial<TokenClientOptions> = {}): Promise<Setting> {
  const server = await startClientApp(t, appOptions)
  const storage = createStorage()
  const ends: unknown[] = []
  const waits: number[] = []
  const client = createTokenClient({
    baseUrl: server.origin,
    storage,
    onSignInRequired: error => { ends.push(error) },
    wait: async milliseconds => { waits.push(milliseconds / 1000) },
    ...options
  })
  await client.signIn(GOOD)
  server.forget()
  return { ...server, client, storage, ends, waits }
}

/** The status that a client gets. */
async function statusOf (reply: Promise<Response>): Promise<number> {
  return (await reply).status
}

/** What the error of a rejection says. */
async function failureOf (outcome: Promise<unknown>): Promise<AuthorizationError> {
  return await outcome.then(() => { throw new Error('was not rejected') }, (error: AuthorizationError) => error)
}

for (const kind of KINDS) {
  test(`${kind}: an expired access token is refreshed, and its request answered, body and all`, async t => {
    const { client, storage, clock, requests, ends } = await open(t, { kind })
    t.equal(await statusOf(client.fetch('/me')), 200)
    const before = storage.tokens!
    clock.advance(ACCESS_LIFETIME)

    const reply = await client.fetch('/echo', { method: 'POST', body: '{"n":1}', headers: { 'content-type': 'application/json' } })
    t.equal(reply.status, 200)
    t.strictSame(await reply.json(), { n: 1 })
    t.strictSame(requests, ['GET /me', 'POST /echo', 'PUT /authorizations', 'POST /echo'])

    const after = storage.tokens!
    t.not(after.token, before.token)
    t.equal(after.refresh_token === before.refresh_token, kind === 'stateless')
    clock.advance(ACCESS_LIFETIME)
    t.equal(await statusOf(client.fetch('/me')), 200, 'and once more')
    t.strictSame(ends, [])
  })

  test(`${kind}: requests in parallel refresh once`, async t => {
    const { client, clock, refreshes } = await open(t, { kind })
    clock.advance(ACCESS_LIFETIME)
    const statuses = await Promise.all(Array.from({ length: 50 }, () => statusOf(client.fetch('/me'))))
    t.strictSame(new Set(statuses), new Set([200]))
    t.equal(refreshes(), 1)
  })

  test(`${kind}: a reply to a refresh that is lost keeps the tokens, and the next request refreshes with them`, async t => {
    let isLost = true
    const { client, storage, clock, refreshes, ends } = await open(t, {
      kind,
      routes: { onSend: async ({ raw }) => { if (isLost && raw.method === 'PUT') raw.destroy() } }
    })
    clock.advance(ACCESS_LIFETIME)
    const before = storage.tokens
    await t.rejects(Promise.all([client.fetch('/me'), client.fetch('/me')]), TypeError)
    t.equal(storage.tokens, before)

    isLost = false
    clock.advance(60)
    t.equal(await statusOf(client.fetch('/me')), 200)
    t.equal(refreshes(), 2)
    t.strictSame(ends, [])
  })

  test(`${kind}: a refresh that is refused empties the storage, says so once, and rejects`, async t => {
    const { client, storage, clock, requests, ends } = await open(t, { kind })
    clock.advance(REFRESH_LIFETIME)
    const failure = await failureOf(client.fetch('/me'))
    t.ok(failure instanceof AuthorizationError)
    t.match(failure, {
      name: 'AuthorizationError',
      message: 'The server answered 403 FST_DUAL_TOKEN_REFRESH_EXPIRED',
      status: 403,
      code: 'FST_DUAL_TOKEN_REFRESH_EXPIRED',
      signInRequired: true
    })
    t.strictSame(ends, [failure])
    t.equal(storage.tokens, null)

    requests.length = 0
    t.equal(await statusOf(client.fetch('/me')), 401)
    t.strictSame(requests, ['GET /me'], 'who is nobody does not refresh')
    await client.signIn(GOOD)
    t.equal(await statusOf(client.fetch('/me')), 200)
  })

  test(`${kind}: none of many parallel requests succeeds, and onSignInRequired is called once`, async t => {
    const { client, clock, refreshes, ends } = await open(t, { kind })
    clock.advance(REFRESH_LIFETIME)
    // One whose 401 comes after the refusal gets just that: there is nobody to refresh.
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => statusOf(client.fetch('/me')).catch((error: AuthorizationError) => error.status)))
    t.strictSame(outcomes.filter(status => status !== 401 && status !== 403), [])
    t.equal(ends.length, 1)
    t.equal(refreshes(), 1)
  })

  test(`${kind}: a server that always reports an expired token gets two requests`, async t => {
    const { client, requests } = await open(t, {
      kind,
      prepare: app => app.get('/expired', async (request, reply) => reply.code(401).send({ code: 'FST_DUAL_TOKEN_ACCESS_EXPIRED' }))
    })
    const reply = await client.fetch('/expired')
    t.equal(reply.status, 401)
    t.strictSame(await reply.json(), { code: 'FST_DUAL_TOKEN_ACCESS_EXPIRED' }, 'and its reply can be read')
    t.strictSame(requests, ['GET /expired', 'PUT /authorizations', 'GET /expired'])
  })

  test(`${kind}: signing out forgets the tokens and ends the session`, async t => {
    const { client, storage, requests, headers, app } = await open(t, { kind })
    const { token, refresh_token: refreshToken } = storage.tokens!
    await client.signOut()
    t.equal(storage.tokens, null)
    t.strictSame(requests, ['DELETE /authorizations'])
    t.strictSame(headers, [`Bearer ${token}`])
    if (kind === 'with sessions') await t.rejects(app.dualToken.refreshTokens(refreshToken), { code: 'FST_DUAL_TOKEN_REFRESH_REVOKED' })

    await client.signOut()
    t.equal(requests.length, 1, 'a second time asks nothing')
  })

  test(`${kind}: two tabs refresh once, by one lock`, async t => {
    const gate = createGate()
    const locks = createLocks()
    const { origin, client, storage, clock, refreshes } = await open(t, { kind, routes: { loadUser: gate.loadUser } }, { locks })
    const other = createTokenClient({ baseUrl: origin, storage, locks })
    clock.advance(ACCESS_LIFETIME)
    const statuses = Promise.all([client, other].map(tab => statusOf(tab.fetch('/me'))))
    await gate.reached
    await locks.queued
    gate.open()
    t.strictSame(await statuses, [200, 200])
    t.equal(refreshes(), 1)
    t.strictSame(locks.names, new Set(['tokens', 'refresh'].map(name => `fastify-dual-token ${name} ${origin}/authorizations`)))
  })

  test(`${kind}: two tabs without locks refresh twice at worst, and both stay signed in with one pair`, async t => {
    const gate = createGate(2)
    const { origin, client, storage, clock, refreshes } = await open(t, { kind, routes: { loadUser: gate.loadUser } }, { locks: null })
    const other = createTokenClient({ baseUrl: origin, storage, locks: null })
    clock.advance(ACCESS_LIFETIME)
    const statuses = Promise.all([client, other].map(tab => statusOf(tab.fetch('/me'))))
    await gate.reached
    gate.open()
    t.strictSame(await statuses, [200, 200])
    t.equal(refreshes(), 2)

    clock.advance(ACCESS_LIFETIME)
    t.strictSame(await Promise.all([client, other].map(tab => statusOf(tab.fetch('/me')))), [200, 200])
  })
}

/** The locks of `navigator.locks`, for clients of one process; `queued` resolves when a second refresh waits. */
function createLocks (): TokenLocks & { names: Set<string>, queued: Promise<void> } {
  const names = new Set<string>()
  const last = new Map<string, Promise<unknown>>()
  let tell!: () => void
  const queued = new Promise<void>(resolve => { tell = resolve })
  return {
    names,
    queued,
    request (name, callback) {
      if (names.has(name) && name.includes('refresh')) tell()
      names.add(name)
      const turn = Promise.resolve(last.get(name)).then(callback)
      last.set(name, turn.catch(() => {}))
      return turn
    }
  }
}

/** Gives a global another value during a test; `undefined` takes it away. */
function setGlobal (t: Test, name: string, value: unknown): void {
  const before = Object.getOwnPropertyDescriptor(globalThis, name)
  const remove = () => Reflect.deleteProperty(globalThis, name)
  if (value === undefined) remove()
  else Object.defineProperty(globalThis, name, { value, configurable: true })
  t.teardown(() => before === undefined ? remove() : Object.defineProperty(globalThis, name, before))
}

/** What tells a process from a browser, in which both pages and workers have `isSecureContext`, and locks only where it is true. */
const PLACES: Array<[place: string, globals: object, usesLocks: boolean]> = [
  ['a page or a worker of a browser', { isSecureContext: true }, true],
  ['a page that was loaded by http', { isSecureContext: false }, false],
  ['Node.js', {}, false],
  ['Deno', { self: globalThis }, false],
  ['a worker of Deno', { self: globalThis, WorkerGlobalScope: class {}, location: new URL('file:///worker.ts') }, false],
  ['a process that pretends to have a window', { window: globalThis }, false]
]

for (const [place, globals, usesLocks] of PLACES) {
  test(`in ${place}, navigator.locks are ${usesLocks ? '' : 'not '}used by default, and always when they are handed in`, async t => {
    const locks = createLocks()
    for (const [name, value] of Object.entries({ navigator: { locks }, ...globals })) setGlobal(t, name, value)
    for (const [options, names] of [[{ locks: null }, 0], [{}, usesLocks ? 2 : 0], [{ locks }, 2]] as const) {
      locks.names.clear()
      const { client, clock } = await open(t, {}, options)
      clock.advance(ACCESS_LIFETIME)
      t.equal(await statusOf(client.fetch('/me')), 200)
      t.equal(locks.names.size, names)
    }
  })
}

test('in a browser without navigator.locks, and without navigator, a client does without', async t => {
  setGlobal(t, 'isSecureContext', true)
  for (const navigator of [{}, undefined]) {
    setGlobal(t, 'navigator', navigator)
    const { client, clock } = await open(t)
    clock.advance(ACCESS_LIFETIME)
    t.equal(await statusOf(client.fetch('/me')), 200)
  }
})

/** The tests run under versions of Node.js with and without locks of its own. */
const PROCESSES: Array<[name: string, prepare: (t: Test) => void]> = [
  ['as it is', () => {}],
  ['with navigator.locks', t => setGlobal(t, 'navigator', { locks: createLocks() })]
]

for (const [name, prepare] of PROCESSES) {
  /** A hundred users of one server, each with a client and a storage, whose tokens have expired. */
  async function openHundred (t: Test, loadUser: LoadUser): Promise<{ clients: TokenClient[], refreshes: () => number }> {
    prepare(t)
    const { origin, clock, refreshes } = await startClientApp(t, { kind: 'with sessions', routes: { loadUser } })
    const clients = Array.from({ length: 100 }, () => createTokenClient({ baseUrl: origin, storage: createStorage() }))
    await Promise.all(clients.map((client, index) => client.signIn({ ...GOOD, user_id: index + 1 })))
    clock.advance(ACCESS_LIFETIME)
    return { clients, refreshes }
  }

  test(`a process ${name}: a hundred clients of a hundred users refresh at the same time`, async t => {
    const gate = createGate(100)
    const { clients, refreshes } = await openHundred(t, gate.loadUser)
    const statuses = Promise.all(clients.map(client => statusOf(client.fetch('/me'))))
    await Promise.race([gate.reached, statuses])
    t.equal(refreshes(), 100, 'and none of them is answered')
    gate.open()
    t.strictSame(new Set(await statuses), new Set([200]))
    t.equal(refreshes(), 100)
  })

  test(`a process ${name}: a refresh that hangs holds no other client`, async t => {
    const gate = createGate()
    const { clients, refreshes } = await openHundred(t, async (userId, request) =>
      userId === 1 ? await gate.loadUser(userId, request) : { user_id: userId })
    let isAnswered = false
    const first = statusOf(clients[0]!.fetch('/me')).finally(() => { isAnswered = true })
    await Promise.race([gate.reached, first])
    const statuses = await Promise.all(clients.slice(1).map(client => statusOf(client.fetch('/me'))))
    t.strictSame(new Set(statuses), new Set([200]))
    t.equal(refreshes(), 100)
    t.equal(isAnswered, false)
    gate.open()
    t.equal(await first, 200)
  })
}

test('the tokens of another tab are used without a refresh', async t => {
  const { origin, storage, clock, refreshes } = await open(t)
  const expired = storage.tokens!
  clock.advance(ACCESS_LIFETIME)
  await createTokenClient({ baseUrl: origin, storage }).fetch('/me')
  t.equal(refreshes(), 1)

  let reads = 0
  const late = createTokenClient({ baseUrl: origin, storage: { get: () => reads++ === 0 ? expired : storage.tokens, set: storage.set } })
  t.equal(await statusOf(late.fetch('/me')), 200)
  t.equal(refreshes(), 1)
})

test('a storage may return promises or undefined', async t => {
  const { origin, clock, refreshes } = await startClientApp(t, { kind: 'with sessions' })
  const storage = createStorage(true)
  const client = createTokenClient({ baseUrl: origin, storage })
  t.equal(await statusOf(client.fetch('/me')), 401)
  await client.signIn(GOOD)
  clock.advance(ACCESS_LIFETIME)
  t.strictSame(await Promise.all([1, 2, 3].map(() => statusOf(client.fetch('/me')))), [200, 200, 200])
  t.equal(refreshes(), 1)
  await client.signOut()
  t.equal(await statusOf(client.fetch('/me')), 401)

  const nobody = createTokenClient({ baseUrl: origin, storage: { get: () => undefined, set: () => {} } })
  t.equal(await statusOf(nobody.fetch('/me')), 401)
  await nobody.signOut()
})

test('without sessions, a server with cookies has none to end for a client of tokens', async t => {
  const { client, storage, requests } = await open(t, { cookies: true })
  await client.signOut()
  t.equal(storage.tokens, null)
  t.strictSame(requests, ['DELETE /authorizations'])
})

test('a refused sign-in rejects, and keeps the stored tokens', async t => {
  const { client, storage, ends } = await open(t)
  const before = storage.tokens
  const failure = await failureOf(client.signIn({ password: 'bad' }))
  t.match(failure, { status: 401, code: 'FST_DUAL_TOKEN_LOGIN_REFUSED', signInRequired: false })
  t.equal(storage.tokens, before)
  t.strictSame(ends, [])
})

test('a busy server gets three requests in all, with growing pauses', async t => {
  const { client, storage, clock, told, refreshes, waits, ends } = await open(t, { kind: 'with sessions' })
  clock.advance(ACCESS_LIFETIME)
  const before = storage.tokens
  told.instead.set('rotate', FAILURES['it rejects']!)
  const failure = await failureOf(client.fetch('/me'))
  t.match(failure, { status: 503, code: BUSY.code, signInRequired: false })
  t.equal(refreshes(), 3)
  t.equal(waits.length, 2)
  t.ok(waits[0]! >= 1 && waits[0]! < 2 && waits[1]! >= 2 && waits[1]! < 4, String(waits))
  t.equal(storage.tokens, before)

  told.instead.clear()
  t.equal(await statusOf(client.fetch('/me')), 200)
  t.strictSame(ends, [])
})

test('a store that comes back while a client waits signs nobody out, and the same token works', async t => {
  const { origin, clock, told, refreshes } = await startClientApp(t, { kind: 'with sessions' })
  const client = createTokenClient({ baseUrl: origin, storage: createStorage(), wait: async () => told.instead.clear() })
  for (const method of ['create', 'rotate', 'revoke'] as const) {
    told.instead.set(method, FAILURES['it rejects']!)
    if (method === 'create') await client.signIn(GOOD)
    clock.advance(ACCESS_LIFETIME)
    if (method === 'rotate') t.equal(await statusOf(client.fetch('/me')), 200)
    if (method === 'revoke') await client.signOut()
    t.equal(told.instead.size, 0)
  }
  t.equal(refreshes(), 2)
})

test('a request that gets a 503 because the store is down is repeated only if its method is idempotent', async t => {
  let runs = 0
  const { origin, client } = await open(t, {
    prepare: app => app.route({
      method: ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'POST', 'PATCH'],
      url: '/busy',
      handler: async (request, reply) => ++runs % 3 === 0 ? request.method : reply.code(503).send(BUSY)
    })
  })
  const url = `${origin}/busy`
  const body = 'all of it'
  const headers = { 'content-type': 'text/plain' }
  const requests: Array<[number, ...Parameters<typeof fetch>]> = [
    [3, url],
    [3, url, { method: 'OPTIONS' }],
    [3, url, { method: 'PUT', headers, body }],
    [3, url, { method: 'delete' }],
    [3, new Request(url, { method: 'PUT', headers, body })],
    [3, new Request(url, { method: 'POST', headers, body }), { method: 'PUT' }],
    [1, url, { method: 'PUT', headers, ...streamOf(body) }],
    [1, url, { method: 'HEAD' }],
    [1, url, { method: 'POST', headers, body }],
    [1, url, { method: 'PATCH', headers, body }],
    [1, new Request(url, { method: 'POST', headers, body })],
    [1, new Request(url, { method: 'PUT', headers, body }), { method: 'POST' }]
  ]
  for (const [times, input, init] of requests) {
    runs = 0
    t.equal(await statusOf(client.fetch(input, init)), times === 3 ? 200 : 503)
    t.equal(runs, times)
  }
})

test('a POST is refreshed for, but not sent again once its handler has run', async t => {
  let writes = 0
  const { client, clock, told, requests } = await open(t, {
    kind: 'with sessions',
    prepare: app => app.post('/password', { preHandler: app.loginRequired }, async () => {
      writes++
      await app.dualToken.revokeUser(7)
    })
  })
  told.instead.set('revokeUser', FAILURES['it rejects']!)
  clock.advance(ACCESS_LIFETIME)
  const reply = await client.fetch('/password', { method: 'POST' })
  t.equal(reply.status, 503)
  t.match(await reply.json(), BUSY)
  t.equal(writes, 1)
  t.strictSame(requests, ['POST /password', 'PUT /authorizations', 'POST /password'])
})

test('a 503 from a handler goes to the caller', async t => {
  const { client, waits } = await open(t, {
    prepare: app => app.get('/own', async (request, reply) => reply.code(503).header('retry-after', '1').send({ code: 'MINE' }))
  })
  t.equal(await statusOf(client.fetch('/own')), 503)
  t.strictSame(waits, [])
})

/** So that nothing but the client listens to it. */
const fetchWithoutSignal: typeof fetch = async (input, init) => await fetch(input, { ...init, signal: null })

test('a signal ends the wait for a busy server at once, with its reason', async t => {
  const reason = new Error('no longer wanted')
  const signals: Array<[string, (signal: AbortSignal) => Parameters<typeof fetch>]> = [
    ['of the call', signal => ['/busy', { signal }]],
    ['of a Request', signal => [new Request('http://127.0.0.1/busy', { signal })]],
    ['of the call, instead of that of a Request', signal => [new Request('http://127.0.0.1/busy', { signal: AbortSignal.abort() }), { signal }]]
  ]
  for (const [name, write] of signals) {
    for (const abortAt of ['the wait has begun', 'it begins', 'the server is asked']) {
      const controller = new AbortController()
      const abort = (at: string) => { if (at === abortAt) controller.abort(reason) }
      const storage = createStorage()
      storage.tokens = { token: 'a', refresh_token: 'r' }
      const client = createTokenClient({
        baseUrl: 'http://127.0.0.1/',
        storage,
        async fetch () { // One that knows of no signal.
          abort('the server is asked')
          return Response.json(BUSY, { status: 503 })
        },
        wait () {
          abort('it begins')
          setImmediate(abort, 'the wait has begun')
          return new Promise(() => {})
        }
      })
      t.equal(await failureOf(client.fetch(...write(controller.signal))), reason, `${name}, when ${abortAt}`)
    }
  }
})

test('a signal that is not aborted is listened to no longer than a wait, and that of a Request not at all when it is taken away', async t => {
  const { signal } = new AbortController()
  let busy = 0
  const { origin, client, waits } = await open(t, {}, {
    fetch: async (input, init) => busy-- > 0 ? Response.json(BUSY, { status: 503 }) : await fetchWithoutSignal(input, init)
  })
  busy = 2
  t.equal(await statusOf(client.fetch('/me', { signal })), 200)
  t.equal(waits.length, 2)
  t.strictSame(getEventListeners(signal, 'abort'), [])

  busy = 1
  const controller = new AbortController()
  const request = new Request(`${origin}/me`, { signal: controller.signal })
  controller.abort()
  t.equal(await statusOf(client.fetch(request, { signal: null })), 200)
})

test('a signal ends the wait for a refresh at once, which goes on for the others', async t => {
  const gate = createGate()
  const { origin, client, clock, refreshes } = await open(t, { routes: { loadUser: gate.loadUser } }, { fetch: fetchWithoutSignal })
  const reason = new Error('no longer wanted')
  const first = new AbortController()
  const second = new AbortController()
  clock.advance(ACCESS_LIFETIME)
  const failures = [
    failureOf(client.fetch('/me', { signal: first.signal })),
    failureOf(client.fetch(new Request(`${origin}/me`, { signal: second.signal })))
  ]
  const status = statusOf(client.fetch('/me'))
  await gate.reached
  first.abort(reason)
  second.abort(reason)
  t.strictSame(await Promise.all(failures), [reason, reason])
  gate.open()
  t.equal(await status, 200)
  t.equal(refreshes(), 1)
})

test('a server that asks for more than half a minute is not waited for', async t => {
  const { client, clock, refreshes, waits } = await open(t, {
    routes: { onRequest: async ({ method }, reply) => { if (method === 'PUT') return await reply.code(503).header('retry-after', '31').send() } }
  })
  clock.advance(ACCESS_LIFETIME)
  t.match(await failureOf(client.fetch('/me')), { message: 'The server answered 503', status: 503, code: '', signInRequired: false })
  t.equal(refreshes(), 1)
  t.strictSame(waits, [])
})

test('by default, a client waits with a timer', async t => {
  let busy = 1
  const { origin } = await startClientApp(t, {
    routes: { onRequest: async (request, reply) => { if (busy-- > 0) return await reply.code(503).header('retry-after', '0.001').send() } }
  })
  await createTokenClient({ baseUrl: origin, storage: createStorage() }).signIn(GOOD)
  t.equal(busy, -1)
})

test('a refusal that is not the plugin\'s, such as that of a firewall, keeps the tokens', async t => {
  const { client, storage, clock, refreshes, ends } = await open(t, {
    routes: { onRequest: async ({ method }, reply) => { if (method === 'PUT') return await reply.code(403).type('text/html').send('<h1>No</h1>') } }
  })
  clock.advance(ACCESS_LIFETIME)
  t.match(await failureOf(client.fetch('/me')), { status: 403, code: '', signInRequired: false })
  t.ok(storage.tokens)
  t.equal(refreshes(), 1)
  t.strictSame(ends, [])
})

test('a refresh that hangs is given up in time, and keeps the tokens', async t => {
  const gate = createGate()
  const { origin, client, storage, clock } = await open(t, { routes: { loadUser: gate.loadUser } })
  const hasty = createTokenClient({ baseUrl: origin, storage, timeout: 20 })
  clock.advance(ACCESS_LIFETIME)
  await t.rejects(hasty.fetch('/me'), { name: 'TimeoutError' })
  t.ok(storage.tokens)
  gate.open()
  t.equal(await statusOf(client.fetch('/me')), 200)
})

test('no other refusal causes a refresh, and the body of each can be read', async t => {
  const { client, requests, storage } = await open(t, {
    prepare (app) {
      app.get('/plain', async (request, reply) => reply.code(401).send('no JSON'))
      app.get('/null', async (request, reply) => reply.code(401).type('application/json').send('null'))
      app.get('/forbidden', async (request, reply) => reply.code(403).send({ code: 'MINE' }))
    }
  })
  t.equal(await (await client.fetch('/plain')).text(), 'no JSON')
  t.equal(await (await client.fetch('/null')).json(), null)
  t.strictSame(await (await client.fetch('/forbidden')).json(), { code: 'MINE' })
  storage.tokens!.token += 'x'
  t.match(await (await client.fetch('/me')).json(), { code: 'FST_DUAL_TOKEN_ACCESS_INVALID' })
  t.strictSame(requests, ['GET /plain', 'GET /null', 'GET /forbidden', 'GET /me'])
})

test('a session that was ended empties the storage without a refresh', async t => {
  const { client, storage, app, refreshes, ends } = await open(t, { kind: 'with sessions' })
  await app.dualToken.revokeUser(7)
  const failure = await failureOf(client.fetch('/me'))
  t.match(failure, { status: 401, code: 'FST_DUAL_TOKEN_ACCESS_REVOKED', signInRequired: true })
  t.equal(storage.tokens, null)
  t.equal(refreshes(), 0)
  t.strictSame(ends, [failure])
})

test('an ended session does not affect a newer sign-in', async t => {
  const { client, storage, ends } = await open(t, {
    prepare: app => app.get('/ended', async (request, reply) => {
      await client.signIn({ ...GOOD, user_id: 8 })
      return await reply.code(401).send({ code: 'FST_DUAL_TOKEN_ACCESS_REVOKED' })
    })
  })
  const before = storage.tokens
  t.match(await failureOf(client.fetch('/ended')), { signInRequired: true })
  t.ok(storage.tokens)
  t.not(storage.tokens, before)
  t.strictSame(ends, [])
})

for (const [where, locks] of [['', null], [' in another tab', createLocks()]] as const) {
  test(`who signs out${where} during a refresh waits for none, stays signed out, and the request is not sent again`, async t => {
    const gate = createGate()
    const { origin, client, storage, clock, requests } = await open(t, { routes: { loadUser: gate.loadUser } }, { locks })
    const other = locks === null ? client : createTokenClient({ baseUrl: origin, storage, locks })
    clock.advance(ACCESS_LIFETIME)
    const status = statusOf(client.fetch('/me'))
    await gate.reached
    await other.signOut()
    gate.open()
    t.equal(await status, 401)
    t.equal(storage.tokens, null)
    t.strictSame(requests, ['GET /me', 'PUT /authorizations', 'DELETE /authorizations'])
  })
}

test('a request is not sent again as somebody else, who signed in during the refresh', async t => {
  const gate = createGate()
  const { client, storage, clock, requests } = await open(t, { routes: { loadUser: gate.loadUser } })
  clock.advance(ACCESS_LIFETIME)
  const status = statusOf(client.fetch('/me'))
  await gate.reached
  await client.signIn({ ...GOOD, user_id: 8 })
  const other = storage.tokens
  gate.open()
  t.equal(await status, 401)
  t.equal(storage.tokens, other)
  t.strictSame(requests, ['GET /me', 'PUT /authorizations', 'POST /authorizations'])
  t.match(await (await client.fetch('/me')).json(), { user: { user_id: 8 } })
})

const PAIR = { token: 'of another', refresh_token: 'r' }
/** The replies of a server to which every access token has expired. */
const REPLIES: Record<string, () => Response> = {
  GET: () => Response.json({ code: 'FST_DUAL_TOKEN_ACCESS_EXPIRED' }, { status: 401 }),
  PUT: () => Response.json({ token: 'refreshed' }, { status: 201 }),
  POST: () => Response.json(PAIR, { status: 201 }),
  DELETE: () => new Response(null, { status: 204 })
}
const REFUSED = () => Response.json({ code: 'FST_DUAL_TOKEN_REFRESH_EXPIRED' }, { status: 403 })

/** What reads the storage and then writes it, and which of its reads is the last one before. */
const CHANGES: Array<[string, number, (client: TokenClient) => Promise<unknown>, typeof REPLIES]> = [
  ['a refresh', 3, client => client.fetch('/me'), REPLIES],
  ['a refusal', 4, client => client.fetch('/me').catch(() => {}), { ...REPLIES, PUT: REFUSED }],
  ['a sign-out', 1, client => client.signOut(), REPLIES]
]
const INTRUSIONS: Array<[string, (client: TokenClient) => Promise<void>, string | undefined]> = [
  ['a sign-out', client => client.signOut(), undefined],
  ['a sign-in', client => client.signIn(GOOD), PAIR.token]
]

for (const [name, lastRead, change, replies] of CHANGES) {
  for (const [intrusion, intrude, token] of INTRUSIONS) {
    for (const tabs of [1, 2]) {
      test(`${intrusion} between the read and the write of ${name} is not overwritten, with ${tabs === 1 ? 'one tab' : 'two tabs'}`, async t => {
        let reads = 0
        let intruded: Promise<void> | undefined
        const storage = createStorage()
        storage.tokens = { token: 'expired', refresh_token: 'r' }
        storage.get = async () => {
          const found = storage.tokens
          if (++reads !== lastRead) return found
          intruded = intrude(other)
          for (let turns = 0; turns < 10; turns++) await nextTurn()
          return found
        }
        const options: TokenClientOptions = {
          baseUrl: 'http://127.0.0.1/',
          storage,
          locks: tabs === 1 ? null : createLocks(),
          fetch: async (input, init) => replies[init?.method ?? 'GET']!()
        }
        const client = createTokenClient(options)
        const other = tabs === 1 ? client : createTokenClient(options)
        await change(client)
        await intruded
        t.ok(reads > lastRead)
        t.equal(storage.tokens?.token, token)
      })
    }
  }
}

test('a storage that fails once makes the request reject, and works the next time', async t => {
  const { client, storage } = await open(t)
  const { set } = storage
  storage.set = () => { throw new Error('full') }
  await t.rejects(client.signOut(), { message: 'full' })
  storage.set = set
  await client.signOut()
  t.equal(storage.tokens, null)
})

test('signing out drops the tokens even if the server is unreachable, and rejects', async t => {
  const { client, storage, told } = await open(t, { kind: 'with sessions' })
  told.instead.set('revoke', FAILURES['it rejects']!)
  t.match(await failureOf(client.signOut()), { status: 503, signInRequired: false })
  t.equal(storage.tokens, null)
})

test('every way to write a request is kept: strings, URLs, Requests, bodies and headers', async t => {
  const { origin, client, storage, clock, headers } = await open(t)
  const given = { method: 'POST', body: 'text', headers: { 'content-type': 'text/plain' } }
  const requests: Array<Parameters<typeof fetch>> = [
    ['/echo', given],
    [`${origin}/echo`, given],
    [new URL('/echo', origin), { ...given, headers: [['content-type', 'text/plain']] }],
    [new Request(`${origin}/echo`, given)],
    [new Request(`${origin}/echo`, { ...given, headers: {} }), { headers: new Headers(given.headers) }],
    [new Request(`${origin}/echo`, { method: 'POST' }), given],
    ['/echo', { ...given, body: new Blob(['text']) }],
    ['/echo', { ...given, body: new TextEncoder().encode('text') }]
  ]
  for (const [index, [input, init]] of requests.entries()) {
    clock.advance(ACCESS_LIFETIME)
    const expired = storage.tokens!.token
    headers.length = 0
    const reply = await client.fetch(input, init)
    t.equal(await reply.text(), 'text', String(index))
    const { token, refresh_token: refreshToken } = storage.tokens!
    t.strictSame(headers, [expired, refreshToken, token].map(token => `Bearer ${token}`))
  }
})

test('a stream is sent once: the refusal comes back, and the next request has a fresh token', async t => {
  const { client, clock, requests } = await open(t)
  const headers = { 'content-type': 'text/plain' }
  clock.advance(ACCESS_LIFETIME)
  t.equal(await statusOf(client.fetch('/echo', { method: 'POST', headers, ...streamOf('one') })), 401)
  t.equal(await (await client.fetch('/echo', { method: 'POST', headers, ...streamOf('two') })).text(), 'two')
  t.strictSame(requests, ['POST /echo', 'PUT /authorizations', 'POST /echo'])

  clock.advance(ACCESS_LIFETIME)
  const body = (async function * () { yield Buffer.from('three') })() as unknown as ReadableStream
  t.equal(await statusOf(client.fetch('/echo', { method: 'POST', headers, body, duplex: 'half' } as RequestInit)), 401)
})

function streamOf (text: string): RequestInit {
  return { body: new Blob([text]).stream() as NonNullable<RequestInit['body']>, duplex: 'half' } as RequestInit
}

test('a request with its own Authorization stays unchanged', async t => {
  const { client, storage, clock, requests, headers } = await open(t)
  clock.advance(ACCESS_LIFETIME)
  const own = { Authorization: `bearer ${storage.tokens!.token}` }
  t.equal(await statusOf(client.fetch('/me', { headers: own })), 401)
  t.strictSame(requests, ['GET /me'])
  t.strictSame(headers, [own.Authorization])
})

test('no other origin gets a token, not even by a redirect', async t => {
  const seen: Array<string | undefined> = []
  const foreign = createServer((request, response) => {
    seen.push(request.headers.authorization)
    response.writeHead(401, { 'content-type': 'application/json' }).end('{"code":"FST_DUAL_TOKEN_ACCESS_EXPIRED"}')
  }).listen(0, '127.0.0.1')
  await once(foreign, 'listening')
  t.teardown(() => foreign.close())
  const elsewhere = `http://127.0.0.1:${(foreign.address() as AddressInfo).port}`
  const { client, requests } = await open(t, {
    prepare: app => app.get('/leave', async (request, reply) => reply.redirect(elsewhere))
  })

  for (const input of [elsewhere, new URL('/me', elsewhere), new Request(elsewhere), `//${new URL(elsewhere).host}/me`]) {
    t.equal(await statusOf(client.fetch(input)), 401)
  }
  t.strictSame(seen, [undefined, undefined, undefined, undefined])
  t.strictSame(requests, [])

  await client.fetch('/leave')
  t.ok(seen.length > 4)
  t.strictSame(seen.slice(4).filter(header => header !== undefined), [])
})

test('an origin is scheme, host and port, and nothing that only contains it', async t => {
  const sent: Array<[string, string | null]> = []
  const storage = createStorage()
  storage.tokens = { token: 'a', refresh_token: 'r' }
  const client = createTokenClient({
    baseUrl: 'https://api.example.com/v1/',
    storage,
    fetch: async (input, init) => {
      sent.push([String(input), new Headers(init?.headers).get('authorization')])
      return new Response()
    }
  })
  for (const url of ['me', '/me', 'https://API.example.com:443/me', 'https://u@api.example.com/']) await client.fetch(url)
  for (const url of ['http://api.example.com/me', 'https://api.example.com:444/', 'https://api.example.com.evil.test/', 'https://api.example.com@evil.test/',
    'blob:https://api.example.com/me', 'data:,x', '//evil.test', '\\\\evil.test']) await client.fetch(url)
  t.strictSame(sent.filter(([, header]) => header !== null).map(([url]) => url), [
    'https://api.example.com/v1/me', 'https://api.example.com/me', 'https://api.example.com/me', 'https://u@api.example.com/'
  ])
  t.equal(sent.length, 12)
})

test('neither credentials nor a refresh token follow a redirect', async t => {
  let isMoved = false
  const { client, clock, requests, storage } = await open(t, {
    routes: { onRequest: async (request, reply) => { if (isMoved) return await reply.redirect('/moved', 307) } }
  })
  isMoved = true
  clock.advance(ACCESS_LIFETIME)
  await t.rejects(client.fetch('/me'), TypeError)
  await t.rejects(client.signIn(GOOD), TypeError)
  t.notOk(requests.some(line => line.includes('/moved')))
  t.ok(storage.tokens)
})

test('the ready routes may be at another path', async t => {
  const { origin, clock, requests } = await startClientApp(t, { routes: { path: '/v1/tokens' } })
  const client = createTokenClient({ baseUrl: `${origin}/v1/`, path: 'tokens', storage: createStorage() })
  await client.signIn(GOOD)
  clock.advance(ACCESS_LIFETIME)
  t.equal(await statusOf(client.fetch('/me')), 200)
  t.strictSame(requests, ['POST /v1/tokens', 'GET /me', 'PUT /v1/tokens', 'GET /me'])
})

test('the options table names every option', async t => {
  const names: Record<keyof TokenClientOptions, true> = {
    baseUrl: true, path: true, storage: true, onSignInRequired: true, onReauthenticationRequired: true, dpop: true, fetch: true, locks: true, timeout: true, wait: true
  }
  t.strictSame(readPage('docs/clients.md').rows('In a browser, with a storage', 'option').map(([name]) => name), Object.keys(names))
})
