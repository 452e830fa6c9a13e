// What does a request cost that is refused, log included, beside one that is let through?
import Fastify, { type FastifyInstance } from 'fastify'
import dualToken, { loginRequired } from '../lib/index.ts'
import { SECRET, USER } from './apps.ts'
import { compare, inProcess, report, type Case, type Size } from './measure.ts'

export async function benchRefused (size: Size): Promise<string> {
  let bytes = 0
  const fastify = await guarded(line => { bytes += line.length })
  const { token } = await fastify.dualToken.issueTokens(USER, { needRefreshToken: false })
  const ask = (headers: Record<string, string>, status: number): Case => inProcess(async () => {
    const { statusCode } = await fastify.inject({ url: '/', headers })
    if (statusCode !== status) throw new Error(`The answer was ${statusCode}`)
  })
  const cases = {
    'let through': ask({ authorization: `Bearer ${token}` }, 200),
    'no token': ask({}, 401),
    'a token that is none': ask({ authorization: 'Bearer x' }, 401)
  }
  const samples = await compare(cases, size)
  bytes = 0
  await cases['a token that is none'](1)
  const logged = bytes
  await fastify.close()
  return `${report('Refuse one request, with the log', samples, {
    'no token ÷ let through': ['no token', 'let through'],
    'a token that is none ÷ let through': ['a token that is none', 'let through']
  })}  bytes in the log for a token that is none: ${logged}\n`
}

async function guarded (write: (line: string) => void): Promise<FastifyInstance> {
  const fastify = Fastify({ logger: { stream: { write } } })
  await fastify.register(dualToken, { secret: SECRET })
  fastify.get('/', { preHandler: loginRequired }, async request => ({ user_id: request.user!.user_id }))
  return fastify
}
