// The client for cookies against a server that listens, with a jar of cookies that several tabs share.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test, type Test } from 'tap'
import { AuthorizationError, createCookieClient, type CookieClient, type CookieClientOptions, type TokenChannel } from '../../lib/client/index.ts'
import { createGate, createHold, KINDS, startClientApp, type ClientApp, type ClientAppOptions } from '../support/client-app.ts'
import { readPage } from '../support/markdown.ts'
import { FAILURES } from '../support/session-app.ts'
import { createChannels, createJar, createLocks, type Jar } from '../support/tabs.ts'
import { ACCESS_LIFETIME, REFRESH_LIFETIME } from '../support/tokens.ts'

const GOOD = { password: 'good' }
const OTHER = { password: 'good', user_id: 8 }
const BUSY = { statusCode: 503, code: 'FST_DUAL_TOKEN_STORE_UNAVAILABLE' }

interface Setting extends ClientApp {
  readonly client: CookieClient
  readonly jar: Jar
  /** What `onSignInRequired` was told. */
  readonly ends: unknown[]
  /** One more tab of the same browser. */
  openTab (options?: Partial<CookieClientOptions>): CookieClient
}

interface Options extends ClientAppOptions {
  readonly access?: boolean
}

/** A server and a client of it, signed in. */
async function open (t: Test, { access = false, ...appOptions }: Options = {}, options: Partial<CookieClientOptions> = {}): Promise<Setting> {
  const server = await startClientApp(t, { cookies: { access }, ...appOptions })
  const jar = createJar()
  const ends: unknown[] = []
  const openTab: Setting['openTab'] = more => createCookieClient({
    baseUrl: server.origin,
    access,
    fetch: jar.fetch,
    wait: async () => {},
    onSignInRequired: error => { ends.push(error) },
    ...options,
    ...more
  })
  const client = openTab()
  await client.signIn(GOOD)
  server.forget()
  return { ...server, client, jar, ends, openTab }
}

/** The status that a client gets. */
async function statusOf (reply: Promise<Response>): Promise<number> {
  return (await reply).status
}

/** Whom the server takes a client for. */
async function userOf (reply: Promise<Response>): Promise<unknown> {
  const { user } = await (await reply).json() as { user: { user_id: number } | null }
  return user?.user_id ?? null
}

/** What the error of a rejection says. */
async function failureOf (outcome: Promise<unknown>): Promise<AuthorizationError> {
  return await outcome.then(() => { throw new Error('was not rejected') }, (error: AuthorizationError) => error)
}

const PROFILES = KINDS.flatMap(kind => [false, true].map(access => ({ kind, access, name: `${kind}, ${access ? 'both tokens' : 'the refresh token'} in a cookie` })))

for (const { name, ...profile } of PROFILES) {
  const { kind, access } = profile

  test(`${name}: an expired access token is refreshed, and its request answered, body and all`, async t => {
    const { client, jar, clock, requests, headers, ends } = await open(t, profile)
    t.strictSame([...jar.cookies.keys()], access ? ['__Host-Http-refresh_token', '__Host-Http-access_token'] : ['__Host-Http-refresh_token'])
    t.equal(await userOf(client.fetch('/me')), 7)
    clock.advance(ACCESS_LIFETIME)

    const reply = await client.fetch('/echo', { method: 'POST', body: '{"n":1}', headers: { 'content-type': 'application/json' } })
    t.equal(reply.status, 200)
    t.strictSame(await reply.json(), { n: 1 })
    t.strictSame(requests, ['GET /me', 'POST /echo', 'PUT /authorizations', 'POST /echo'])
    t.strictSame(headers.map(header => header !== undefined), [!access, !access, false, !access])
    clock.advance(ACCESS_LIFETIME)
    t.equal(await statusOf(client.fetch('/me')), 200, 'and once more')
    t.strictSame(ends, [])
  })

  test(`${name}: a page that was just loaded is known to open routes, too`, async t => {
    const { openTab, requests } = await open(t, profile)
    const client = openTab()
    t.equal(await userOf(client.fetch('/open')), 7)
    t.equal(await userOf(client.fetch('/open')), 7)
    t.strictSame(requests, access ? ['GET /open', 'GET /open'] : ['PUT /authorizations', 'GET /open', 'GET /open'])
  })

  test(`${name}: nobody is no error, and is asked for at most once more by a request that needs somebody`, async t => {
    const { openTab, requests, ends } = await open(t, profile)
    const client = openTab({ fetch: createJar().fetch })
    t.equal(await userOf(client.fetch('/open')), null)
    t.equal(await statusOf(client.fetch('/me')), 401)
    t.equal(await client.refresh(), false)
    const first = access ? [] : ['PUT /authorizations']
    t.strictSame(requests, [...first, 'GET /open', 'GET /me', 'PUT /authorizations', 'PUT /authorizations'])
    t.strictSame(ends, [])
  })

  test(`${name}: requests in parallel refresh once`, async t => {
    const { client, openTab, clock, refreshes } = await open(t, profile)
    clock.advance(ACCESS_LIFETIME)
    for (const page of [client, openTab()]) {
      const statuses = await Promise.all(Array.from({ length: 50 }, () => statusOf(page.fetch('/me'))))
      t.strictSame(new Set(statuses), new Set([200]))
    }
    t.equal(refreshes(), access ? 1 : 2)
  })

  test(`${name}: a reply to a refresh that is lost, cookies and all, is healed by the next one`, async t => {
    let isLost = true
    const { client, jar, clock, refreshes, ends } = await open(t, {
      ...profile,
      routes: { onSend: async ({ raw }) => { if (isLost && raw.method === 'PUT') raw.destroy() } }
    })
    clock.advance(ACCESS_LIFETIME)
    const before = new Map(jar.cookies)
    await t.rejects(Promise.all([client.fetch('/me'), client.fetch('/me')]), TypeError)
    t.strictSame(jar.cookies, before)

    isLost = false
    clock.advance(60)
    t.equal(await statusOf(client.fetch('/me')), 200)
    t.equal(refreshes(), 2)
    t.strictSame(ends, [])
  })

  test(`${name}: a refresh that is refused says so once, and rejects; open routes then see nobody`, async t => {
    const { client, openTab, clock, requests, ends } = await open(t, profile)
    clock.advance(REFRESH_LIFETIME)
    const failure = await failureOf(client.fetch('/me'))
    t.ok(failure instanceof AuthorizationError)
    t.match(failure, { status: 403, code: 'FST_DUAL_TOKEN_REFRESH_EXPIRED', signInRequired: true })
    t.strictSame(ends, [failure])
    t.equal(await userOf(client.fetch('/open')), null)
    t.match(await failureOf(client.fetch('/me')), { signInRequired: true })
    t.equal(ends.length, 1, 'and no second time')

    requests.length = 0
    t.equal(await userOf(openTab().fetch('/open')), null, 'a page that was just loaded is told, and answered')
    t.strictSame(requests, access ? ['GET /open'] : ['PUT /authorizations', 'GET /open'])
    t.equal(ends.length, access ? 1 : 2)

    await client.signIn(GOOD)
    t.equal(await statusOf(client.fetch('/me')), 200)
    clock.advance(REFRESH_LIFETIME)
    await t.rejects(client.fetch('/me'), AuthorizationError)
    t.equal(ends.length, access ? 2 : 3, 'the next sign-in is another one')
  })

  test(`${name}: requests in parallel call onSignInRequired once, whatever their number`, async t => {
    const { client, clock, ends } = await open(t, profile)
    clock.advance(REFRESH_LIFETIME)
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => statusOf(client.fetch('/me')).catch((error: AuthorizationError) => error.status)))
    t.strictSame(outcomes.filter(status => status !== 401 && status !== 403), [])
    t.equal(ends.length, 1)
  })

  test(`${name}: a server that always says that the token has expired is asked twice`, async t => {
    const { client, requests } = await open(t, {
      ...profile,
      prepare: app => app.get('/expired', async (request, reply) => reply.code(401).send({ code: 'FST_DUAL_TOKEN_ACCESS_EXPIRED' }))
    })
    t.strictSame(await (await client.fetch('/expired')).json(), { code: 'FST_DUAL_TOKEN_ACCESS_EXPIRED' })
    t.strictSame(requests, ['GET /expired', 'PUT /authorizations', 'GET /expired'])
  })

  test(`${name}: signing out deletes the cookies, ends the session, and may be done twice`, async t => {
    const { client, jar, requests, app } = await open(t, profile)
    const refreshToken = jar.cookies.get('__Host-Http-refresh_token')!
    await client.signOut()
    t.equal(jar.cookies.size, 0)
    t.strictSame(requests, ['DELETE /authorizations'])
    if (kind === 'with sessions') await t.rejects(app.dualToken.refreshTokens(refreshToken), { code: 'FST_DUAL_TOKEN_REFRESH_REVOKED' })
    await client.signOut()
    t.equal(await userOf(client.fetch('/open')), null)
    t.equal(requests.length, 3)
  })

  test(`${name}: a foreign page is refused by name, and nothing is given up`, async t => {
    const { client, openTab, jar, clock, ends } = await open(t, profile)
    const before = new Map(jar.cookies)
    jar.site = 'cross-site'
    const foreign = { status: 403, code: 'FST_DUAL_TOKEN_CROSS_ORIGIN', signInRequired: false }
    t.match(await failureOf(client.signIn(OTHER)), foreign)
    t.match(await failureOf(client.refresh()), foreign)
    t.match(await failureOf(client.signOut()), foreign)
    if (access) t.match(await failureOf(client.fetch('/echo', { method: 'POST' })), foreign)
    else t.match(await failureOf(openTab().fetch('/open')), foreign)
    clock.advance(ACCESS_LIFETIME)
    t.match(await failureOf(client.fetch('/me')), foreign)
    t.strictSame(jar.cookies, before)
    t.strictSame(ends, [])

    jar.site = 'same-origin'
    t.equal(await userOf(client.fetch('/me')), 7)
  })

  test(`${name}: a server that restarts keeps everybody signed in`, async t => {
    let isDown = false
    let isStarting = false
    const jar = createJar()
    const { client, clock, ends } = await open(t, profile, {
      async fetch (input, init) {
        if (isDown) throw new TypeError('connection refused')
        return isStarting ? new Response('<h1>Bad gateway</h1>', { status: 503 }) : await jar.fetch(input, init)
      }
    })
    clock.advance(ACCESS_LIFETIME)
    for (const phase of [1, 2]) {
      isDown = phase === 1
      isStarting = phase === 2
      const failure = await failureOf(client.refresh())
      t.match(failure, phase === 1 ? { message: 'connection refused' } : { status: 503, signInRequired: false })
      await t.rejects(client.signOut())
      if (phase === 1) await t.rejects(client.fetch('/me'), TypeError)
    }
    isStarting = false
    t.equal(await userOf(client.fetch('/me')), 7)
    t.strictSame(ends, [])
  })

  test(`${name}: a tab that hears of another one's sign-in or sign-out forgets what it knew`, async t => {
    const channels = createChannels()
    const { client, openTab, ends } = await open(t, profile, { locks: createLocks() })
    const [tab, other] = [openTab({ channel: channels.open() }), openTab({ channel: channels.open() })]
    t.equal(await userOf(tab.fetch('/me')), 7)
    await other.signIn(OTHER)
    await settled()
    t.equal(await userOf(tab.fetch('/me')), 8)
    await other.signOut()
    await settled()
    t.equal(await userOf(tab.fetch('/open')), null)
    t.strictSame(channels.posted.filter(message => message !== 'refreshed'), ['replaced', 'replaced'])
    t.strictSame(ends, [])
    if (!access) t.equal(await userOf(client.fetch('/me')), 7, 'without a channel it goes on with the token that it has')
  })

  test(`${name}: two tabs whose token has expired take turns by one lock`, async t => {
    const locks = createLocks()
    const channels = createChannels()
    const { openTab, clock, refreshes, jar, origin } = await open(t, profile, { locks })
    const tabs = [openTab({ channel: channels.open() }), openTab({ channel: channels.open() })]
    t.strictSame(await Promise.all(tabs.map(tab => userOf(tab.fetch('/me')))), [7, 7])
    clock.advance(ACCESS_LIFETIME)
    const before = refreshes()
    t.strictSame(await Promise.all(tabs.map(tab => userOf(tab.fetch('/me')))), [7, 7])
    t.ok(refreshes() - before <= 2)
    t.equal(jar.claimsOf('refresh')!.user_id, 7)
    t.strictSame([...locks.names], [`fastify-dual-token cookies ${origin}/authorizations`])
    t.strictSame(new Set(channels.posted), new Set(access ? ['refreshed'] : []))
  })
}

/** What was posted on a channel has been heard. */
async function settled (): Promise<void> {
  await new Promise(resolve => setImmediate(setImmediate, resolve))
}

for (const access of [false, true]) {
  const profile = { kind: 'with sessions', access } as const
  const where = access ? 'both tokens in cookies' : 'the refresh token in a cookie'

  /** A slow refresh of one user, and a sign-in of another one in another tab; resolves to whose cookies are left. */
  async function signInDuringRefresh (t: Test, hasLocks: boolean): Promise<unknown> {
    const gate = createGate()
    const locks = createLocks()
    const { client, openTab, jar, clock } = await open(t, { ...profile, routes: { loadUser: gate.loadUser } }, { locks: hasLocks ? locks : null })
    clock.advance(ACCESS_LIFETIME)
    const status = statusOf(client.fetch('/me'))
    await gate.reached
    const signedIn = openTab().signIn(OTHER)
    await (hasLocks ? locks.queued : signedIn)
    gate.open()
    await Promise.all([status, signedIn])
    return jar.claimsOf('refresh')!.user_id
  }

  test(`${where}: who signs in during the slow refresh of another tab has the cookies in the end`, async t => {
    t.equal(await signInDuringRefresh(t, true), 8)
  })

  test(`${where}: without a lock they end with the first user: the lock is what holds it`, async t => {
    t.equal(await signInDuringRefresh(t, false), 7)
  })

  /** A request of one user is refused, and another one signs in elsewhere before its refresh; resolves to whom the request ran as. */
  async function signInBeforeRefresh (t: Test, hasChannel: boolean, change: (tab: CookieClient) => Promise<void>): Promise<{ runs: unknown[], status: number }> {
    const runs: unknown[] = []
    const held = createHold()
    const { openTab, clock } = await open(t, {
      ...profile,
      prepare: app => app.post('/transfer', { preHandler: app.loginRequired, onSend: held.hold }, async ({ user }) => { runs.push(user!.user_id) })
    }, { locks: createLocks() })
    const channels = createChannels()
    const [tab, other] = [0, 1].map(() => openTab({ channel: hasChannel ? channels.open() : null })) as [CookieClient, CookieClient]
    await tab.fetch('/me')
    clock.advance(ACCESS_LIFETIME)
    const status = statusOf(tab.fetch('/transfer', { method: 'POST' }))
    await held.reached
    await change(other)
    held.release()
    return { status: await status, runs }
  }

  test(`${where}: a request is not sent again as somebody else who signed in in another tab`, async t => {
    t.strictSame(await signInBeforeRefresh(t, true, tab => tab.signIn(OTHER)), { status: 401, runs: [] })
  })

  test(`${where}: without a channel it is: the channel is what holds it`, async t => {
    t.strictSame(await signInBeforeRefresh(t, false, tab => tab.signIn(OTHER)), { status: 200, runs: [8] })
  })

  test(`${where}: a request is not sent again after a sign-out in another tab`, async t => {
    t.strictSame(await signInBeforeRefresh(t, true, tab => tab.signOut()), { status: 401, runs: [] })
  })

  test(`${where}: a session that was ended says so once, without a refresh`, async t => {
    const { client, app, refreshes, ends } = await open(t, profile)
    await client.fetch('/me')
    await app.dualToken.revokeUser(7)
    const failure = await failureOf(client.fetch('/me'))
    t.match(failure, { status: 401, code: 'FST_DUAL_TOKEN_ACCESS_REVOKED', signInRequired: true })
    t.equal(refreshes(), 0)
    await t.rejects(client.fetch('/me'), AuthorizationError)
    t.strictSame(ends, [failure])
    await client.signOut()
  })

  test(`${where}: a sign-out that the server cannot do keeps the user signed in, and says so`, async t => {
    const { client, jar, told } = await open(t, profile)
    told.instead.set('revoke', FAILURES['it rejects']!)
    t.match(await failureOf(client.signOut()), { status: 503, signInRequired: false })
    t.ok(jar.cookies.size > 0)
    t.equal(await userOf(client.fetch('/me')), 7)
    told.instead.clear()
    await client.signOut()
    t.equal(jar.cookies.size, 0)
  })

  test(`${where}: a session that ended during a refresh that another tab has overtaken is nobody's business`, async t => {
    const channels = createChannels()
    let answer!: (reply: Response) => void
    let arrive!: () => void
    let isHeld = false
    const reached = new Promise<void>(resolve => { arrive = resolve })
    const { openTab, jar, clock, ends } = await open(t, profile)
    const other = openTab({ channel: channels.open() })
    const tab = openTab({
      channel: channels.open(),
      async fetch (input, init) {
        if (init?.method !== 'PUT' || !isHeld) return await jar.fetch(input, init)
        arrive()
        return await new Promise(resolve => { answer = resolve })
      }
    })
    await tab.fetch('/me')
    clock.advance(ACCESS_LIFETIME)
    isHeld = true
    const status = statusOf(tab.fetch('/me'))
    await reached
    await other.signIn(OTHER)
    await settled()
    answer(Response.json({ code: 'FST_DUAL_TOKEN_REFRESH_REVOKED' }, { status: 403 }))
    t.equal(await status, 401)
    t.strictSame(ends, [])
  })

  test(`${where}: after a sign-in whose reply was lost nobody can say who is signed in, and the next request asks`, async t => {
    let isLost = false
    const jar = createJar()
    const { client, openTab } = await open(t, profile, {
      async fetch (input, init) {
        const reply = await jar.fetch(input, init)
        if (isLost) throw new TypeError('lost')
        return reply
      }
    })
    const channels = createChannels()
    const [tab, other] = [openTab({ channel: channels.open() }), openTab({ channel: channels.open() })]
    t.equal(await userOf(other.fetch('/me')), 7)
    isLost = true
    await t.rejects(tab.signIn(OTHER), TypeError)
    isLost = false
    await settled()
    t.equal(await userOf(tab.fetch('/me')), 8)
    t.equal(await userOf(other.fetch('/me')), 8)
    t.equal(await userOf(client.fetch('/me')), access ? 8 : 7)
  })

  test(`${where}: a sign-in that the client did not make is found by refresh, or by the first request that needs it`, async t => {
    const { openTab, jar } = await open(t, profile)
    const signedIn = new Map(jar.cookies)
    jar.cookies.clear()
    const [tab, other] = [openTab(), openTab()]
    for (const page of [tab, other]) t.equal(await userOf(page.fetch('/open')), null)
    for (const [name, value] of signedIn) jar.cookies.set(name, value)
    t.equal(await tab.refresh(), true)
    t.equal(await userOf(tab.fetch('/open')), 7)
    t.equal(await userOf(other.fetch('/me')), 7)
  })

  test(`${where}: a client whose option access differs from the server's works as well`, async t => {
    const { openTab, clock } = await open(t, profile)
    const client = openTab({ access: !access })
    t.equal(await userOf(client.fetch('/me')), 7)
    clock.advance(ACCESS_LIFETIME)
    t.equal(await userOf(client.fetch('/me')), 7)
  })
}

test('a sign-in that is refused says so, and keeps who was there', async t => {
  const { client, ends } = await open(t)
  t.match(await failureOf(client.signIn({ password: 'bad' })), { status: 401, code: 'FST_DUAL_TOKEN_LOGIN_REFUSED', signInRequired: false })
  t.equal(await userOf(client.fetch('/me')), 7)
  t.strictSame(ends, [])
})

test('within one tab a sign-in waits for the refresh before it, without any lock', async t => {
  const gate = createGate()
  const { client, jar, clock, requests } = await open(t, { kind: 'with sessions', routes: { loadUser: gate.loadUser } })
  clock.advance(ACCESS_LIFETIME)
  const status = statusOf(client.fetch('/me'))
  await gate.reached
  const signedIn = client.signIn(OTHER)
  gate.open()
  await Promise.all([status, signedIn])
  t.strictSame(requests.filter(line => line.endsWith('/authorizations')), ['PUT /authorizations', 'POST /authorizations'])
  t.equal(jar.claimsOf('refresh')!.user_id, 8)
})

test('a refresh that has waited for a sign-in asks the server nothing more', async t => {
  const login = createGate()
  const { client, requests } = await open(t, {
    routes: { login: async ({ user_id: id = 7 }, request) => id === 8 ? await login.loadUser(8, request) : { user_id: id as number } }
  })
  const signedIn = client.signIn(OTHER)
  const refreshed = client.refresh()
  await login.reached
  login.open()
  await signedIn
  t.equal(await refreshed, true)
  t.strictSame(requests, ['POST /authorizations'])
  t.equal(await userOf(client.fetch('/me')), 8)
})

test('no other refusal causes a refresh, and the body of each can be read', async t => {
  const { client, requests } = await open(t, {
    prepare (app) {
      app.get('/plain', async (request, reply) => reply.code(401).send('no JSON'))
      app.get('/forbidden', async (request, reply) => reply.code(403).send({ code: 'MINE' }))
    }
  })
  t.equal(await (await client.fetch('/plain')).text(), 'no JSON')
  t.strictSame(await (await client.fetch('/forbidden')).json(), { code: 'MINE' })
  t.strictSame(requests, ['GET /plain', 'GET /forbidden'])
})

test('a step that fails does not hold up the next one', async t => {
  const { client } = await open(t)
  const outcomes = await Promise.allSettled([client.signIn({ password: 'bad' }), client.signIn(OTHER)])
  t.strictSame(outcomes.map(({ status }) => status), ['rejected', 'fulfilled'])
  t.equal(await userOf(client.fetch('/me')), 8)
})

test('a sign-out to a path without the ready routes is no sign-out', async t => {
  const { openTab, jar } = await open(t)
  t.match(await failureOf(openTab({ path: '/nowhere' }).signOut()), { status: 404 })
  t.ok(jar.cookies.size > 0)
})

test('a signal ends the wait of a page that asks who is signed in', async t => {
  const reason = new Error('no longer wanted')
  const gate = createGate()
  const { openTab } = await open(t, { routes: { loadUser: gate.loadUser } })
  const controller = new AbortController()
  const client = openTab()
  const failure = failureOf(client.fetch('/open', { signal: controller.signal }))
  await gate.reached
  controller.abort(reason)
  t.equal(await failure, reason)
  gate.open()
  t.equal(await userOf(client.fetch('/open')), 7)
})

test('a stream is sent once: the refusal comes back, and the next request is answered', async t => {
  const { client, clock, requests } = await open(t)
  clock.advance(ACCESS_LIFETIME)
  const stream = { body: new Blob(['one']).stream() as NonNullable<RequestInit['body']>, duplex: 'half' } as RequestInit
  t.equal(await statusOf(client.fetch('/echo', { method: 'POST', headers: { 'content-type': 'text/plain' }, ...stream })), 401)
  t.strictSame(requests, ['POST /echo', 'PUT /authorizations'])
  t.equal(await statusOf(client.fetch('/me')), 200)
})

test('a GET that gets a 503 because the store is down is sent again', async t => {
  let runs = 0
  const { client } = await open(t, { prepare: app => app.get('/busy', async (request, reply) => ++runs < 3 ? reply.code(503).send(BUSY) : 'done') })
  t.equal(await statusOf(client.fetch('/busy')), 200)
})

test('cookies go only to the origin of the API, and a request with its own Authorization stays unchanged', async t => {
  const sent: Array<[url: string, credentials: string, authorization: string | null]> = []
  const client = createCookieClient({
    baseUrl: 'https://api.example.com/v1/',
    async fetch (input, init) {
      const request = new Request(input, init)
      sent.push([request.url, request.credentials, request.headers.get('authorization')])
      return Response.json({ token: 'a' }, { status: 201 })
    }
  })
  const own = 'https://api.example.com'
  await client.fetch('me')
  await client.fetch(new Request(`${own}/me`, { credentials: 'omit' }))
  await client.fetch(`${own}/me`, { headers: { authorization: 'Bearer own' } })
  for (const url of ['https://api.example.com.evil.test/', 'http://api.example.com/', `${own}:444/`, '//evil.test/']) await client.fetch(url)
  t.strictSame(sent, [
    [`${own}/authorizations`, 'include', null],
    [`${own}/v1/me`, 'include', 'Bearer a'],
    [`${own}/me`, 'include', 'Bearer a'],
    [`${own}/me`, 'same-origin', 'Bearer own'],
    ['https://api.example.com.evil.test/', 'same-origin', null],
    ['http://api.example.com/', 'same-origin', null],
    [`${own}:444/`, 'same-origin', null],
    ['https://evil.test/', 'same-origin', null]
  ])
})

test('credentials follow no redirect', async t => {
  const seen: string[] = []
  const server = createServer((request, response) => {
    seen.push(request.url!)
    response.writeHead(307, { location: '/moved' }).end()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const client = createCookieClient({ baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
  await t.rejects(client.signIn(GOOD), TypeError)
  await t.rejects(client.signOut(), TypeError)
  await t.rejects(client.fetch('/me'), TypeError)
  t.strictSame(seen, ['/authorizations', '/authorizations', '/authorizations'])
})

/** Gives a global another value during a test; `undefined` takes it away. */
function setGlobal (t: Test, name: string, value: unknown): void {
  const before = Object.getOwnPropertyDescriptor(globalThis, name)
  const remove = () => Reflect.deleteProperty(globalThis, name)
  if (value === undefined) remove()
  else Object.defineProperty(globalThis, name, { value, configurable: true })
  t.teardown(() => before === undefined ? remove() : Object.defineProperty(globalThis, name, before))
}

for (const [place, isSecureContext, usesLocks, usesChannel] of [
  ['a page of a browser', true, true, true], ['a page that was loaded by http', false, false, true], ['Node.js', undefined, false, false]
] as const) {
  test(`in ${place}, locks are ${usesLocks ? '' : 'not '}used by default, and a channel is ${usesChannel ? '' : 'not '}`, async t => {
    const names: string[] = []
    const channels = createChannels()
    const locks = createLocks()
    const FakeChannel = function (name: string): TokenChannel {
      names.push(name)
      return channels.open()
    }
    for (const [name, value] of Object.entries({ isSecureContext, navigator: { locks }, BroadcastChannel: FakeChannel })) setGlobal(t, name, value)
    const { origin } = await open(t)
    const name = `fastify-dual-token cookies ${origin}/authorizations`
    t.strictSame([...locks.names], usesLocks ? [name] : [])
    t.strictSame(names, usesChannel ? [name] : [])
    t.equal(channels.posted.length, usesChannel ? 1 : 0)

    setGlobal(t, 'BroadcastChannel', undefined)
    await open(t)
    t.equal(names.length, usesChannel ? 1 : 0, 'where there is none, a client does without')
  })
}

test('the options table names every option', async t => {
  const names: Record<keyof CookieClientOptions, true> = {
    baseUrl: true, path: true, access: true, onSignInRequired: true, onReauthenticationRequired: true, dpop: true, fetch: true, locks: true, channel: true, timeout: true, wait: true
  }
  t.strictSame(readPage('docs/clients.md').rows('Tokens in cookies', 'option').map(([name]) => name), Object.keys(names))
})
