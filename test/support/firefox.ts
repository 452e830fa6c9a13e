// A real Firefox for tests, of FIREFOX_PATH or where Debian installs it, driven by WebDriver BiDi.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import WebSocket from 'ws'
import type { Test } from 'tap'
import type { Tab } from './attacks.ts'

const executablePath = process.env.FIREFOX_PATH ?? '/usr/bin/firefox-esr'
const installed = spawnSync(executablePath, ['--version']).status === 0

/** The `skip` of tests that need Firefox. Under REQUIRE_FIREFOX=1 they run, and fail without one. */
export const withoutFirefox: string | false = !installed && process.env.REQUIRE_FIREFOX !== '1' && `no Firefox at ${executablePath}`

export interface FirefoxTab extends Tab {
  close (): Promise<unknown>
}

export interface Firefox {
  /** Opens a tab at an address. */
  open (url: string): Promise<FirefoxTab>
  /** The cookies that it keeps, by name. */
  cookies (): Promise<Record<string, string>>
}

interface Reply {
  readonly id?: number
  readonly type: string
  readonly message?: string
  readonly result?: Record<string, unknown>
}

/** Starts it with a profile of its own; it is closed when the test ends. */
export async function openFirefox (t: Test): Promise<Firefox> {
  const profile = mkdtempSync(join(tmpdir(), 'firefox-'))
  const browser = spawn(executablePath, ['--headless', '--no-remote', '--remote-debugging-port', '0', '--profile', profile], { stdio: ['ignore', 'ignore', 'pipe'] })
  const exited = once(browser, 'exit')
  t.teardown(async () => {
    browser.kill('SIGKILL')
    await exited
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
  })
  const url = await new Promise<string>((resolve, reject) => {
    createInterface(browser.stderr).on('line', line => {
      const found = /WebDriver BiDi listening on (ws:\S+)/.exec(line)?.[1]
      if (found !== undefined) resolve(found)
    }).on('close', () => reject(new Error('Firefox did not start')))
  })
  const socket = new WebSocket(`${url}/session`)
  await once(socket, 'open')
  const waiting = new Map<number, { resolve: (result: Record<string, unknown>) => void, reject: (error: Error) => void }>()
  socket.on('message', data => {
    const { id, type, message, result = {} } = JSON.parse(String(data)) as Reply
    const waiter = waiting.get(Number(id))
    if (type === 'success') waiter?.resolve(result)
    else waiter?.reject(new Error(message))
  })
  let last = 0
  const send = (method: string, params: object): Promise<Record<string, unknown>> => new Promise((resolve, reject) => {
    waiting.set(++last, { resolve, reject })
    socket.send(JSON.stringify({ id: last, method, params }))
  })
  await send('session.new', { capabilities: {} })

  return {
    async open (url) {
      const { context } = await send('browsingContext.create', { type: 'tab' })
      await send('browsingContext.navigate', { context, url, wait: 'complete' })
      return {
        async evaluate (script) {
          const expression = `Promise.resolve(${script}).then(value => JSON.stringify(value) ?? 'null')`
          const { type, result, exceptionDetails } = await send('script.evaluate', { expression, target: { context }, awaitPromise: true })
          if (type !== 'success') throw new Error((exceptionDetails as { text: string }).text)
          return JSON.parse((result as { value: string }).value)
        },
        close: () => send('browsingContext.close', { context })
      }
    },
    async cookies () {
      const { cookies } = await send('storage.getCookies', {}) as { cookies: Array<{ name: string, value: { value: string } }> }
      return Object.fromEntries(cookies.map(({ name, value }) => [name, value.value]))
    }
  }
}
