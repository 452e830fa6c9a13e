// What does a refresh over HTTP cost the server, with each store, and with what a user would otherwise use?
import { strictEqual } from 'node:assert'
import { ask, startChild, type Child } from './child.ts'
import { compare, report, sampleOf, type Case, type Ratio, type Size } from './measure.ts'
import type { Servers } from './places.ts'
import type { RefreshAppName, RefreshServerState } from './refresh-apps.ts'
import { newFile } from '../test/support/sqlite.ts'
import type { Owner } from '../test/support/redis.ts'

export async function benchRefreshes (t: Owner, { redis, postgres }: Servers, size: Size): Promise<string> {
  const env = { SQLITE_FILE: newFile(t), REDIS_URL: redis?.url ?? '', DATABASE_URL: postgres?.url() ?? '' }
  const names: RefreshAppName[] = [
    'memory', 'SQLite full', ...(postgres === null ? [] : ['Postgres' as const]), ...(redis === null ? [] : ['Redis' as const]),
    '@fastify/jwt by hand', 'oidc-provider'
  ]
  const servers = names.map(name => startChild('refresh-server.ts', [name], env))
  try {
    const cases: Record<string, Case> = {}
    for (const [i, server] of servers.entries()) cases[names[i]!] = await refreshesOf(server, names[i]!)
    const samples = await compare(cases, size)
    const ratios = names.filter(name => name !== 'memory').map(name => [`${name} ÷ memory`, [name, 'memory']] as const)
    return report<string>('Refresh over HTTP, CPU of the server', samples, Object.fromEntries<Ratio<string>>(ratios))
  } finally {
    for (const child of servers) child.process.disconnect()
  }
}

/** Each of so many clients at once refreshes with the token that its last refresh gave, so that each is a rotation. */
async function refreshesOf (server: Child, name: RefreshAppName): Promise<Case> {
  const { port, tokens } = await ask<RefreshServerState>(server, {})
  const refresh = name === 'oidc-provider' ? refreshByForm : refreshByHeader
  return async function run (count) {
    const { cpu } = await ask<RefreshServerState>(server, {})
    const before = performance.now()
    let sent = 0
    await Promise.all(tokens.map(async (token, chain) => {
      for (let next = token; sent < count; tokens[chain] = next) {
        sent++
        next = await refresh(port, next)
      }
    }))
    const elapsed = performance.now() - before
    const after = (await ask<RefreshServerState>(server, {})).cpu
    return sampleOf({ user: after.user - cpu.user, system: after.system - cpu.system }, elapsed, count)
  }
}

async function refreshByHeader (port: number, token: string): Promise<string> {
  const reply = await fetch(`http://127.0.0.1:${port}/authorizations`, { method: 'PUT', headers: { authorization: `Bearer ${token}` } })
  strictEqual(reply.status, 201)
  return await nextOf(reply, token)
}

async function refreshByForm (port: number, token: string): Promise<string> {
  const body = new URLSearchParams({ grant_type: 'refresh_token', client_id: 'bench', refresh_token: token })
  const reply = await fetch(`http://127.0.0.1:${port}/token`, { method: 'POST', body })
  strictEqual(reply.status, 200)
  return await nextOf(reply, token)
}

async function nextOf (reply: Response, token: string): Promise<string> {
  const { refresh_token: next } = await reply.json() as { refresh_token?: unknown }
  strictEqual(typeof next, 'string')
  strictEqual(next === token, false)
  return String(next)
}
