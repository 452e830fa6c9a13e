// A server as a process of its own: started, spoken to over HTTP, stopped by a signal.
import { spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Test } from 'tap'

export interface ServerProcess {
  /** Where it listens, from its own log. */
  readonly url: string
  readonly process: ChildProcess
  /** What it has written so far. */
  readonly log: readonly string[]
  /** Resolves to its exit code when it has ended. */
  readonly ended: Promise<number | null>
}

interface Started extends Omit<ServerProcess, 'url'> {
  /** Resolves to the first line that matches, or to undefined when there is none. */
  waitFor (pattern: RegExp): Promise<string | undefined>
}

/** The command that runs a file with this Node.js. */
export function node (file: string): string[] {
  return [process.execPath, ...(file.endsWith('.ts') ? ['--import', 'tsx'] : []), file]
}

/**
 * Starts a TypeScript file that answers messages; the process is ended with the test. Without the loaders of the test runner: what they
 * count of the same files in another translation would spoil the coverage.
 */
export function forkFile (t: { teardown (end: () => unknown): unknown }, file: string, env: NodeJS.ProcessEnv): ChildProcess {
  const child = spawn('/usr/bin/env', ['-u', 'NODE_OPTIONS', process.execPath, '--no-warnings', '--import', 'tsx', file], {
    env: { PATH: process.env.PATH, ...env }, stdio: ['ignore', 'inherit', 'inherit', 'ipc']
  })
  t.teardown(() => child.kill('SIGKILL'))
  return child
}

/** Starts a command; the process is ended with the test. */
export function start (t: Test, command: readonly string[], env: NodeJS.ProcessEnv = {}): Started {
  // `env -u`: as a user starts it, without the loaders that the test runner puts into every process.
  const child = spawn('/usr/bin/env', ['-u', 'NODE_OPTIONS', ...command], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  const log: string[] = []
  const watchers = new Set<() => void>()
  const notify = () => { for (const watcher of watchers) watcher() }
  for (const stream of [child.stdout, child.stderr]) {
    createInterface(stream).on('line', line => {
      log.push(line)
      notify()
    })
  }
  let hasEnded = false
  const ended = new Promise<number | null>(resolve => {
    child.once('close', code => {
      hasEnded = true
      notify()
      resolve(code)
    })
  })
  t.teardown(() => child.kill('SIGKILL'))

  function waitFor (pattern: RegExp): Promise<string | undefined> {
    return new Promise(resolve => {
      const look = () => {
        const line = log.find(line => pattern.test(line))
        if (line === undefined && !hasEnded) return
        watchers.delete(look)
        resolve(line)
      }
      watchers.add(look)
      look()
    })
  }
  return { process: child, log, ended, waitFor }
}

/** Starts a server and waits until it listens. */
export async function startServer (t: Test, command: readonly string[], env?: NodeJS.ProcessEnv): Promise<ServerProcess> {
  const started = start(t, command, env)
  const line = await started.waitFor(/Server listening at /)
  const url = /http:\/\/[^"]+/.exec(line ?? '')?.[0]
  if (url === undefined) throw new Error(`The server did not start:\n${started.log.join('\n')}`)
  return { ...started, url }
}
