// The client for cookies in two tabs of a real browser, which share one jar of cookies.
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { t as file, test, type Test } from 'tap'
import { openBrowser, withoutBrowser } from '../support/browser.ts'
import { createGate, createHold, KINDS, startClientApp, type ClientApp, type ClientAppOptions } from '../support/client-app.ts'
import { importMap, serveClient } from '../support/client-scripts.ts'
import { FAILURES } from '../support/session-app.ts'
import { ACCESS_LIFETIME, REFRESH_LIFETIME } from '../support/tokens.ts'

const NAMES = { refresh: '__Host-Http-refresh_token', access: '__Host-Http-access_token' }
/** Takes the locks, or the channels, away from all pages. */
const WITHOUT_LOCKS = 'delete Navigator.prototype.locks'
const WITHOUT_CHANNELS = 'delete globalThis.BroadcastChannel'

interface OpenOptions extends ClientAppOptions {
  readonly access: boolean
  /** A script that runs before those of the pages. */
  readonly before?: string
}

interface Setting extends ClientApp {
  readonly tabs: [Page, Page]
  readonly context: BrowserContext
}

function pageOf (access: boolean): string {
  return `<!doctype html>
<title>A tab</title>
${importMap}
<script type="module">
  import { createCookieClient } from 'fastify-dual-token/client'
  globalThis.ends = []
  globalThis.heard = []
  globalThis.client = createCookieClient({
    baseUrl: location.origin,
    access: ${access},
    onSignInRequired: ({ code }) => ends.push(code),
    wait: async () => {}
  })
  globalThis.statusOf = path => client.fetch(path).then(({ status }) => status)
  globalThis.userOf = path => client.fetch(path).then(reply => reply.json()).then(({ user }) => user?.user_id ?? null)
  if (globalThis.BroadcastChannel) {
    globalThis.witness = new BroadcastChannel('fastify-dual-token cookies ' + location.origin + '/authorizations')
    witness.onmessage = ({ data }) => heard.push(data)
  }
</script>`
}

/** One for all tests, each of which has a context of its own. */
let browser: Promise<Browser> | undefined

/** A server, and two tabs of its page at http://app.localhost, signed in as the user 7. */
async function open (t: Test, { access, before, prepare, ...options }: OpenOptions): Promise<Setting> {
  const server = await startClientApp(t, {
    cookies: { access },
    ...options,
    prepare (app) {
      app.get('/', async (request, reply) => reply.type('text/html').send(pageOf(access)))
      serveClient(app)
      prepare?.(app)
    }
  })
  browser ??= openBrowser(file)
  const context = await (await browser).newContext()
  t.teardown(() => context.close())
  if (before !== undefined) await context.addInitScript(before)
  const tabs: [Page, Page] = [await context.newPage(), await context.newPage()]
  for (const tab of tabs) {
    await tab.goto(server.origin.replace('127.0.0.1', 'app.localhost'))
    await tab.waitForFunction('globalThis.client')
  }
  await tabs[0].evaluate("client.signIn({ password: 'good' })")
  t.strictSame(await Promise.all(tabs.map(tab => tab.evaluate("userOf('/me')"))), [7, 7], 'what one signs in, both are')
  server.forget()
  return { ...server, tabs, context }
}

/** The user of a cookie, `null` without one. */
async function userIn (context: BrowserContext, kind: keyof typeof NAMES): Promise<unknown> {
  const cookie = (await context.cookies()).find(({ name }) => name === NAMES[kind])
  if (cookie === undefined) return null
  const { user_id: userId } = JSON.parse(Buffer.from(cookie.value.split('.')[1]!, 'base64url').toString()) as { user_id: number }
  return userId
}

/** Somebody holds the lock, and somebody waits for it. */
async function lockAwaited (tab: Page): Promise<void> {
  await tab.waitForFunction('navigator.locks.query().then(({ held, pending }) => held.length === 1 && pending.length >= 1)')
}

/** A tab has heard that another one has signed somebody in or out. */
async function heardOf (tab: Page): Promise<void> {
  await tab.waitForFunction("heard.includes('replaced')")
}

const PROFILES = KINDS.flatMap(kind => [false, true].map(access => ({ kind, access, name: `${kind}, ${access ? 'both tokens' : 'the refresh token'} in a cookie` })))

for (const { name, kind, access } of PROFILES) {
  test(`${name}: two tabs refresh at once, one after the other, and no script sees a cookie`, { skip: withoutBrowser }, async t => {
    const gate = createGate()
    let isGated = false
    let running = 0
    let most = 0
    const { tabs, context, clock, refreshes } = await open(t, {
      kind,
      access,
      routes: {
        async loadUser (userId, request) {
          most = Math.max(most, ++running)
          if (isGated) await gate.loadUser(userId, request)
          running--
          return { user_id: userId }
        }
      }
    })
    const cookies = await context.cookies()
    t.strictSame(cookies.map(({ name, httpOnly, secure, path }) => ({ name, httpOnly, secure, path })).sort((a, b) => a.name < b.name ? 1 : -1),
      (access ? [NAMES.refresh, NAMES.access] : [NAMES.refresh]).map(name => ({ name, httpOnly: true, secure: true, path: '/' })))
    t.equal(await tabs[0].evaluate('document.cookie'), '')

    clock.advance(ACCESS_LIFETIME)
    isGated = true
    const users = Promise.all(tabs.map(tab => tab.evaluate("userOf('/me')")))
    await gate.reached
    await lockAwaited(tabs[0])
    gate.open()
    t.strictSame(await users, [7, 7])
    // The second tab may have its turn before it hears of the first one's refresh.
    t.ok(refreshes() <= 2)
    t.equal(most, 1)
    t.equal(await userIn(context, 'refresh'), 7)
    clock.advance(ACCESS_LIFETIME)
    t.strictSame(await Promise.all(tabs.map(tab => tab.evaluate("userOf('/me')"))), [7, 7])
  })

  test(`${name}: a tab that has heard of another one's refresh ${access ? 'does without one' : 'still needs a token of its own'}`, { skip: withoutBrowser }, async t => {
    const held = createHold()
    const { tabs: [tab, other], clock, refreshes } = await open(t, {
      kind,
      access,
      prepare: app => app.get('/held', { preHandler: app.loginRequired, onSend: held.hold }, async ({ user }) => ({ user }))
    })
    clock.advance(ACCESS_LIFETIME)
    const user = other.evaluate("userOf('/held')")
    await held.reached
    t.equal(await tab.evaluate("userOf('/me')"), 7)
    if (access) await other.waitForFunction("heard.includes('refreshed')")
    held.release()
    t.equal(await user, 7)
    t.equal(refreshes(), access ? 1 : 2)
  })

  test(`${name}: two tabs of a browser without locks refresh twice, and both stay signed in`, { skip: withoutBrowser }, async t => {
    const gate = createGate(2)
    let isGated = false
    const { tabs, clock, refreshes } = await open(t, {
      kind,
      access,
      before: WITHOUT_LOCKS,
      routes: { loadUser: async (userId, request) => isGated ? await gate.loadUser(userId, request) : { user_id: userId } }
    })
    clock.advance(ACCESS_LIFETIME)
    isGated = true
    const users = Promise.all(tabs.map(tab => tab.evaluate("Promise.all([userOf('/me'), userOf('/me')])")))
    await gate.reached
    t.equal(refreshes(), 2, 'one for each tab, whatever the number of its requests')
    gate.open()
    t.strictSame(await users, [[7, 7], [7, 7]])
    clock.advance(ACCESS_LIFETIME)
    t.strictSame(await Promise.all(tabs.map(tab => tab.evaluate("userOf('/me')"))), [7, 7])
  })

  test(`${name}: a lost reply, whose cookies the browser never saw, is healed by the next request`, { skip: withoutBrowser }, async t => {
    let isLost = false
    const { tabs: [tab, other], clock, context } = await open(t, {
      kind,
      access,
      routes: { onSend: async ({ raw }) => { if (isLost && raw.method === 'PUT') raw.destroy() } }
    })
    const before = (await context.cookies()).map(({ value }) => value).sort()
    clock.advance(ACCESS_LIFETIME)
    isLost = true
    t.equal(await tab.evaluate("userOf('/me').catch(error => error.name)"), 'TypeError')
    t.strictSame((await context.cookies()).map(({ value }) => value).sort(), before)
    isLost = false
    clock.advance(60)
    for (const page of [tab, other]) {
      t.equal(await page.evaluate("userOf('/me')"), 7)
      t.strictSame(await page.evaluate('ends'), [])
    }
  })

  test(`${name}: signing out in one tab signs the other one out`, { skip: withoutBrowser }, async t => {
    const { tabs: [tab, other], context, requests } = await open(t, { kind, access })
    await tab.evaluate('client.signOut()')
    await heardOf(other)
    t.strictSame(await context.cookies(), [])
    t.equal(await other.evaluate("userOf('/open')"), null)
    t.equal(await other.evaluate("statusOf('/me')"), 401)
    t.strictSame(await other.evaluate('ends'), [])
    t.strictSame(requests.filter(line => line.startsWith('DELETE')), ['DELETE /authorizations'])
  })

  test(`${name}: who signs out in another tab during a slow refresh is signed out in the end`, { skip: withoutBrowser }, async t => {
    const gate = createGate()
    let isGated = false
    const { tabs: [tab, other], context, clock } = await open(t, {
      kind,
      access,
      routes: { loadUser: async (userId, request) => isGated ? await gate.loadUser(userId, request) : { user_id: userId } }
    })
    clock.advance(ACCESS_LIFETIME)
    isGated = true
    const status = tab.evaluate("statusOf('/me')")
    await gate.reached
    const signedOut = other.evaluate('client.signOut()')
    await lockAwaited(other)
    gate.open()
    await Promise.all([status, signedOut])
    t.strictSame(await context.cookies(), [])
    await heardOf(tab)
    t.equal(await tab.evaluate("userOf('/open')"), null)
  })
}

for (const access of [false, true]) {
  const profile = { kind: 'with sessions', access } as const
  const where = access ? 'both tokens in cookies' : 'the refresh token in a cookie'

  /** The user 8 signs in in one tab during a slow refresh of the user 7 in another one; resolves to whose cookies are left. */
  async function signInDuringRefresh (t: Test, hasLocks: boolean): Promise<unknown> {
    const gate = createGate()
    let isGated = false
    const { tabs: [tab, other], context, clock } = await open(t, {
      ...profile,
      ...(hasLocks ? {} : { before: WITHOUT_LOCKS }),
      routes: { loadUser: async (userId, request) => isGated ? await gate.loadUser(userId, request) : { user_id: userId } }
    })
    clock.advance(ACCESS_LIFETIME)
    isGated = true
    const status = tab.evaluate("statusOf('/me')")
    await gate.reached
    const signedIn = other.evaluate("client.signIn({ password: 'good', user_id: 8 })")
    await (hasLocks ? lockAwaited(other) : signedIn)
    isGated = false
    gate.open()
    await Promise.all([status, signedIn])
    return await userIn(context, 'refresh')
  }

  test(`${where}: who signs in during the slow refresh of another tab has the cookies in the end`, { skip: withoutBrowser }, async t => {
    t.equal(await signInDuringRefresh(t, true), 8)
  })

  test(`${where}: without locks they end with the first user: the lock is what holds it`, { skip: withoutBrowser }, async t => {
    t.equal(await signInDuringRefresh(t, false), 7)
  })

  /** The request of the user 7 is refused, and the user 8 signs in in another tab before it is refreshed for; resolves to whom it ran as. */
  async function signInBeforeRefresh (t: Test, hasChannels: boolean): Promise<unknown> {
    const runs: unknown[] = []
    const held = createHold()
    const { tabs: [tab, other], clock } = await open(t, {
      ...profile,
      ...(hasChannels ? {} : { before: WITHOUT_CHANNELS }),
      prepare: app => app.get('/transfer', { preHandler: app.loginRequired, onSend: held.hold }, async ({ user }) => { runs.push(user!.user_id) })
    })
    clock.advance(ACCESS_LIFETIME)
    const status = tab.evaluate("statusOf('/transfer')")
    await held.reached
    await other.evaluate("client.signIn({ password: 'good', user_id: 8 })")
    if (hasChannels) await heardOf(tab)
    held.release()
    return { status: await status, runs }
  }

  test(`${where}: no request is sent again as somebody else who signed in in another tab`, { skip: withoutBrowser }, async t => {
    t.strictSame(await signInBeforeRefresh(t, true), { status: 401, runs: [] })
  })

  test(`${where}: without channels it is: the channel is what holds it`, { skip: withoutBrowser }, async t => {
    t.strictSame(await signInBeforeRefresh(t, false), { status: 200, runs: [8] })
  })

  test(`${where}: nor when the refresh has waited for that sign-in`, { skip: withoutBrowser }, async t => {
    const runs: unknown[] = []
    const login = createGate()
    const { tabs: [tab, other], context, clock } = await open(t, {
      ...profile,
      routes: { login: async ({ user_id: id = 7 }, request) => id === 8 ? await login.loadUser(8, request) : { user_id: id as number } },
      prepare: app => app.get('/transfer', { preHandler: app.loginRequired }, async ({ user }) => { runs.push(user!.user_id) })
    })
    clock.advance(ACCESS_LIFETIME)
    const signedIn = other.evaluate("client.signIn({ password: 'good', user_id: 8 })")
    await login.reached
    const status = tab.evaluate("statusOf('/transfer')")
    await lockAwaited(tab)
    login.open()
    await signedIn
    t.equal(await status, 401)
    t.strictSame(runs, [])
    t.equal(await userIn(context, 'refresh'), 8)
    t.equal(await tab.evaluate("userOf('/me')"), 8)
  })

  test(`${where}: a server that restarts, and a store that is down, keep both tabs signed in`, { skip: withoutBrowser }, async t => {
    const { tabs, clock, told, app, context } = await open(t, profile)
    clock.advance(ACCESS_LIFETIME)
    told.instead.set('rotate', FAILURES['it rejects']!)
    for (const tab of tabs) t.equal(await tab.evaluate("userOf('/me').catch(({ status }) => status)"), 503)
    told.instead.clear()

    const { port } = app.server.address() as { port: number }
    const closed = new Promise(resolve => app.server.close(resolve))
    app.server.closeAllConnections()
    await closed
    for (const tab of tabs) t.equal(await tab.evaluate("userOf('/me').catch(({ name }) => name)"), 'TypeError')
    await new Promise<void>(resolve => { app.server.listen(port, '127.0.0.1', resolve) })
    for (const tab of tabs) {
      t.equal(await tab.evaluate("userOf('/me')"), 7)
      t.strictSame(await tab.evaluate('ends'), [])
    }
    t.equal(await userIn(context, 'refresh'), 7)
  })

  test(`${where}: a sign-in that has ended is said once in each tab`, { skip: withoutBrowser }, async t => {
    const { tabs, clock } = await open(t, profile)
    clock.advance(REFRESH_LIFETIME)
    for (const tab of tabs) {
      for (const time of ['at first', 'and again']) {
        t.equal(await tab.evaluate("userOf('/me').catch(({ code }) => code)"), 'FST_DUAL_TOKEN_REFRESH_EXPIRED', time)
      }
      t.strictSame(await tab.evaluate('ends'), ['FST_DUAL_TOKEN_REFRESH_EXPIRED'])
    }
  })
}
