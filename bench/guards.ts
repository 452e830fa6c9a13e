// What does a guarded request cost that is also asked how recent its sign-in is, for scopes, or for what the application decides?
import type { IncomingMessage, ServerResponse } from 'node:http'
import Fastify, { type RouteHandler } from 'fastify'
import dualToken, { loginRequired } from '../lib/index.ts'
import { SECRET, USER } from './apps.ts'
import { compare, inProcess, report, type Case, type Size } from './measure.ts'

export async function benchGuards (size: Size): Promise<string> {
  const fastify = Fastify()
  await fastify.register(dualToken, { secret: SECRET, authTime: true })
  const { guard, issueTokens } = fastify.dualToken
  // Of one length, so that the router takes as long for each.
  const guards = {
    '/login': loginRequired,
    '/fresh': guard({ maxAge: '10m' }),
    '/scope': guard({ scope: 'reports:read' }),
    '/allow': guard({ allow: user => user.user_id === 42 }),
    '/three': guard({ maxAge: '10m', scope: 'reports:read', allow: user => user.user_id === 42 })
  }
  const handler: RouteHandler = (request, reply) => { reply.send(String(request.user!.user_id)) }
  for (const [url, preHandler] of Object.entries(guards)) fastify.get(url, { preHandler }, handler)
  await fastify.ready()

  const { token } = await issueTokens({ ...USER, scope: 'reports:read reports:write' })
  const headers = { host: 'localhost', authorization: `Bearer ${token}` }
  const rawHeaders = Object.entries(headers).flat()

  /** Hands Fastify as much of a request and a response as it touches: the whole of them costs fifty times what is compared here. */
  function asking (url: keyof typeof guards): Case {
    return inProcess(() => {
      let body: unknown
      const response = { writeHead () {}, end (text: unknown) { body = text }, on () {}, hasHeader: () => false, getHeader: () => undefined }
      fastify.routing({ method: 'GET', url, headers, rawHeaders, socket: {} } as unknown as IncomingMessage, response as unknown as ServerResponse)
      if (body !== '42') throw new Error(`The answer was ${String(body)}`)
    })
  }

  const samples = await compare({
    loginRequired: asking('/login'),
    'guard, maxAge': asking('/fresh'),
    'guard, scope': asking('/scope'),
    'guard, allow': asking('/allow'),
    'guard, all three': asking('/three')
  }, size)
  await fastify.close()

  return report('Answer one guarded request in process', samples, {
    'maxAge ÷ loginRequired': ['guard, maxAge', 'loginRequired'],
    'scope ÷ loginRequired': ['guard, scope', 'loginRequired'],
    'allow ÷ loginRequired': ['guard, allow', 'loginRequired'],
    'all three ÷ loginRequired': ['guard, all three', 'loginRequired']
  })
}
