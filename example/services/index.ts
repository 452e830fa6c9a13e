// `npm run services`: an identity service and an orders service, each a process of its own, which end together.
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'

const running = new Set<ChildProcess>()
let isEnding = false

/** Resolves to the address of the service once it listens, and not at all when it fails to: then everything ends. */
async function start (name: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
  const service = fork(new URL(`${name}.ts`, import.meta.url), { env: { ...process.env, ...env } })
  running.add(service)
  service.once('exit', () => {
    running.delete(service)
    if (!isEnding) process.exitCode = 1
    endAll()
  })
  const [url] = await once(service, 'message')
  return String(url)
}

function endAll (): void {
  isEnding = true
  for (const service of running) service.kill('SIGTERM')
}

async function startAll (): Promise<void> {
  const identity = await start('identity')
  const orders = await start('orders', { IDENTITY_URL: identity })
  console.log([
    '', `Identity service: ${identity}   sign in, refresh, sign out: /authorizations   key set: /.well-known/jwks.json`,
    `Orders service:   ${orders}   /orders`,
    'Users: demo (demo-password) may order, admin (admin-password) may roll the key. Ctrl-C ends both services.', ''
  ].join('\n'))
}

process.once('SIGINT', endAll).once('SIGTERM', endAll)
startAll()
