// Cookies that a sibling host, or a script of the own page, plants in a real browser: none is believed. Each attack runs again where a proxy,
// or `secure: false`, has taken the defence away, and then succeeds.
import type { BrowserContext } from 'playwright-core'
import { test, type Test } from 'tap'
import { openBrowser, withoutBrowser } from '../support/browser.ts'
import { ACCESS, REFRESH } from '../support/cookies.ts'
import {
  fetchJson, jarOf, openTab, showCookiesToScripts, signInBy, startHome, startNeighbours, tidyCookieHeader, whoIs, type Home, type HomeOptions
} from '../support/neighbours.ts'

/** How a sibling spells a cookie for the whole of `app.localhost`; `token` is an honest token of its own account. */
const PLANTS: Readonly<Record<string, (name: string, token: string) => string>> = {
  'with a Domain': (name, token) => `${name}=${token}; Domain=app.localhost; Path=/; Secure; HttpOnly`,
  'with a Domain and the path of a route': (name, token) => `${name}=${token}; Domain=app.localhost; Path=/me; Secure; HttpOnly`,
  'for scripts': (name, token) => `${name}=${token}; Domain=app.localhost; Path=/; Secure`,
  'in other case': (name, token) => `${name.toLowerCase()}=${token}; Domain=app.localhost; Path=/; Secure; HttpOnly`,
  'in other case, by its prefix alone': (name, token) => `${name.replace('__Host-Http-', '__hOST-hTTP-')}=${token}; Domain=app.localhost; Path=/; Secure; HttpOnly`,
  'without a name': (name, token) => `=${name}=${token}; Domain=app.localhost; Path=/; Secure; HttpOnly`,
  'without a name or an equals sign': (name, token) => `${name}; Domain=app.localhost; Path=/; Secure; HttpOnly`,
  'after U+00A0': (name, token) => `\u00a0${name}=${token}; Domain=app.localhost; Path=/; Secure; HttpOnly`,
  'after a tab': (name, token) => `\t${name}=${token}; Domain=app.localhost; Path=/; Secure; HttpOnly`,
  quoted: (name, token) => `"${name}"=${token}; Domain=app.localhost; Path=/; Secure; HttpOnly`
}

interface Scene {
  readonly home: Home
  readonly context: BrowserContext
  /** What the sibling's server and its script set. */
  plant (lines: readonly string[]): Promise<void>
}

async function setScene (t: Test, options?: HomeOptions): Promise<Scene> {
  const home = await startHome(t, options)
  const { origins, pages } = await startNeighbours(t)
  const context = await (await openBrowser(t)).newContext()
  const sibling = await openTab(context, origins['a sibling host'])
  return {
    home,
    context,
    async plant (lines) {
      pages.set('/plant', { headers: { 'set-cookie': lines.map(line => Buffer.from(line).toString('latin1')) } })
      await sibling.goto(`${origins['a sibling host']}/plant`)
      await sibling.evaluate(`for (const line of ${JSON.stringify(lines)}) document.cookie = line.replace('; HttpOnly', '')`)
    }
  }
}

/** The tokens of user 666, who is the attacker. */
async function attackersTokens ({ app }: Home): Promise<Record<string, string>> {
  const { token, refresh_token: refreshToken } = await app.dualToken.issueTokens({ user_id: 666 })
  return { [ACCESS]: token, [REFRESH]: refreshToken }
}

test('a page of a neighbouring host plants nothing', { skip: withoutBrowser }, async t => {
  const { home, context, plant } = await setScene(t)
  const tokens = Object.entries(await attackersTokens(home))
  const own = await openTab(context, home.origin)
  await plant(['theme=dark; Domain=app.localhost; Path=/'])
  t.equal(await own.evaluate('document.cookie'), 'theme=dark', 'a cookie of any other name gets there')

  for (const [spelling, write] of Object.entries(PLANTS)) {
    await context.clearCookies()
    await plant(tokens.map(([name, token]) => write(name, token)))
    t.equal(await whoIs(own), 'ACCESS_MISSING', `${spelling}, signed out`)
    t.match((await fetchJson(own, 'PUT', '/authorizations')).body, { code: 'FST_DUAL_TOKEN_REFRESH_MISSING' }, `${spelling}, signed out, a refresh`)

    await signInBy(own)
    const jar = await jarOf(context)
    await plant(tokens.map(([name, token]) => write(name, token)))
    t.equal(await whoIs(own), 7, `${spelling}, signed in`)
    t.equal((await fetchJson(own, 'PUT', '/authorizations')).status, 201, `${spelling}, signed in, a refresh`)
    t.equal(await whoIs(own), 7, `${spelling}, refreshed`)
    t.ok(jar[ACCESS] !== undefined && jar[REFRESH] !== undefined)
  }
})

test('a cookie after U+00A0 gets there, and is believed where a proxy tidies the header as trim does', { skip: withoutBrowser }, async t => {
  const { home, context, plant } = await setScene(t, { weaken: [tidyCookieHeader] })
  const own = await openTab(context, home.origin)
  for (const [name, token] of Object.entries(await attackersTokens(home))) await plant([PLANTS['after U+00A0']!(name, token)])
  t.equal(await whoIs(own), 666)
})

test('without the prefix, what a sibling plants is believed', { skip: withoutBrowser }, async t => {
  const { home, context, plant } = await setScene(t, { cookies: { access: true, secure: false } })
  const own = await openTab(context, home.origin)
  const lines = Object.entries(await attackersTokens(home)).map(([name, token]) => PLANTS['with a Domain']!(name.replace('__Host-Http-', ''), token))
  await plant(lines)
  t.equal(await whoIs(own), 666)
  t.equal((await fetchJson(own, 'PUT', '/authorizations')).status, 201)

  await context.clearCookies()
  await signInBy(own)
  await plant(lines)
  t.equal(await whoIs(own), 'ACCESS_INVALID', 'of two cookies of one name, none')
})

/** Whatever a script may set, as `document.cookie` and by the Cookie Store. */
const SCRIPT_PLANTS = (names: readonly string[]): string => `(async () => {
  for (const name of ${JSON.stringify(names)}) {
    for (const spelling of [name, name.toLowerCase(), '=' + name, name.replace('-Http', '')]) {
      for (const rest of ['; Path=/; Secure', '; Path=/; Secure; HttpOnly', '; Path=/me; Secure', '; Path=/']) document.cookie = spelling + '=planted' + rest
    }
    await cookieStore.set({ name, value: 'planted', path: '/' }).catch(() => {})
  }
})()`

/** What a script reads of a sign-in and a refresh, whatever headers it asks for. */
const SCRIPT_READS = `(async () => {
  const read = []
  for (const [method, body] of [['POST', '{"user_id":7,"password":"good"}'], ['PUT', null]]) {
    for (const headers of [{}, { origin: '' }, { 'sec-fetch-site': '' }, { origin: 'null', 'sec-fetch-site': 'none' }, { authorization: 'Basic eA==' }]) {
      const response = await fetch('/authorizations', {
        method, body, headers: { ...headers, ...(body !== null && { 'content-type': 'application/json' }) }, referrerPolicy: 'no-referrer'
      })
      if (!response.ok) throw new Error(response.status + ' to ' + method)
      read.push(await response.text(), response.headers.get('set-cookie'), document.cookie)
    }
  }
  read.push(JSON.stringify(await cookieStore.getAll()))
  return read.join(' ')
})()`

test('a script of the own page reads and plants nothing', { skip: withoutBrowser }, async t => {
  for (const access of [true, false]) {
    const { home, context } = await setScene(t, { cookies: { access } })
    const own = await openTab(context, home.origin)
    await own.evaluate(SCRIPT_PLANTS([ACCESS, REFRESH]))
    t.equal(await whoIs(own), 'ACCESS_MISSING')
    t.match((await fetchJson(own, 'PUT', '/authorizations')).body, { code: 'FST_DUAL_TOKEN_REFRESH_MISSING' })

    const read = String(await own.evaluate(SCRIPT_READS))
    const jar = await jarOf(context)
    t.notOk(read.includes(jar[REFRESH]!), 'no refresh token')
    t.notMatch(read, access ? /eyJ/ : /"refresh_token"|refresh_token=eyJ/, access ? 'no token at all' : 'no refresh token')

    await own.evaluate(SCRIPT_PLANTS([ACCESS, REFRESH]))
    t.match(await jarOf(context), jar, 'and it overwrites none')
    t.equal((await fetchJson(own, 'PUT', '/authorizations')).status, 201)
  }
})

test('without the prefix and HttpOnly, a script plants and reads them', { skip: withoutBrowser }, async t => {
  const weak = await setScene(t, { cookies: { access: true, secure: false } })
  const own = await openTab(weak.context, weak.home.origin)
  const { [ACCESS]: token } = await attackersTokens(weak.home)
  await own.evaluate(`document.cookie = 'access_token=${token}; Path=/'`)
  t.equal(await whoIs(own), 666)

  const shown = await setScene(t, { weaken: [showCookiesToScripts] })
  const page = await openTab(shown.context, shown.home.origin)
  await signInBy(page)
  t.match(await page.evaluate('document.cookie'), /refresh_token=eyJ/)
})
