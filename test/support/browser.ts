// A real browser for tests: Chromium, of CHROMIUM_PATH or where Debian installs it.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium, type Browser, type BrowserContext } from 'playwright-core'
import type { Test } from 'tap'

const executablePath = process.env.CHROMIUM_PATH ?? '/usr/bin/chromium'
const required = process.env.REQUIRE_CHROMIUM === '1'
const installed = spawnSync(executablePath, ['--version']).status === 0

/** The `skip` of tests that need a browser. Under REQUIRE_CHROMIUM=1 they run, and fail without one. */
export const withoutBrowser: string | false = !installed && !required && `no Chromium at ${executablePath}`

const OPTIONS = {
  executablePath,
  headless: false, // `--headless=new` is the whole browser without a window; playwright's own headless is another, smaller one.
  args: [
    '--headless=new', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'
  ]
}

/** Starts it; it is closed when the test ends. */
export async function openBrowser (t: Test): Promise<Browser> {
  const browser = await chromium.launch(OPTIONS)
  t.teardown(() => browser.close())
  return browser
}

/**
 * Starts it with an ordinary profile, new and empty, in which a site may set cookies within another, as the browsers of most users have it.
 * In other contexts it may not: they are private windows, and Debian's Chromium forbids it everywhere.
 */
export async function openProfile (t: Test): Promise<BrowserContext> {
  const directory = mkdtempSync(join(tmpdir(), 'chromium-'))
  mkdirSync(join(directory, 'Default'))
  writeFileSync(join(directory, 'Default', 'Preferences'), '{"profile":{"cookie_controls_mode":0,"block_third_party_cookies":false}}')
  const context = await chromium.launchPersistentContext(directory, OPTIONS)
  t.teardown(async () => {
    await context.close()
    rmSync(directory, { recursive: true, force: true, maxRetries: 3 })
  })
  return context
}
