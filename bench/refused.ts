// What does a request cost that is refused, log included, beside one that is let through and one of a bare Fastify?
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import dualToken, { loginRequired } from '../lib/index.ts'
import { SECRET, USER } from './apps.ts'
import { compare, inProcess, report, type Case, type Size } from './measure.ts'

const DAY = 86_400_000

export async function benchRefused (size: Size): Promise<string> {
  let bytes = 0
  let clock = Date.now() - DAY
  const logger: FastifyServerOptions['logger'] = { stream: { write (line) { bytes += line.length } } }
  const bare = Fastify({ logger })
  bare.get('/', async () => ({ user_id: USER.user_id }))
  const fastify = Fastify({ logger })
  await fastify.register(dualToken, { secret: SECRET, now: () => clock })
  fastify.get('/', { preHandler: loginRequired }, async request => ({ user_id: request.user!.user_id }))

  const issue = async () => (await fastify.dualToken.issueTokens(USER, { needRefreshToken: false })).token
  const expired = await issue()
  clock += DAY
  const good = await issue()

  const cases = {
    'bare Fastify': askWith(bare, 200),
    'let through': askWith(fastify, 200, good),
    'no token': askWith(fastify, 401),
    'an expired token': askWith(fastify, 401, expired),
    'a token that is none': askWith(fastify, 401, 'x')
  }
  const samples = await compare(cases, size)
  const logged: string[] = []
  for (const name of Object.keys(cases) as Array<keyof typeof cases>) {
    bytes = 0
    await cases[name](1)
    logged.push(`  bytes in the log, ${name}: ${bytes}`)
  }
  await Promise.all([bare.close(), fastify.close()])

  return [report('Refuse one request, with the log', samples, {
    'no token ÷ bare': ['no token', 'bare Fastify'],
    'an expired token ÷ bare': ['an expired token', 'bare Fastify'],
    'no token ÷ let through': ['no token', 'let through'],
    'an expired token ÷ let through': ['an expired token', 'let through'],
    'a token that is none ÷ let through': ['a token that is none', 'let through']
  }).trimEnd(), ...logged, ''].join('\n')
}

function askWith (fastify: FastifyInstance, status: number, token?: string): Case {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  return inProcess(async () => {
    const { statusCode } = await fastify.inject({ url: '/', headers })
    if (statusCode !== status) throw new Error(`The answer was ${statusCode}`)
  })
}
