// The browser examples of docs/clients.md, as they stand, in two tabs of a real browser.
import type { BrowserContext, Page } from 'playwright-core'
import { test, type Test } from 'tap'
import { openBrowser, withoutBrowser } from '../support/browser.ts'
import { importMap, serveClient } from '../support/client-scripts.ts'
import { createGate, KINDS, startClientApp, type ClientApp, type ClientAppOptions } from '../support/client-app.ts'
import { readPage } from '../support/markdown.ts'
import { ACCESS_LIFETIME, REFRESH_LIFETIME } from '../support/tokens.ts'

const { blocks } = readPage('docs/clients.md')
const inLocalStorage = blocks('ts').find(block => block.includes('localStorage'))!.split('\n\nawait ')[0]!
const inIndexedDb = `${inLocalStorage.replace(/storage: \{[^]*?\n {2}\}/, 'storage: sharedStorage()')}\n${blocks('js')[0]!}`

/** A worker that is told where the server is, and tells the status of `GET /me`. */
const inWorker = `
  ${blocks('js')[0]!}
  onmessage = async ({ data: baseUrl }) => {
    const { createTokenClient } = await import(baseUrl + '/client/index.js')
    const { status } = await createTokenClient({ baseUrl, storage: sharedStorage() }).fetch('/me')
    postMessage(status)
  }`

function pageOf (example: string): string {
  return `<!doctype html>
<title>A tab</title>
${importMap}
<script type="module">${example}
  globalThis.client = client</script>`
}

interface OpenOptions extends ClientAppOptions {
  readonly example?: string
  readonly prepareContext?: (context: BrowserContext) => Promise<unknown>
}

interface Setting extends ClientApp {
  readonly tabs: Page[]
}

/** A server, and two tabs of its page, signed in. */
async function open (t: Test, { example = inIndexedDb, prepareContext, ...options }: OpenOptions): Promise<Setting> {
  const server = await startClientApp(t, {
    ...options,
    prepare (app) {
      app.get('/', async (request, reply) => reply.type('text/html').send(pageOf(example)))
      app.get('/sign-in', async (request, reply) => reply.type('text/html').send('<!doctype html><title>Sign in</title>'))
      serveClient(app)
    }
  })
  const context = await (await openBrowser(t)).newContext()
  await prepareContext?.(context)
  const tabs = [await context.newPage(), await context.newPage()]
  for (const tab of tabs) {
    await tab.goto(server.origin)
    await tab.waitForFunction('globalThis.client')
  }
  await tabs[0]!.evaluate("client.signIn({ password: 'good' })")
  for (const tab of tabs) await tab.waitForFunction("client.fetch('/me').then(({ ok }) => ok)")
  server.forget()
  return { ...server, tabs }
}

/** The status of `GET /me` in a tab. */
async function me (tab: Page): Promise<unknown> {
  return await tab.evaluate("client.fetch('/me').then(({ status }) => status)")
}

/** What a tab sees in `localStorage`. */
async function stored (tab: Page): Promise<unknown> {
  return await tab.evaluate("localStorage.getItem('tokens')")
}

/** Two tabs whose token has expired refresh at once: the one that comes second waits for the lock. */
async function refreshAtOnce (t: Test, options: OpenOptions): Promise<Setting> {
  const gate = createGate()
  const setting = await open(t, { ...options, routes: { loadUser: gate.loadUser } })
  const { tabs, clock } = setting
  t.strictSame(await Promise.all(tabs.map(me)), [200, 200], 'what one signs in, both are')
  clock.advance(ACCESS_LIFETIME)

  const statuses = Promise.all(tabs.map(me))
  await gate.reached
  await tabs[0]!.waitForFunction('navigator.locks.query().then(({ held, pending }) => held.length === 1 && pending.length === 1)')
  gate.open()
  t.strictSame(await statuses, [200, 200])
  return setting
}

for (const kind of KINDS) {
  test(`${kind}: two tabs whose token has expired refresh at once, and one refresh reaches the server`, { skip: withoutBrowser }, async t => {
    const { requests, refreshes } = await refreshAtOnce(t, { kind })
    t.equal(refreshes(), 1)
    t.equal(requests.filter(line => line === 'GET /me').length, 6)
  })

  test(`${kind}: two tabs on localStorage, that may lag, refresh twice at worst, and both stay signed in`, { skip: withoutBrowser }, async t => {
    const { tabs, clock, refreshes } = await refreshAtOnce(t, { kind, example: inLocalStorage })
    t.ok(refreshes() <= 2)
    while (await stored(tabs[0]!) !== await stored(tabs[1]!));
    clock.advance(ACCESS_LIFETIME)
    t.strictSame(await Promise.all(tabs.map(me)), [200, 200])
  })

  test(`${kind}: two tabs of a browser without locks refresh twice, and both stay signed in`, { skip: withoutBrowser }, async t => {
    const gate = createGate(2)
    const { tabs, clock, refreshes } = await open(t, {
      kind,
      routes: { loadUser: gate.loadUser },
      prepareContext: context => context.addInitScript('delete Navigator.prototype.locks')
    })
    clock.advance(ACCESS_LIFETIME)
    const statuses = Promise.all(tabs.map(me))
    await gate.reached
    gate.open()
    t.strictSame(await statuses, [200, 200])
    t.equal(refreshes(), 2)

    clock.advance(ACCESS_LIFETIME)
    t.equal(await me(tabs[0]!), 200)
    t.equal(await me(tabs[1]!), 200)
    t.equal(refreshes(), 3)
  })
}

test('a worker and its page, on one storage, refresh one after the other by one lock', { skip: withoutBrowser }, async t => {
  const gate = createGate()
  const { tabs: [tab], clock, refreshes } = await open(t, { routes: { loadUser: gate.loadUser } }) as Setting & { tabs: [Page, Page] }
  clock.advance(ACCESS_LIFETIME)
  await tab.evaluate(`
    const worker = new Worker(URL.createObjectURL(new Blob([\`${inWorker}\`], { type: 'text/javascript' })), { type: 'module' })
    globalThis.ofWorker = new Promise(resolve => { worker.onmessage = ({ data }) => resolve(data) })
    worker.postMessage(location.origin)
  `)
  await gate.reached
  const status = me(tab)
  await tab.waitForFunction('navigator.locks.query().then(({ held, pending }) => held.length === 1 && pending.length === 1)')
  gate.open()
  t.equal(await status, 200)
  t.equal(await tab.evaluate('ofWorker'), 200)
  t.equal(refreshes(), 1)
})

test('a refusal sends one tab to the sign-in, and signs the other one out', { skip: withoutBrowser }, async t => {
  const { tabs, clock, refreshes } = await open(t, {})
  const [tab, other] = tabs as [Page, Page]
  clock.advance(REFRESH_LIFETIME)
  const arrival = tab.waitForURL('**/sign-in')
  await tab.evaluate("void client.fetch('/me').catch(() => {})")
  await arrival
  t.equal(await tab.title(), 'Sign in')
  t.equal(await me(other), 401)
  t.equal(refreshes(), 1)
})
