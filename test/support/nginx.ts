// An nginx for tests, from the PATH, with its defaults but for what a test adds: it lives as long as the test.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { Test } from 'tap'

/** Debian installs it where only root looks. */
const env = { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin` }
const installed = spawnSync('nginx', ['-v'], { env }).status === 0

/** The `skip` of tests that need nginx. Under REQUIRE_NGINX=1 they run, and fail without one. */
export const withoutNginx: string | false = !installed && process.env.REQUIRE_NGINX !== '1' && 'no nginx in the PATH'

const ATTEMPTS = 5

/**
 * Starts it on the loopback.
 *
 * @param server what stands in its `server` block, such as `location / { proxy_pass http://127.0.0.1:3000; }`
 * @param wanted the port; default: a free one
 * @returns the port
 */
export async function startNginx (t: Test, server: string, wanted?: number): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), 'nginx-'))
  mkdirSync(join(directory, 'temp'))
  for (let attempt = 1; ; attempt++) {
    const port = wanted ?? await freePort()
    writeFileSync(join(directory, 'nginx.conf'), configuration(directory, port, server))
    const nginx = spawn('nginx', ['-c', join(directory, 'nginx.conf'), '-e', 'stderr'], { env, stdio: ['ignore', 'ignore', 'pipe'] })
    const complaints = text(nginx.stderr)
    const exited = once(nginx, 'exit')
    if (await answers(nginx, port)) {
      const endWithUs = (): void => { nginx.kill('SIGTERM') }
      process.once('exit', endWithUs)
      t.teardown(async () => {
        process.removeListener('exit', endWithUs)
        nginx.kill('SIGTERM')
        await exited
        rmSync(directory, { recursive: true, force: true })
      })
      return port
    }
    // Another process may have taken the port meanwhile.
    if (attempt === ATTEMPTS) throw new Error(`nginx did not start:\n${await complaints}`)
  }
}

function configuration (directory: string, port: number, server: string): string {
  const temps = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(name => `${name}_temp_path ${directory}/temp/${name};`)
  return `
    ${process.getuid?.() === 0 ? 'user root;' : ''}
    daemon off;
    worker_processes 1;
    pid ${directory}/nginx.pid;
    events {}
    http {
      access_log off;
      ${temps.join('\n')}
      server {
        listen 127.0.0.1:${port};
        ${server}
      }
    }`
}

/** A port that is free now. */
export async function freePort (): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Tries until it takes a connection, or has ended. */
async function answers (nginx: ChildProcess, port: number): Promise<boolean> {
  while (nginx.exitCode === null && nginx.signalCode === null) {
    const socket = connect(port, '127.0.0.1')
    const taken = await new Promise<boolean>(resolve => {
      socket.once('connect', () => resolve(true))
      socket.once('error', () => resolve(false))
    })
    socket.destroy()
    if (taken) return true
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  return false
}
