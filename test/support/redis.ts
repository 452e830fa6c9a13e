// A Redis for tests: that of REDIS_URL, or a `redis-server` from the PATH that lives as long as the test.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect as openSocket, createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Redis, type RedisOptions } from 'ioredis'

const { REDIS_URL } = process.env
const required = process.env.REQUIRE_REDIS === '1'
const installed = spawnSync('redis-server', ['--version']).error === undefined

/** The `skip` of tests that need a Redis of their own, to break it. Under REQUIRE_REDIS=1 they run, and fail without one. */
export const withoutServer: string | false = !installed && !required && 'no redis-server in the PATH'

/** The `skip` of tests that need any Redis. */
export const withoutRedis: string | false = REDIS_URL === undefined && withoutServer && `${withoutServer}, and REDIS_URL is not set`

const compiles = process.platform === 'linux' && spawnSync('cc', ['--version']).error === undefined

/** The `skip` of tests that step the clock of a Redis of their own. Under REQUIRE_CC=1 they run, and fail without a compiler. */
export const withoutSteppedClock: string | false =
  withoutServer || (!compiles && process.env.REQUIRE_CC !== '1' && 'no cc in the PATH of a Linux')

/** What the server or the client ends with: a test, or whoever calls the same back. */
export interface Owner {
  teardown (end: () => unknown): unknown
}

export type ClientOptions = Omit<RedisOptions, 'replyMapping'>

export interface RedisServer {
  readonly port: number
  readonly url: string
  readonly process: ChildProcess
  /** A client, connected, and disconnected when the test ends. */
  connect (options?: ClientOptions): Promise<Redis>
  /** Ends it, by SIGKILL if nothing else is said; resolves when it has ended. */
  stop (signal?: NodeJS.Signals): Promise<void>
  /** Starts it again, with the same port and data, after `stop`. */
  restart (): Promise<void>
}

export interface RedisPlace {
  readonly client: Redis
  /** Of all keys of the test; they are deleted when it ends. */
  readonly prefix: string
  connect (options?: ClientOptions): Promise<Redis>
}

/**
 * Starts a server without persistence; it and its directory are gone when the test ends.
 *
 * @param settings as on the command line, such as `['--appendonly', 'yes']`
 * @param env added to its environment
 */
export async function startRedis (t: Owner, settings: string[] = [], env: NodeJS.ProcessEnv = {}): Promise<RedisServer> {
  const directory = mkdtempSync(join(tmpdir(), 'redis-'))
  const { port, server: first } = await spawnAnywhere(directory, settings, env)
  let server = first
  const killWithUs = (): void => { server.kill('SIGKILL') }
  process.once('exit', killWithUs)

  async function stop (signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (server.exitCode !== null || server.signalCode !== null) return
    const exited = once(server, 'exit')
    server.kill(signal)
    await exited
  }

  t.teardown(async () => {
    process.removeListener('exit', killWithUs)
    await stop()
    rmSync(directory, { recursive: true, force: true })
  })
  const url = `redis://127.0.0.1:${port}`
  return {
    port,
    url,
    get process () { return server },
    connect: options => connect(t, url, options),
    stop,
    async restart () { server = await spawnRedis(directory, port, settings, env) }
  }
}

/** A server whose clock can be stepped: to so many seconds before or after the true time. */
export async function startSteppingRedis (t: Owner): Promise<RedisServer & { step (seconds: number): void }> {
  const directory = mkdtempSync(join(tmpdir(), 'clock-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const [library, offset] = [join(directory, 'clock.so'), join(directory, 'offset')]
  const { status, stderr } = spawnSync('cc', ['-shared', '-fPIC', '-o', library, new URL('stepped-clock.c', import.meta.url).pathname, '-ldl'])
  if (status !== 0) throw new Error(`cc failed: ${stderr}`)
  const step = (seconds: number): void => writeFileSync(offset, String(seconds))
  step(0)
  return { ...await startRedis(t, [], { LD_PRELOAD: library, CLOCK_OFFSET_FILE: offset }), step }
}

/** A connected client and a prefix that no other test uses, on the Redis of REDIS_URL or one of its own. */
export async function openRedis (t: Owner): Promise<RedisPlace> {
  const url = REDIS_URL ?? (await startRedis(t)).url
  const prefix = `test-${randomUUID()}:`
  const client = await connect(t, url)
  if (REDIS_URL !== undefined) t.teardown(() => deleteKeys(url, prefix))
  return { client, prefix, connect: options => connect(t, url, options) }
}

/** Every key of a database. */
export async function keysOf (client: Redis, pattern = '*'): Promise<string[]> {
  const keys = new Set<string>()
  for await (const page of client.scanStream({ match: pattern, count: 1000 })) for (const key of page as string[]) keys.add(key)
  return [...keys]
}

/** All that a database holds. */
export async function dumpOf (client: Redis): Promise<string> {
  const parts: string[] = []
  for (const key of await keysOf(client)) {
    const type = await client.type(key)
    const value = type === 'hash' ? await client.hgetall(key) : type === 'zset' ? await client.zrange(key, '0', '-1', 'WITHSCORES') : await client.get(key)
    parts.push(`${key} ${JSON.stringify(value)}`)
  }
  return parts.sort().join('\n')
}

/**
 * The commands that a server of our own is sent while something happens, in order, but for those of scripts; `source` is an address.
 *
 * Over a bare socket: ioredis takes for a reply what comes in one piece with that to MONITOR.
 */
export async function commandsDuring ({ port }: RedisServer, happen: () => Promise<unknown>): Promise<Array<{ command: string, source: string }>> {
  const [monitor, marker] = [openSocket(port, '127.0.0.1'), openSocket(port, '127.0.0.1')]
  try {
    monitor.write('MONITOR\r\n')
    const lines = createInterface(monitor)[Symbol.asyncIterator]()
    await lines.next()
    await happen()
    marker.write('ECHO end\r\n')
    const sent: Array<{ command: string, source: string }> = []
    for await (const line of lines) {
      const [, source, command] = / \[\d+ (\S+)\] "([^"]+)"/.exec(line)!
      if (command === 'ECHO') break
      if (source !== 'lua') sent.push({ command: command!.toLowerCase(), source: source! })
    }
    return sent
  } finally {
    monitor.destroy()
    marker.destroy()
  }
}

/** Resolves at the client's next event of that name, whatever errors come before it. */
export function eventOf (client: Redis, name: 'ready' | 'close'): Promise<void> {
  return new Promise(resolve => client.once(name, () => resolve()))
}

async function connect (t: Owner, url: string, options: ClientOptions = {}): Promise<Redis> {
  const client = new Redis(url, { ...options })
  // Said again by the command that fails.
  client.on('error', () => {})
  t.teardown(() => client.disconnect())
  if (!options.lazyConnect) await eventOf(client, 'ready')
  return client
}

async function deleteKeys (url: string, prefix: string): Promise<void> {
  const client = new Redis(url)
  const keys = await keysOf(client, `*${prefix}*`)
  if (keys.length > 0) await client.del(keys)
  client.disconnect()
}

export async function freePort (): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** A port that was free a moment ago may be another's by now: then on the next one. */
async function spawnAnywhere (directory: string, settings: string[], env: NodeJS.ProcessEnv): Promise<{ port: number, server: ChildProcess }> {
  for (let tries = 1; ; tries++) {
    const port = await freePort()
    try {
      return { port, server: await spawnRedis(directory, port, settings, env) }
    } catch (error) {
      if (tries === 5 || !(error as Error).message.includes('Address already in use')) throw error
    }
  }
}

async function spawnRedis (directory: string, port: number, settings: string[], env: NodeJS.ProcessEnv): Promise<ChildProcess> {
  const server = spawn('redis-server', [
    '--port', String(port), '--bind', '127.0.0.1', '--dir', directory, '--save', '', '--appendonly', 'no', ...settings
  ], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ...env } })
  await once(server, 'spawn')
  const log: string[] = []
  for await (const line of createInterface(server.stdout)) {
    log.push(line)
    if (!line.includes('Ready to accept connections')) continue
    server.stdout.resume()
    return server
  }
  throw new Error(`redis-server did not start:\n${log.join('\n')}`)
}
