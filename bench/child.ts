// Processes of their own: servers, whose CPU time is what counts, and the client that loads them.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { type AppName, USER } from './apps.ts'
import type { Load, LoadResult } from './client.ts'
import { type Case, sampleOf } from './measure.ts'
import type { ServerState } from './server.ts'

export interface Child {
  readonly process: ChildProcess
  /** Aborted when the process ends. */
  readonly ended: AbortSignal
}

export function startClient (): Child {
  return startChild('client.ts')
}

export function startServer (name: AppName, env?: NodeJS.ProcessEnv): Child {
  return startChild('server.ts', [name], env)
}

export async function portOf (server: Child): Promise<number> {
  return (await ask<ServerState>(server, {})).port
}

/** Requests to a server, each with the next of the tokens, as a case: what counts is the CPU time of the server. */
export function loadOf (client: Child, server: Child, tokens: readonly string[], path = '/'): Case {
  return async function run (count) {
    const { port, cpu } = await ask<ServerState>(server, {})
    const load: Load = { port, path, tokens, answer: JSON.stringify({ user_id: USER.user_id }), count }
    const { elapsed } = await ask<LoadResult>(client, load)
    const after = (await ask<ServerState>(server, {})).cpu
    return sampleOf({ user: after.user - cpu.user, system: after.system - cpu.system }, elapsed, count)
  }
}

export function startChild (file: string, args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Child {
  const ended = new AbortController()
  // `env -u`: without the loaders and the coverage of a test runner, which are not to be measured.
  const command = ['-u', 'NODE_OPTIONS', process.execPath, '--import', 'tsx', fileURLToPath(new URL(file, import.meta.url)), ...args]
  const child = spawn('/usr/bin/env', command, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], env: { ...process.env, ...env } })
  child.once('exit', () => ended.abort())
  return { process: child, ended: ended.signal }
}

/** One message, one answer; fails when the process ends instead. */
export async function ask<Answer> (child: Child, message: object): Promise<Answer> {
  child.process.send(message)
  const [answer] = await once(child.process, 'message', { signal: child.ended })
  return answer
}
