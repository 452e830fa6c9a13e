// What does a guarded route cost a server, beside a bare one and one guarded by @fastify/jwt?
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { type AppName, apps, USER } from './apps.ts'
import type { Load, LoadResult } from './client.ts'
import { type Case, compare, report, sampleOf, type Size } from './measure.ts'
import type { ServerState } from './server.ts'

const TOKENS = 5_000

/** Every server, and the client, is a process of its own; what counts is the CPU time of the server's. */
export async function benchGuardedRoute (size: Size): Promise<string> {
  const tokens = await issueTokens('guarded', TOKENS)
  const signed = await issueTokens('guarded, EdDSA', 1)
  const client = startChild('client.ts')
  const servers = new Map(Object.keys(apps).map(name => [name, startChild('server.ts', name)]))

  function load (app: AppName, tokens: readonly string[]): Case {
    const server = servers.get(app)!
    return async function run (count) {
      const { port, cpu } = await ask<ServerState>(server, {})
      const load: Load = { port, tokens, answer: JSON.stringify({ user_id: USER.user_id }), count }
      const { elapsed } = await ask<LoadResult>(client, load)
      const after = (await ask<ServerState>(server, {})).cpu
      return sampleOf({ user: after.user - cpu.user, system: after.system - cpu.system }, elapsed, count)
    }
  }

  const one = tokens.slice(0, 1)
  try {
    const samples = await compare({
      'bare Fastify': load('bare', one),
      'ours, one token': load('guarded', one),
      'ours, 5,000 tokens': load('guarded', tokens),
      'ours, new tokens': load('guarded, forgetful', tokens),
      'ours, no cache': load('guarded, no cache', one),
      'ours, one EdDSA token': load('guarded, EdDSA', signed),
      'fast-jwt alone, new tokens': load('fast-jwt', tokens),
      '@fastify/jwt, one token': load('@fastify/jwt', one)
    }, size)
    return report('Answer one request on a guarded route', samples, {
      'ours ÷ bare': ['ours, one token', 'bare Fastify'],
      'ours, EdDSA ÷ HS256': ['ours, one EdDSA token', 'ours, one token'],
      'ours with 5,000 tokens ÷ bare': ['ours, 5,000 tokens', 'bare Fastify'],
      '@fastify/jwt ÷ ours': ['@fastify/jwt, one token', 'ours, one token'],
      '@fastify/jwt ÷ ours with 5,000 tokens': ['@fastify/jwt, one token', 'ours, 5,000 tokens'],
      '@fastify/jwt ÷ ours without cache': ['@fastify/jwt, one token', 'ours, no cache'],
      'ours ÷ fast-jwt alone, new tokens': ['ours, new tokens', 'fast-jwt alone, new tokens'],
      'the same, without what bare Fastify costs': ['ours, new tokens', 'fast-jwt alone, new tokens', 'bare Fastify']
    })
  } finally {
    for (const child of [client, ...servers.values()]) child.process.disconnect()
  }
}

/** Different access tokens of one user. */
async function issueTokens (app: AppName, count: number): Promise<readonly string[]> {
  const fastify = await apps[app]()
  const replies = await Promise.all(Array.from({ length: count }, (_, device) =>
    fastify.dualToken.issueTokens({ ...USER, device }, { needRefreshToken: false })))
  await fastify.close()
  return replies.map(({ token }) => token)
}

interface Child {
  readonly process: ChildProcess
  /** Aborted when the process ends. */
  readonly ended: AbortSignal
}

function startChild (file: string, ...args: string[]): Child {
  const ended = new AbortController()
  // `env -u`: without the loaders and the coverage of a test runner, which are not to be measured.
  const command = ['-u', 'NODE_OPTIONS', process.execPath, '--import', 'tsx', fileURLToPath(new URL(file, import.meta.url)), ...args]
  const child = spawn('env', command, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  child.once('exit', () => ended.abort())
  return { process: child, ended: ended.signal }
}

/** One message, one answer; fails when the process ends instead. */
async function ask<Answer> (child: Child, message: object): Promise<Answer> {
  child.process.send(message)
  const [answer] = await once(child.process, 'message', { signal: child.ended })
  return answer
}
