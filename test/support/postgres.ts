// A Postgres for tests: a cluster of its own, from the newest installed version, that lives as long as the test.
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { accessSync, chownSync, constants, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { createInterface } from 'node:readline'
import pg from 'pg'
import { freePort, type Owner } from './redis.ts'

const DEBIAN = '/usr/lib/postgresql'
const required = process.env.REQUIRE_POSTGRES === '1'
/** Neither Postgres nor PgBouncer runs as root: then as `nobody`. */
const SOMEBODY = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}
const USER = 'tester'

function binaries (): string | undefined {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a)).map(version => join(DEBIAN, version, 'bin')) : []
  return [...versions, ...(process.env.PATH ?? '').split(delimiter)].find(folder => ['initdb', 'postgres'].every(name => isExecutable(join(folder, name))))
}

function isExecutable (file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

const folder = process.platform === 'linux' ? binaries() : undefined

/** The `skip` of tests that need a server. Under REQUIRE_POSTGRES=1 they run, and fail without one. */
export const withoutPostgres: string | false = folder === undefined && !required && 'no PostgreSQL in /usr/lib/postgresql or the PATH of a Linux'

/** The `skip` of tests that need PgBouncer, which REQUIRE_POSTGRES=1 requires too. */
export const withoutPgBouncer: string | false = withoutPostgres ||
  (spawnSync('pgbouncer', ['--version']).error !== undefined && !required && 'no pgbouncer in the PATH')

export interface PostgresServer {
  readonly port: number
  /** Of the database `postgres`, or of another one. */
  url (database?: string): string
  /** A pool of connections to it, ended with the test. */
  pool (options?: pg.PoolConfig): pg.Pool
  /** A new database, with such settings as `default_transaction_isolation`; its url. */
  createDatabase (name: string, settings?: Readonly<Record<string, string>>): Promise<string>
  /** The statements that the connections of an application run while something happens, in order; they need `log_statement=all`. */
  statementsDuring (application: string, happen: () => Promise<unknown>): Promise<string[]>
  /** Sends a signal to all its processes. */
  signal (name: NodeJS.Signals): void
  /** Ends it by SIGKILL, so that it must recover; resolves when all its processes have ended. */
  kill (): Promise<void>
  /** Starts it again, with the same port and data. */
  restart (): Promise<void>
}

/** @param settings as in `postgresql.conf`. Without others, it does not wait for the disk */
export async function startPostgres (t: Owner, settings: Readonly<Record<string, string>> = { fsync: 'off' }): Promise<PostgresServer> {
  if (folder === undefined) throw new Error('REQUIRE_POSTGRES=1, and there is no PostgreSQL')
  const directory = makeDirectory(t, 'postgres-')
  execFileSync(join(folder, 'initdb'), [
    '-D', join(directory, 'data'), '-U', USER, '-A', 'trust', '--locale=C', '--encoding=UTF8', '--no-sync', '--no-instructions'
  ], { ...SOMEBODY, cwd: directory, stdio: ['ignore', 'ignore', 'inherit'] })
  const port = await freePort()
  const log: string[] = []
  const spawnServer = (): Promise<ChildProcess> => spawnPostgres(folder, directory, port, settings, log)
  let server = await spawnServer()
  const url = (database = 'postgres'): string => `postgres://${USER}@127.0.0.1:${port}/${database}`

  /** Each of its processes is in a group of its own. */
  function processes (): number[] {
    const children = readdirSync('/proc').filter(name => /^\d+$/.test(name) && parentOf(name) === server.pid).map(Number)
    return [server.pid!, ...children]
  }

  function signal (name: NodeJS.Signals): void {
    for (const pid of processes()) {
      try {
        process.kill(pid, name)
      } catch {} // It has ended meanwhile.
    }
  }

  async function kill (): Promise<void> {
    if (server.exitCode !== null || server.signalCode !== null) return
    const exited = once(server, 'exit')
    const all = processes()
    signal('SIGKILL')
    await exited
    while (all.some(pid => existsSync(`/proc/${pid}`))) await new Promise(resolve => setImmediate(resolve))
  }

  const killWithUs = (): void => signal('SIGKILL')
  process.once('exit', killWithUs)
  t.teardown(async () => {
    process.removeListener('exit', killWithUs)
    await kill()
  })

  function pool (options: pg.PoolConfig = {}): pg.Pool {
    const made = new pg.Pool({ connectionString: url(), ...options })
    // The statements that fail of it say so.
    made.on('error', () => {})
    t.teardown(() => made.end().catch(() => {}))
    return made
  }

  return {
    port,
    url,
    pool,
    async createDatabase (name, database = {}) {
      const admin = new pg.Client(url())
      await admin.connect()
      await admin.query(`CREATE DATABASE ${name}`)
      for (const [setting, value] of Object.entries(database)) await admin.query(`ALTER DATABASE ${name} SET ${setting} = '${value}'`)
      await admin.end()
      return url(name)
    },
    async statementsDuring (application, happen) {
      const from = log.length
      await happen()
      const [admin, marker] = [new pg.Client(`${url()}?options=-c%20log_statement%3Dall`), randomUUID()]
      await admin.connect()
      await admin.query(`SELECT '${marker}'`)
      await admin.end()
      while (!log.some(line => line.includes(marker))) await new Promise(resolve => setImmediate(resolve))
      const prefix = `${application} LOG:  execute <unnamed>: `
      return log.slice(from).filter(line => line.startsWith(prefix)).map(line => line.slice(prefix.length))
    },
    signal,
    kill,
    async restart () { server = await spawnServer() }
  }
}

/** Starts PgBouncer in transaction mode before a server; its url of a database. */
export async function startPgBouncer (t: Owner, { port: serverPort }: PostgresServer): Promise<(database: string) => string> {
  const directory = makeDirectory(t, 'pgbouncer-')
  const port = await freePort()
  const file = join(directory, 'pgbouncer.ini')
  writeFileSync(file, [
    '[databases]', `* = host=127.0.0.1 port=${serverPort} user=${USER}`,
    '[pgbouncer]', 'listen_addr = 127.0.0.1', `listen_port = ${port}`, 'unix_socket_dir =', 'auth_type = any', 'pool_mode = transaction',
    'default_pool_size = 3', 'logfile ='
  ].join('\n'))
  const bouncer = spawn('pgbouncer', [file], { ...SOMEBODY, stdio: ['ignore', 'ignore', 'pipe'] })
  t.teardown(() => bouncer.kill('SIGKILL'))
  await lineOf(bouncer, 'process up', 'pgbouncer')
  return database => `postgres://${USER}@127.0.0.1:${port}/${database}`
}

function makeDirectory (t: Owner, name: string): string {
  const directory = mkdtempSync(join(tmpdir(), name))
  if (SOMEBODY.uid !== undefined) chownSync(directory, SOMEBODY.uid, SOMEBODY.gid)
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

function parentOf (pid: string): number | undefined {
  try {
    // The name of the command, in brackets, may hold anything.
    return Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ')[1])
  } catch {
    return undefined
  }
}

async function spawnPostgres (folder: string, directory: string, port: number, settings: Readonly<Record<string, string>>, log: string[]): Promise<ChildProcess> {
  const given = { log_line_prefix: '%a ', listen_addresses: '127.0.0.1', unix_socket_directories: '', max_connections: '200', ...settings }
  const server = spawn(join(folder, 'postgres'), [
    '-D', join(directory, 'data'), '-p', String(port), ...Object.entries(given).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  ], { ...SOMEBODY, cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] })
  await lineOf(server, 'database system is ready to accept', 'postgres', log)
  return server
}

/** Waits for a line of its log, which goes on to be collected. */
async function lineOf (server: ChildProcess, text: string, name: string, log: string[] = []): Promise<void> {
  await once(server, 'spawn')
  const from = log.length
  await new Promise<void>((resolve, reject) => {
    createInterface(server.stderr!)
      .on('line', line => {
        log.push(line)
        if (line.includes(text)) resolve()
      })
      .on('close', () => reject(new Error(`${name} did not start:\n${log.slice(from).join('\n')}`)))
  })
}
