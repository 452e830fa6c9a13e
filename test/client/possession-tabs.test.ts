// Both clients with `dpop` in two tabs of a real browser: one key in IndexedDB, which no script can read.
import { t as file, test, type Test } from 'tap'
import type { Browser, Page } from 'playwright-core'
import { openBrowser, withoutBrowser } from '../support/browser.ts'
import { startClientApp, type ClientApp } from '../support/client-app.ts'
import { importMap, serveClient } from '../support/client-scripts.ts'

const ACCESS_LIFETIME = 60

const CLIENTS = {
  createTokenClient: `{
    storage: {
      get: () => JSON.parse(localStorage.getItem('tokens') ?? 'null'),
      set: tokens => localStorage.setItem('tokens', JSON.stringify(tokens))
    }`,
  createCookieClient: '{ access: true'
}

function pageOf (name: keyof typeof CLIENTS): string {
  return `<!doctype html>
<title>A tab</title>
${importMap}
<script type="module">
  import { ${name} } from 'fastify-dual-token/client'
  globalThis.ends = []
  globalThis.client = ${name}(${CLIENTS[name]},
    baseUrl: location.origin,
    dpop: true,
    onSignInRequired: ({ code }) => ends.push(code),
    wait: async () => {}
  })
  globalThis.statusOf = () => client.fetch('/me').then(({ status }) => status, ({ code }) => code)
  globalThis.keys = () => new Promise((resolve, reject) => {
    const opening = indexedDB.open('fastify-dual-token')
    opening.onerror = () => reject(opening.error)
    opening.onsuccess = () => {
      const reading = opening.result.transaction('keys').objectStore('keys').getAll()
      reading.onsuccess = () => {
        opening.result.close()
        resolve(reading.result)
      }
    }
  })
  globalThis.read = async () => {
    const found = []
    for (const { privateKey } of await keys()) {
      for (const format of ['jwk', 'pkcs8', 'raw']) {
        found.push(await crypto.subtle.exportKey(format, privateKey).then(() => 'read', ({ name }) => name))
      }
    }
    return found
  }
  globalThis.forget = () => new Promise((resolve, reject) => {
    const deleting = indexedDB.deleteDatabase('fastify-dual-token')
    deleting.onsuccess = resolve
    deleting.onblocked = deleting.onerror = reject
  })
</script>`
}

interface Setting extends ClientApp {
  readonly tabs: [Page, Page]
  /** The requests that brought a proof. */
  readonly proven: string[]
}

/** One for all tests, each of which has a context of its own. */
let browser: Promise<Browser> | undefined

async function open (t: Test, name: keyof typeof CLIENTS): Promise<Setting> {
  const proven: string[] = []
  const server = await startClientApp(t, {
    kind: 'with sessions',
    dpop: 'required',
    plugin: { accessExpiresIn: ACCESS_LIFETIME },
    ...(name === 'createCookieClient' && { cookies: { access: true } }),
    prepare (app) {
      app.get('/', async (request, reply) => reply.type('text/html').send(pageOf(name)))
      app.server.on('request', ({ method, url, headers }) => { if (headers.dpop !== undefined) proven.push(`${method} ${url}`) })
      serveClient(app)
    }
  })
  browser ??= openBrowser(file)
  const context = await (await browser).newContext()
  t.teardown(() => context.close())
  const tabs: [Page, Page] = [await context.newPage(), await context.newPage()]
  for (const tab of tabs) {
    await tab.goto(server.origin.replace('127.0.0.1', 'app.localhost'))
    await tab.waitForFunction('globalThis.client')
  }
  return { ...server, tabs, proven }
}

/** `localStorage` may reach the other tab a moment late. */
async function settled ([tab, other]: Setting['tabs']): Promise<void> {
  const stored = "localStorage.getItem('tokens')"
  while (await tab.evaluate(stored) !== await other.evaluate(stored));
}

for (const name of Object.keys(CLIENTS) as Array<keyof typeof CLIENTS>) {
  test(`${name}: two tabs that sign in at once have one key, which no script can read`, { skip: withoutBrowser }, async t => {
    const { tabs, clock, proven } = await open(t, name)
    clock.set(Date.now() / 1000)
    await Promise.all(tabs.map(tab => tab.evaluate("client.signIn({ password: 'good' })")))
    for (const tab of tabs) {
      await settled(tabs)
      t.equal(await tab.evaluate('keys().then(({ length }) => length)'), 1)
      const errors = await tab.evaluate('read()') as string[]
      t.equal(errors.length, 3)
      t.notOk(errors.includes('read'))
      clock.advance(ACCESS_LIFETIME)
      t.equal(await tab.evaluate('statusOf()'), 200)
    }
    await settled(tabs)
    await tabs[1].reload()
    await tabs[1].waitForFunction('globalThis.client')
    clock.advance(ACCESS_LIFETIME)
    t.equal(await tabs[1].evaluate('statusOf()'), 200, 'the key outlives the page')
    await tabs[1].evaluate('client.signOut()')
    t.strictSame([...new Set(proven)], ['POST /authorizations', 'PUT /authorizations', 'DELETE /authorizations'])
  })

  test(`${name}: by a wrong clock, and after the data of the site were cleared, the next sign-in is good`, { skip: withoutBrowser }, async t => {
    const { tabs, clock, requests } = await open(t, name)
    const [tab, other] = tabs
    await tab.evaluate("client.signIn({ password: 'good' })")
    t.equal(requests.filter(line => line === 'POST /authorizations').length, 2, 'the second one with the nonce')
    clock.advance(ACCESS_LIFETIME)
    await settled(tabs)
    t.equal(await other.evaluate('statusOf()'), 200)
    await settled(tabs)

    await tab.evaluate('forget()')
    clock.advance(ACCESS_LIFETIME)
    t.equal(await tab.evaluate('statusOf()'), 'FST_DUAL_TOKEN_PROOF_INVALID')
    t.strictSame(await tab.evaluate('ends'), ['FST_DUAL_TOKEN_PROOF_INVALID'])
    await tab.evaluate("client.signIn({ password: 'good' })")
    clock.advance(ACCESS_LIFETIME)
    await settled(tabs)
    t.equal(await other.evaluate('statusOf()'), 200, 'for the other tab, too')
    t.equal(await other.evaluate('keys().then(({ length }) => length)'), 1)
  })
}
