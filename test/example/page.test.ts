// The pages of the example server in a real Chromium, used as somebody would who tries them, in both profiles.
import type { Browser, Locator, Page } from 'playwright-core'
import { test, type Test } from 'tap'
import { openBrowser, withoutBrowser } from '../support/browser.ts'
import { startRedis, withoutServer } from '../support/redis.ts'
import { node, startServer } from '../support/server-process.ts'

const COMMAND = node('example-server.ts')
/** For what a busy machine may need; nothing waits for it to pass. */
const PATIENCE = 60_000
const PHONE = { width: 360, height: 740 }

interface Visit {
  readonly page: Page
  /** What the browser has complained of: exceptions, and what the Content-Security-Policy has stopped. */
  readonly complaints: readonly string[]
  press (name: string): Promise<void>
  /** Waits until a part of the page says something. */
  says (id: string, ...texts: string[]): Promise<void>
  /** Signs in as the demo user. */
  signIn (): Promise<void>
  /** The token of a card as it is sent. */
  token (id: 'access' | 'refresh'): Promise<string>
}

interface Look {
  readonly colorScheme?: 'light' | 'dark'
  readonly viewport?: { readonly width: number, readonly height: number }
}

async function visit (t: Test, browser: Browser, url: string, look: Look = {}): Promise<Visit> {
  const context = await browser.newContext(look)
  t.teardown(() => context.close())
  await context.addInitScript({ path: 'test/support/faint-texts.js' })
  const page = await context.newPage()
  page.setDefaultTimeout(PATIENCE)
  const complaints: string[] = []
  page.on('pageerror', error => complaints.push(error.message))
  page.on('console', message => { if (message.text().includes('Content Security Policy')) complaints.push(message.text()) })
  await page.goto(url)

  const button = (name: string): Locator => page.getByRole('button', { name, exact: true })
  const says = async (id: string, ...texts: string[]): Promise<void> => {
    for (const text of texts) await page.locator(`#${id}`).filter({ hasText: text }).waitFor()
  }
  return {
    page,
    complaints,
    says,
    press: name => button(name).click(),
    async signIn () {
      await button('Sign in').click()
      await says('entrance-reply', 'POST /authorizations → 201')
      await page.locator('#access dd').first().waitFor()
    },
    token: async id => await page.locator(`#${id} details code`).textContent() ?? ''
  }
}

// Evaluated in the browser.
const FAINT_TEXTS = 'faintTexts()'
const IS_TOO_WIDE = 'document.documentElement.scrollWidth > document.documentElement.clientWidth'
const OUTLINE = 'getComputedStyle(document.activeElement).outlineStyle'
const LEFT_BEHIND = '[localStorage.length, sessionStorage.length, document.cookie]'

test('the page of the example server', { skip: withoutBrowser }, async t => {
  const browser = await openBrowser(t)
  const [stateless, brief, patient, graceless] = await Promise.all([
    startServer(t, COMMAND),
    startServer(t, COMMAND, { ACCESS_EXPIRES_IN: '1s' }),
    startServer(t, COMMAND, { SESSIONS: 'memory', GRACE: '1h' }),
    startServer(t, COMMAND, { SESSIONS: 'memory', GRACE: '0s' })
  ])

  await t.test('without sessions: sign-in by keyboard alone, a guarded call with either token, refresh, sign-out', async t => {
    const { page, complaints, says, press, token } = await visit(t, browser, stateless.url)
    await says('profile', 'This server is stateless')

    for (const name of ['/docs', 'User name', 'Password', 'Sign in']) {
      await page.keyboard.press('Tab')
      const focused = page.locator(':focus-visible')
      t.equal(await focused.evaluate(element => element.labels?.[0]?.textContent ?? element.textContent), name)
      t.not(await page.evaluate(OUTLINE), 'none')
    }
    await page.keyboard.press('Enter')
    await says('entrance-reply', 'POST /authorizations → 201')
    await says('access', 'user_id"demo"', 'refreshfalse', '1:59:', 'left')
    await says('refresh', 'user_id"demo"', 'refreshtrue', '13 d 23:59:', 'left')
    t.equal(await page.locator('#sessions').isVisible(), false)
    t.equal(await page.locator('#theft').isVisible(), false)

    await press('Call GET /me')
    await says('use-reply', 'GET /me → 200', '"user_id": "demo"')
    await press('Call it with the refresh token')
    await says('use-reply', 'GET /me → 403', 'FST_DUAL_TOKEN_ACCESS_IS_REFRESH', 'Do not use refresh token.')
    const refresh = await token('refresh')
    await press('Refresh')
    await says('use-reply', 'PUT /authorizations → 201', 'The refresh token stays the same')
    t.equal(await token('refresh'), refresh)

    t.same(await page.evaluate(LEFT_BEHIND), [0, 0, ''])
    await press('Sign out')
    await says('entrance-reply', 'Signed out')
    await says('no-tokens', 'None yet')
    t.equal(await page.locator('#both').isVisible(), false)
    t.equal(await page.locator(':focus').getAttribute('id'), 'username')
    t.same(complaints, [])
  })

  await t.test('a refused sign-in shows its code and message, and leaves the page as it was', async t => {
    const { page, says, press } = await visit(t, browser, stateless.url)
    await page.getByLabel('Password').fill('wrong')
    await press('Sign in')
    await says('entrance-reply', '401', 'FST_DUAL_TOKEN_LOGIN_REFUSED', 'Invalid credentials.', 'demo-password')
    t.equal(await page.locator('#use').isVisible(), false)
  })

  await t.test('the user watches an access token expire, and refreshes it', async t => {
    const { page, signIn, says, press, token } = await visit(t, browser, brief.url)
    const next = (): Promise<string | null> => page.locator('button.next').textContent()
    t.equal(await next(), 'Sign in')
    await signIn()
    const first = await token('access')
    await says('access', 'Expired')
    await says('news', 'The access token has expired.')
    t.equal(await next(), 'Refresh')
    await press('Call GET /me')
    await says('use-reply', '401', 'FST_DUAL_TOKEN_ACCESS_EXPIRED', 'User must be authorized.')
    await press('Refresh')
    await says('use-reply', 'PUT /authorizations → 201')
    t.not(await token('access'), first)
  })

  await t.test('with sessions: another session is ended, then this one, and its tokens are refused', async t => {
    const { page, complaints, signIn, says, press } = await visit(t, browser, patient.url)
    await says('profile', 'This server keeps sessions')
    await signIn()
    await page.getByRole('button', { name: /^End this session/ }).waitFor()
    await press('Sign in')
    t.match(await page.locator('#session-list li').first().textContent(), /since .*20\d\d.* Last used .*20\d\d/, 'a session may be days old')
    await page.getByRole('button', { name: /^End that session/ }).click()
    await says('sessions-reply', '→ 204', 'Ended: its tokens are refused')
    t.equal(await page.locator('#session-list li').count(), 1)
    t.equal(await page.locator(':focus').textContent(), 'Your sessions')

    await page.getByRole('button', { name: /^End this session/ }).click()
    await says('sessions-reply', '→ 204', 'your tokens are refused')
    await says('access', 'Refused: its session was ended')
    await press('Call GET /me')
    await says('use-reply', '401', 'FST_DUAL_TOKEN_ACCESS_REVOKED', 'User must be authorized.')
    await press('Refresh')
    await says('use-reply', '403', 'FST_DUAL_TOKEN_REFRESH_REVOKED', 'Wrong Token')
    t.same(complaints, [])
  })

  await t.test('with sessions: signing out ends the session', async t => {
    const { signIn, says, press } = await visit(t, browser, patient.url)
    await signIn()
    await press('Sign out')
    await says('entrance-reply', 'DELETE /authorizations → 204', 'Signed out: the session has ended')
    await says('no-tokens', 'None yet')
  })

  await t.test('a used-up refresh token within grace gives the same successor again', async t => {
    const { page, signIn, says, press, token } = await visit(t, browser, patient.url)
    await signIn()
    t.equal(await page.getByRole('button', { name: 'Replay the used-up refresh token' }).isDisabled(), true)
    const first = await token('refresh')
    await press('Refresh')
    await says('use-reply', 'Both tokens are new')
    t.not(await token('refresh'), first)
    await says('used-up', 'Generation 0 was used up')
    await press('Replay the used-up refresh token')
    await says('theft-reply', 'PUT /authorizations → 201', 'the same refresh token that you already hold')
    await press('Refresh')
    await says('use-reply', 'it rotates at most once within grace')
  })

  await t.test('a used-up refresh token beyond grace is theft, once its successor was seen in use', async t => {
    const { page, signIn, says, press } = await visit(t, browser, graceless.url)
    await signIn()
    await press('Use the refresh token up')
    await says('theft-reply', 'Both tokens are new')
    await press('Use the new access token')
    await says('theft-reply', 'GET /me → 200')
    await press('Replay the used-up refresh token')
    await says('theft-reply', '403', 'FST_DUAL_TOKEN_REFRESH_REUSED', 'Wrong Token', 'the session ends for both')
    await says('refresh', 'Refused: its session was ended')
    t.equal(await page.locator('#session-list li').count(), 0, 'the ended session is not listed any more')
    await press('Call GET /me')
    await says('use-reply', '401', 'FST_DUAL_TOKEN_ACCESS_REVOKED')
  })

  await t.test('before its successor is seen in use, it counts as a retry, and the theft is detected later', async t => {
    const { signIn, says, press } = await visit(t, browser, graceless.url)
    await signIn()
    await press('Refresh')
    await says('use-reply', 'Both tokens are new')
    await press('Replay the used-up refresh token')
    await says('theft-reply', '201', 'A third refresh token')
    await press('Refresh')
    await says('use-reply', '403', 'FST_DUAL_TOKEN_REFRESH_REUSED')
  })

  await t.test('a session that is bound to this device: a thief gets a 401, with a key or without one, and the owner goes on', async t => {
    const { page, complaints, signIn, says, press, token } = await visit(t, browser, graceless.url)
    const bind = page.getByLabel('Bind to this device')
    await bind.check()
    await signIn()
    await says('entrance-reply', 'which key it belongs to')
    await says('refresh', 'cnf', 'jkt', 'the key it is bound to')
    t.equal(await page.getByRole('button', { name: 'Replay the used-up refresh token' }).isVisible(), false)
    const first = await token('refresh')
    await press('Refresh as a thief')
    await says('theft-reply', 'PUT /authorizations → 401', 'FST_DUAL_TOKEN_PROOF_INVALID', 'Wrong proof of possession.', 'its owner notices nothing')
    await press('Refresh as the owner')
    await says('theft-reply', 'PUT /authorizations → 201', 'Both tokens are new')
    await press('Call GET /me')
    await says('use-reply', 'GET /me → 200')
    await press('Refresh as a thief with another key')
    await says('theft-reply', '401', 'FST_DUAL_TOKEN_PROOF_INVALID')
    await press('Refresh')
    await says('use-reply', 'PUT /authorizations → 201', 'Both tokens are new')
    t.not(await token('refresh'), first)
    await press('Call GET /me')
    await says('use-reply', 'GET /me → 200')

    await bind.uncheck()
    await signIn()
    await page.getByRole('button', { name: 'Replay the used-up refresh token' }).waitFor()
    t.equal(await page.getByRole('button', { name: 'Refresh as a thief', exact: true }).isVisible(), false)
    t.same(complaints, [])
  })

  await t.test('a device with a wrong clock is bound all the same, by the nonce of the server', async t => {
    const { page, signIn, says, press } = await visit(t, browser, graceless.url)
    await page.evaluate('const now = Date.now; Date.now = () => now() - 86_400_000')
    await page.getByLabel('Bind to this device').check()
    await signIn()
    await says('entrance-reply', 'which key it belongs to')
    await press('Refresh')
    await says('use-reply', 'PUT /authorizations → 201')
  })

  await t.test('without sessions there is nothing to bind', async t => {
    const { page, says } = await visit(t, browser, stateless.url)
    await says('profile', 'This server is stateless')
    t.equal(await page.getByLabel('Bind to this device').isVisible(), false)
  })

  await t.test('it fits a phone and a desk, and every text has its contrast, in light and in dark', async t => {
    for (const colorScheme of ['light', 'dark'] as const) {
      for (const viewport of [PHONE, { width: 1280, height: 800 }]) {
        const { page, signIn, says, press } = await visit(t, browser, graceless.url, { colorScheme, viewport })
        const isFine = async (when: string): Promise<void> => {
          const name = `${colorScheme}, ${viewport.width} px, ${when}`
          t.same(await page.evaluate(FAINT_TEXTS), [], name)
          t.equal(await page.evaluate(IS_TOO_WIDE), false, name)
        }
        await says('profile', 'This server keeps sessions')
        await isFine('signed out')
        await signIn()
        await press('Refresh')
        await says('use-reply', 'Both tokens are new')
        await press('Call GET /me')
        await says('use-reply', 'GET /me → 200')
        await page.getByText('The refresh token as it is sent').click()
        await isFine('signed in')
        await press('Replay the used-up refresh token')
        await says('theft-reply', 'FST_DUAL_TOKEN_REFRESH_REUSED')
        await isFine('after the theft')
        await page.getByLabel('Bind to this device').check()
        await signIn()
        await says('entrance-reply', 'which key it belongs to')
        await press('Refresh as a thief')
        await says('theft-reply', 'FST_DUAL_TOKEN_PROOF_INVALID')
        await isFine('after a theft that was in vain')
      }
    }
  })

  await t.test('it runs only its own script, in no frame, and submits no form', async t => {
    const { headers } = await fetch(stateless.url)
    const policy = headers.get('content-security-policy')?.split('; ') ?? []
    for (const rule of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "form-action 'none'", "frame-ancestors 'none'"]) {
      t.ok(policy.includes(rule), rule)
    }
    t.equal(headers.get('x-content-type-options'), 'nosniff')
    t.equal(headers.get('referrer-policy'), 'no-referrer')
  })

  await t.test('/docs shows the routes', async t => {
    const { page, complaints } = await visit(t, browser, `${patient.url}/docs`)
    for (const path of ['/authorizations', '/authorizations/sessions/{id}', '/me', '/open']) {
      await page.locator(`[data-path="${path}"]`).first().waitFor()
    }
    t.equal(await page.locator('[data-path="/page.js"]').count(), 0)
    t.same(complaints, [])
  })

  await t.test('the page reports an unreachable server, and shows how it runs when it comes back differently', async t => {
    const { page, signIn, says, press } = await visit(t, browser, patient.url)
    await signIn()
    patient.process.kill('SIGKILL')
    await patient.ended
    await press('Sign out')
    await says('use-reply', 'no reply', 'You are still signed in.')
    await press('Refresh')
    await says('use-reply', 'no reply', 'the server is unreachable')
    t.equal(await page.locator('#both').isVisible(), true)

    await startServer(t, COMMAND, { PORT: new URL(patient.url).port })
    await press('Refresh')
    await says('use-reply', '403', 'FST_DUAL_TOKEN_REFRESH_INVALID', 'makes a new secret at each start')
    await press('Sign out')
    await says('entrance-reply', '404')
    await says('no-tokens', 'None yet')
    await signIn()
    await says('profile', 'This server is stateless')
    t.equal(await page.locator('#sessions').isVisible(), false)
  })

  await t.test('without its Redis, a guarded call is still answered, and a refresh says that the tokens are still valid', { skip: withoutServer }, async t => {
    const redis = await startRedis(t)
    const { url } = await startServer(t, COMMAND, { REDIS_URL: redis.url })
    const { signIn, says, press } = await visit(t, browser, url)
    await says('profile', 'This server keeps sessions')
    await signIn()
    await says('session-list', 'This one')
    await redis.stop()
    await press('Call GET /me')
    await says('use-reply', 'GET /me → 200')
    await press('Refresh')
    await says('use-reply', '503', 'FST_DUAL_TOKEN_STORE_UNAVAILABLE', 'Your tokens are still valid')
  })
})
