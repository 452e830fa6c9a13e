// The example server with cookies, in a real Chromium: its page, what a script sees there, and the page of an attacker beside it.
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { test, type Test } from 'tap'
import { openBrowser, withoutBrowser } from '../support/browser.ts'
import { node, start, startServer } from '../support/server-process.ts'

const COMMAND = node('example-server.ts')
const PATIENCE = 60_000
const FAINT_TEXTS = 'faintTexts()'
const IS_TOO_WIDE = 'document.documentElement.scrollWidth > document.documentElement.clientWidth'
const OUTLINE = 'getComputedStyle(document.activeElement).outlineStyle'

interface Visit {
  readonly page: Page
  readonly context: BrowserContext
  /** Exceptions, and what the Content-Security-Policy has stopped. */
  readonly complaints: readonly string[]
  press (name: string): Promise<void>
  /** Waits until a part of the page says something. */
  says (id: string, ...texts: string[]): Promise<void>
}

interface Look {
  readonly colorScheme?: 'light' | 'dark'
  readonly viewport?: { readonly width: number, readonly height: number }
}

async function visit (t: Test, browser: Browser, url: string, look: Look = {}): Promise<Visit> {
  const context = await browser.newContext(look)
  t.teardown(() => context.close())
  await context.addInitScript({ path: 'test/support/faint-texts.js' })
  return await open(context, url)
}

async function open (context: BrowserContext, url: string): Promise<Visit> {
  const page = await context.newPage()
  page.setDefaultTimeout(PATIENCE)
  const complaints: string[] = []
  page.on('pageerror', error => complaints.push(error.message))
  page.on('console', message => { if (message.text().includes('Content Security Policy')) complaints.push(message.text()) })
  await page.goto(url)
  return {
    page,
    context,
    complaints,
    press: name => page.getByRole('button', { name, exact: true }).click(),
    async says (id, ...texts) {
      for (const text of texts) await page.locator(`#${id}`).filter({ hasText: text }).waitFor()
    }
  }
}

/** The address under another name of this machine. */
function at (host: string, url: string): string {
  return url.replace('127.0.0.1', host)
}

async function cookieNames (context: BrowserContext): Promise<string[]> {
  return (await context.cookies()).filter(({ httpOnly }) => httpOnly).map(({ name }) => name).sort()
}

/** A button of the attacker's page → what the server has noted and why, by host. */
const CROSS_ORIGIN = ['403', 'FST_DUAL_TOKEN_CROSS_ORIGIN', 'Your cookie came along, but nothing proves']
const NO_COOKIE = ['401', 'FST_DUAL_TOKEN_ACCESS_MISSING', 'No cookie came along']
const PREFLIGHT = ['OPTIONS /authorizations → 404', 'nothing else was sent']
const ATTACKS: ReadonlyArray<readonly [button: string, bySibling: readonly string[], byOther: readonly string[]]> = [
  ['Submit a form', ['POST /transfer', ...CROSS_ORIGIN], ['POST /transfer', ...NO_COOKIE]],
  ['Send a fetch', ['POST /transfer', ...CROSS_ORIGIN], ['POST /transfer', ...NO_COOKIE]],
  ['Use the refresh token up', PREFLIGHT, PREFLIGHT],
  ['Sign you out', PREFLIGHT, PREFLIGHT],
  ['Sign you in as another user', PREFLIGHT, PREFLIGHT],
  ['Open a WebSocket', ['GET /live', ...CROSS_ORIGIN], ['GET /live', ...NO_COOKIE]],
  ['Load a picture', ['GET /picture', '200', 'a GET changes nothing'], ['GET /picture', ...NO_COOKIE]]
]

test('the pages of the example server with cookies', { skip: withoutBrowser }, async t => {
  const browser = await openBrowser(t)
  const [both, refreshOnly, insecure] = await Promise.all([
    startServer(t, COMMAND, { COOKIES: 'access', SESSIONS: 'memory' }),
    startServer(t, COMMAND, { COOKIES: 'true' }),
    startServer(t, COMMAND, { COOKIES: 'access', COOKIES_SECURE: 'false' })
  ])

  await t.test('COOKIES=access: by keyboard alone, a script sees no token, and everything works by cookie', async t => {
    const { page, context, complaints, press, says } = await visit(t, browser, both.url)
    await says('profile', 'COOKIES=access')
    await page.getByLabel('Bind to this device').waitFor()
    for (const name of ['/docs', 'User name', 'Password', 'Bind to this device', 'Sign in']) {
      await page.keyboard.press('Tab')
      t.equal(await page.locator(':focus-visible').evaluate(element => element.labels?.[0]?.textContent ?? element.textContent), name)
      t.not(await page.evaluate(OUTLINE), 'none')
    }
    await press('Call GET /me')
    await says('use-reply', 'GET /me → 401', 'FST_DUAL_TOKEN_ACCESS_MISSING', 'No cookie came along')
    await press('Open a WebSocket')
    await says('live-reply', 'closed', 'Refused')

    await page.locator('#enter').focus()
    await page.keyboard.press('Enter')
    await says('entrance-reply', 'POST /authorizations → 201', 'The body has none')
    t.notMatch(await page.content(), /eyJ/)
    t.strictSame(await cookieNames(context), ['__Host-Http-access_token', '__Host-Http-refresh_token'])
    await says('sight', 'document.cookienothing', 'token_type, expires_in', 'access tokennowhere')
    for (const [button, ...texts] of [['Call GET /me', 'GET /me → 200', '"user_id": "demo"'], ['Call POST /transfer', 'POST /transfer → 200', '"user": "demo"'], ['Refresh', 'PUT /authorizations → 201']]) {
      await press(button!)
      await says('use-reply', ...texts)
    }
    await press('Open a WebSocket')
    await says('live-reply', 'Hello demo, by a WebSocket')
    await press('Open an EventSource')
    await says('live-reply', 'Hello demo, by an event')
    await press('Load a picture')
    await says('live-reply', 'GET /picture → loaded')
    t.equal(await page.getByAltText('A picture that only a user may see').evaluate(picture => Reflect.get(picture, 'naturalWidth')), 88)
    await press('Sign out')
    await says('use-reply', 'DELETE /authorizations → 204', 'which no script can do')
    t.strictSame(await cookieNames(context), [])
    await press('Call GET /me')
    await says('use-reply', '401')
    await press('Refresh')
    await says('use-reply', '403', 'FST_DUAL_TOKEN_REFRESH_MISSING', 'nobody is signed in')
    t.same(complaints, [])
  })

  await t.test('COOKIES=true: the access token is in the memory of the page, and is renewed after it was reloaded', async t => {
    const { page, context, complaints, press, says } = await visit(t, browser, refreshOnly.url)
    await says('profile', 'COOKIES=true')
    t.equal(await page.locator('#live').isVisible(), false)
    await press('Sign in')
    await says('entrance-reply', 'The body has only the access token')
    await says('sight', 'document.cookienothing', 'token, token_type, expires_in', 'in a variable of this page: eyJ')
    t.strictSame(await cookieNames(context), ['__Host-Http-refresh_token'])
    await press('Call POST /transfer')
    await says('use-reply', 'POST /transfer → 200', 'in the Authorization header')
    await page.reload()
    await press('Call GET /me')
    await says('use-reply', '401', 'This page holds no access token')
    await press('Refresh')
    await says('use-reply', 'PUT /authorizations → 201')
    await press('Call GET /me')
    await says('use-reply', 'GET /me → 200')
    await press('Sign out')
    await says('use-reply', 'DELETE /authorizations → 204')
    await says('sight', 'access tokennone now')
    t.strictSame(await cookieNames(context), [], 'without sessions, too')
    t.same(complaints, [])
  })

  await t.test('a session that is bound to this device: a thief of the cookie gets a 401, and the owner goes on, even after a reload', async t => {
    const { page, context, complaints, press, says } = await visit(t, browser, both.url)
    const bind = page.getByLabel('Bind to this device')
    await bind.check()
    await press('Sign in')
    await says('entrance-reply', 'POST /authorizations → 201')
    await says('sight', 'key of this devicein IndexedDB')
    for (const button of ['Refresh as a thief', 'Refresh as a thief with another key']) {
      await press(button)
      await says('theft-reply', 'PUT /authorizations → 401', 'FST_DUAL_TOKEN_PROOF_INVALID', 'its owner notices nothing')
      await press('Refresh as the owner')
      await says('theft-reply', 'PUT /authorizations → 201', 'a proof of the key')
    }
    await page.reload()
    await page.evaluate('const now = Date.now; Date.now = () => now() - 86_400_000')
    await press('Refresh')
    await says('use-reply', 'PUT /authorizations → 201', 'a proof of the key')
    await press('Sign out')
    await says('use-reply', 'DELETE /authorizations → 204')
    t.equal(await page.locator('#theft').isVisible(), false)
    t.strictSame(await cookieNames(context), [])

    await press('Sign in')
    await says('entrance-reply', 'POST /authorizations → 201')
    t.equal(await page.locator('#theft').isVisible(), false, 'the switch is off again')
    await press('Refresh')
    await says('use-reply', 'PUT /authorizations → 201')
    t.same(complaints, [])
  })

  await t.test('without sessions there is nothing to bind', async t => {
    const { page, says } = await visit(t, browser, refreshOnly.url)
    await says('profile', 'COOKIES=true')
    await page.waitForLoadState('networkidle')
    t.equal(await page.getByLabel('Bind to this device').isVisible(), false)
  })

  for (const [name, host, evil] of [['another site', '127.0.0.1', 'evil.localhost'], ['a sibling', 'app.localhost', 'evil.app.localhost']] as const) {
    await t.test(`the attacker's page on ${name} does nothing, and shows why`, async t => {
      const own = await visit(t, browser, at(host, both.url))
      await own.press('Sign in')
      await own.says('entrance-reply', '201')
      const jar = await own.context.cookies()
      const link = own.page.getByRole('link', { name: evil })
      t.equal(await link.getAttribute('href'), `${at(evil, both.url)}/#${host}`)
      const { complaints, press, says } = await open(own.context, String(await link.getAttribute('href')))
      await says('relation', name === 'a sibling' ? 'SameSite does not keep the cookies away' : 'another site')
      for (const [button, bySibling, byOther] of ATTACKS) {
        await press(button)
        await says('outcome', ...(name === 'a sibling' ? bySibling : byOther))
      }
      t.strictSame((await own.context.cookies()).length, jar.length)
      await own.press('Call POST /transfer')
      await own.says('use-reply', '200', '"transfers": ')
      t.match(await own.page.locator('#use-reply').textContent(), name === 'a sibling' ? /"transfers": 3/ : /"transfers": 2/, 'only the own page has acted')
      t.same(complaints, [])
    })
  }

  await t.test('with COOKIES=true, the attacker does not get the access token either', async t => {
    const own = await visit(t, browser, at('app.localhost', refreshOnly.url))
    await own.press('Sign in')
    await own.says('entrance-reply', '201')
    const { press, says } = await open(own.context, `${at('evil.app.localhost', refreshOnly.url)}/#app.localhost`)
    await press('Send a fetch')
    await says('outcome', '401', 'the access token is in the memory of the other page')
  })

  await t.test('COOKIES_SECURE=false: without Secure and without a prefix', async t => {
    const { context, press, says } = await visit(t, browser, insecure.url)
    await press('Sign in')
    await says('entrance-reply', '201')
    t.strictSame((await context.cookies()).map(({ name, secure, httpOnly }) => [name, secure, httpOnly]).sort(), [['access_token', false, true], ['refresh_token', false, true]])
    await press('Call GET /me')
    await says('use-reply', 'GET /me → 200')
  })

  await t.test('they fit a phone and a desk, and every text has its contrast, in light and in dark', async t => {
    for (const colorScheme of ['light', 'dark'] as const) {
      for (const viewport of [{ width: 360, height: 740 }, { width: 1280, height: 800 }]) {
        const isFine = async ({ page }: Visit, when: string): Promise<void> => {
          t.same(await page.evaluate(FAINT_TEXTS), [], `${colorScheme}, ${viewport.width} px, ${when}`)
          t.equal(await page.evaluate(IS_TOO_WIDE), false, `${colorScheme}, ${viewport.width} px, ${when}`)
        }
        const own = await visit(t, browser, at('app.localhost', both.url), { colorScheme, viewport })
        await own.press('Load a picture')
        await own.says('live-reply', 'Refused')
        await isFine(own, 'signed out')
        await own.page.getByLabel('Bind to this device').check()
        await own.press('Sign in')
        await own.says('entrance-reply', '201')
        await own.press('Refresh as a thief')
        await own.says('theft-reply', '401')
        await own.press('Call POST /transfer')
        await own.says('use-reply', '200')
        await isFine(own, 'signed in')
        const evil = await open(own.context, `${at('evil.app.localhost', both.url)}/#app.localhost`)
        await evil.press('Submit a form')
        await evil.says('outcome', 'CROSS_ORIGIN')
        await isFine(evil, 'the attacker')
      }
    }
  })

  await t.test('/docs shows the cookies, and none of the pages', async t => {
    const { paths, components } = await (await fetch(`${both.url}/docs/json`)).json() as { paths: Record<string, unknown>, components: { securitySchemes: object } }
    t.strictSame(Object.keys(paths).filter(path => !path.startsWith('/authorizations')).sort(), ['/events', '/me', '/open', '/picture', '/transfer'])
    t.ok('accessCookie' in components.securitySchemes)
  })
})

test('an unknown value of COOKIES makes the start fail', async t => {
  const { ended, log } = start(t, COMMAND, { COOKIES: 'yes' })
  t.equal(await ended, 1)
  t.match(log.filter(line => !line.startsWith('{')), ['Cannot start: COOKIES must be true or access, or not set.'])
})
