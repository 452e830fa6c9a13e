// What do sessions add to a guarded request, and what does a refresh cost, in memory and in Redis?
import { strictEqual } from 'node:assert'
import type { FastifyInstance } from 'fastify'
import { Redis } from 'ioredis'
import { sessionApps, USER, withRedis } from './apps.ts'
import { type Child, loadOf, portOf, startClient, startServer } from './child.ts'
import { type Case, compare, report, type Sample, type Samples, sampleOf, type Size, type SizeWithTokens } from './measure.ts'

const AT_ONCE = 32
const ROUNDS_EACH = 3

/** @param redisUrl without one, the sessions in Redis are left out */
export async function benchSessions (size: SizeWithTokens, redisUrl?: string): Promise<string> {
  return [await benchGuardedRequest(size, redisUrl), await benchRefresh(size, redisUrl)].join('\n')
}

/** Processes of one program differ by more than sessions cost, each for as long as it lives: every few rounds have their own. */
async function benchGuardedRequest ({ rounds, ...size }: SizeWithTokens, redisUrl: string | undefined): Promise<string> {
  const many = manyOf(size.tokens)
  const all: Record<string, Sample[]> = {}
  for (let left = rounds; left > 0; left -= ROUNDS_EACH) {
    const samples = await compareServers({ ...size, rounds: Math.min(left, ROUNDS_EACH) }, redisUrl)
    for (const [name, list] of Object.entries(samples)) (all[name] ??= []).push(...list)
  }
  return report<string>('Answer one request on a guarded route, with sessions', all, {
    'in memory ÷ none': ['sessions in memory', 'no sessions'],
    [`in memory ÷ none, ${many}`]: [`sessions in memory, ${many}`, `no sessions, ${many}`],
    ...(redisUrl !== undefined && {
      'in Redis ÷ none': ['sessions in Redis', 'no sessions'],
      [`in Redis ÷ none, ${many}`]: [`sessions in Redis, ${many}`, `no sessions, ${many}`]
    })
  })
}

async function compareServers (size: SizeWithTokens, redisUrl: string | undefined): Promise<Samples<string>> {
  const client = startClient()
  const servers: Child[] = []
  const cases: Record<string, Case> = {}
  try {
    for (const name of Object.keys(sessionApps) as Array<keyof typeof sessionApps>) {
      if (name === 'sessions in Redis' && redisUrl === undefined) continue
      const server = startServer(name, redisUrl === undefined ? {} : { REDIS_URL: redisUrl })
      servers.push(server)
      const tokens = await refreshedTokens(`http://127.0.0.1:${await portOf(server)}/authorizations`, size.tokens)
      cases[name] = loadOf(client, server, tokens.slice(0, 1))
      cases[`${name}, ${manyOf(size.tokens)}`] = loadOf(client, server, tokens)
    }
    return await compare(cases, size)
  } finally {
    for (const child of [client, ...servers]) child.process.disconnect()
  }
}

function manyOf (tokens: number): string {
  return `${tokens.toLocaleString('en')} tokens`
}

/** Access tokens of as many sessions, each refreshed once, as most are. */
async function refreshedTokens (url: string, count: number): Promise<string[]> {
  const ask = async (init: RequestInit): Promise<Record<string, string>> => {
    const response = await fetch(url, init)
    strictEqual(response.status, 201)
    return await response.json() as Record<string, string>
  }
  const tokens: string[] = []
  await inTurns(Array.from({ length: count }), async () => {
    const { refresh_token: refreshToken } = await ask({ method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } })
    const { token } = await ask({ method: 'PUT', headers: { authorization: `Bearer ${refreshToken}` } })
    tokens.push(token!)
  })
  return tokens
}

async function benchRefresh (size: Size, redisUrl: string | undefined): Promise<string> {
  const memory = await sessionApps['sessions in memory']()
  const redis = redisUrl === undefined ? undefined : await withRedis(redisUrl)
  await Promise.all([memory.ready(), redis?.ready()])
  const samples = await compare({
    'in memory': refreshes(memory),
    ...(redis && { 'in Redis': refreshes(redis) })
  } as Record<string, Case>, { ...size, count: Math.ceil(size.count / 5), warmUp: Math.ceil(size.warmUp / 5) })
  const text = report('Refresh a session', samples, redis === undefined ? {} : { 'in Redis ÷ in memory': ['in Redis', 'in memory'] })
  if (redis === undefined) {
    await memory.close()
    return text
  }
  const trips = await roundTrips(redis, redisUrl!)
  await Promise.all([memory.close(), redis.close()])
  return `${text}  round trips to Redis for one refresh: ${trips.toFixed(2)}\n`
}

/** Each refreshes the tokens of a new sign-in, so that each is a rotation. */
function refreshes ({ dualToken: { issueTokens, refreshTokens } }: FastifyInstance): Case {
  return async function run (count) {
    const tokens: string[] = []
    await inTurns(Array.from({ length: count }), async () => { tokens.push((await issueTokens(USER)).refresh_token) })
    const cpuBefore = process.cpuUsage()
    const before = performance.now()
    await inTurns(tokens, async token => { strictEqual((await refreshTokens(token)).expires_in, 7200) })
    return sampleOf(process.cpuUsage(cpuBefore), performance.now() - before, count)
  }
}

async function roundTrips ({ dualToken: { issueTokens, refreshTokens } }: FastifyInstance, redisUrl: string): Promise<number> {
  const client = new Redis(redisUrl)
  const tokens = await Promise.all(Array.from({ length: 100 }, async () => (await issueTokens(USER)).refresh_token))
  const scripts = async (): Promise<number> => Number(/cmdstat_evalsha:calls=(\d+)/.exec(await client.info('commandstats'))![1])
  const before = await scripts()
  await Promise.all(tokens.map(token => refreshTokens(token)))
  const after = await scripts()
  client.disconnect()
  return (after - before) / tokens.length
}

async function inTurns<T> (items: readonly T[], step: (item: T) => Promise<void>): Promise<void> {
  for (let i = 0; i < items.length; i += AT_ONCE) await Promise.all(items.slice(i, i + AT_ONCE).map(step))
}
