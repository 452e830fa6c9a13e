// A real browser for tests: Chromium, of CHROMIUM_PATH or where Debian installs it.
import { spawnSync } from 'node:child_process'
import { chromium, type Browser } from 'playwright-core'
import type { Test } from 'tap'

const executablePath = process.env.CHROMIUM_PATH ?? '/usr/bin/chromium'
const required = process.env.REQUIRE_CHROMIUM === '1'
const installed = spawnSync(executablePath, ['--version']).status === 0

/** The `skip` of tests that need a browser. Under REQUIRE_CHROMIUM=1 they run, and fail without one. */
export const withoutBrowser: string | false = !installed && !required && `no Chromium at ${executablePath}`

/** Starts it; it is closed when the test ends. */
export async function openBrowser (t: Test): Promise<Browser> {
  const browser = await chromium.launch({
    executablePath,
    headless: false, // `--headless=new` is the whole browser without a window; playwright's own headless is another, smaller one.
    args: [
      '--headless=new', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync'
    ]
  })
  t.teardown(() => browser.close())
  return browser
}
