// What does a guarded route cost a server, beside a bare one and one guarded by @fastify/jwt?
import { type AppName, apps, USER } from './apps.ts'
import { type Child, loadOf, startClient, startServer } from './child.ts'
import { type Case, compare, report, type SizeWithTokens } from './measure.ts'

/** Every server, and the client, is a process of its own; what counts is the CPU time of the server's. */
export async function benchGuardedRoute (size: SizeWithTokens): Promise<string> {
  const tokens = await issueTokens('guarded', size.tokens)
  const signed = await issueTokens('guarded, EdDSA', 1)
  const client = startClient()
  const names = Object.keys(apps) as Array<keyof typeof apps>
  const servers = new Map<AppName, Child>(names.map(name => [name, startServer(name)]))
  const load = (app: AppName, tokens: readonly string[]): Case => loadOf(client, servers.get(app)!, tokens)

  const one = tokens.slice(0, 1)
  const many = `${size.tokens.toLocaleString('en')} tokens`
  try {
    const samples = await compare({
      'bare Fastify': load('bare', one),
      'ours, one token': load('guarded', one),
      [`ours, ${many}`]: load('guarded', tokens),
      'ours, new tokens': load('guarded, forgetful', tokens),
      'ours, no cache': load('guarded, no cache', one),
      'ours, one EdDSA token': load('guarded, EdDSA', signed),
      'fast-jwt alone, new tokens': load('fast-jwt', tokens),
      '@fastify/jwt, one token': load('@fastify/jwt', one)
    }, size)
    return report<string>('Answer one request on a guarded route', samples, {
      'ours ÷ bare': ['ours, one token', 'bare Fastify'],
      'ours, EdDSA ÷ HS256': ['ours, one EdDSA token', 'ours, one token'],
      [`ours with ${many} ÷ bare`]: [`ours, ${many}`, 'bare Fastify'],
      '@fastify/jwt ÷ ours': ['@fastify/jwt, one token', 'ours, one token'],
      [`@fastify/jwt ÷ ours with ${many}`]: ['@fastify/jwt, one token', `ours, ${many}`],
      '@fastify/jwt ÷ ours without cache': ['@fastify/jwt, one token', 'ours, no cache'],
      'ours ÷ fast-jwt alone, new tokens': ['ours, new tokens', 'fast-jwt alone, new tokens'],
      'the same, without what bare Fastify costs': ['ours, new tokens', 'fast-jwt alone, new tokens', 'bare Fastify']
    })
  } finally {
    for (const child of [client, ...servers.values()]) child.process.disconnect()
  }
}

/** Different access tokens of one user. */
async function issueTokens (app: keyof typeof apps, count: number): Promise<readonly string[]> {
  const fastify = await apps[app]()
  const replies = await Promise.all(Array.from({ length: count }, (_, device) =>
    fastify.dualToken.issueTokens({ ...USER, device }, { needRefreshToken: false })))
  await fastify.close()
  return replies.map(({ token }) => token)
}
