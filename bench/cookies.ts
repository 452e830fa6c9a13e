// What does a guarded request cost whose token comes by header, with cookies off and on, and by cookie?
import type { IncomingMessage, ServerResponse } from 'node:http'
import Fastify, { type FastifyInstance, type RouteHandler } from 'fastify'
import dualToken, { loginRequired, type DualTokenCookies } from '../lib/index.ts'
import { SECRET, USER } from './apps.ts'
import { compare, inProcess, report, type Case, type Size } from './measure.ts'

const COOKIE = '__Host-Http-access_token'
/** What a browser sends beside ours. */
const OTHERS = 'theme=dark; lang=en; _ga=GA1.1.1234567890.1234567890'

export async function benchCookies (size: Size): Promise<string> {
  const off = await createServer(false)
  const on = await createServer({ access: true })
  const { token } = await off.dualToken.issueTokens(USER)
  const byHeader = { host: 'localhost', authorization: `Bearer ${token}` }
  const byCookie = { host: 'localhost', cookie: `${OTHERS}; ${COOKIE}=${token}`, 'sec-fetch-site': 'same-origin' }

  const samples = await compare({
    'by header, cookies off': asking(off, 'GET', byHeader),
    'by header, cookies on': asking(on, 'GET', byHeader),
    'by cookie, GET': asking(on, 'GET', byCookie),
    'by cookie, POST': asking(on, 'POST', byCookie)
  }, size)
  await Promise.all([off.close(), on.close()])

  return report('Answer one guarded request by header and by cookie', samples, {
    'by header: cookies on ÷ off': ['by header, cookies on', 'by header, cookies off'],
    'by cookie, GET ÷ by header, off': ['by cookie, GET', 'by header, cookies off'],
    'by cookie, POST ÷ by header, off': ['by cookie, POST', 'by header, cookies off']
  })
}

async function createServer (cookies: boolean | DualTokenCookies): Promise<FastifyInstance> {
  const fastify = Fastify()
  await fastify.register(dualToken, { secret: SECRET, cookies })
  const handler: RouteHandler = (request, reply) => { reply.send(String(request.user!.user_id)) }
  fastify.route({ method: ['GET', 'POST'], url: '/', preHandler: loginRequired, handler })
  await fastify.ready()
  return fastify
}

/** Hands Fastify as much of a request and a response as it touches: the whole of them costs fifty times what is compared here. */
function asking (fastify: FastifyInstance, method: string, headers: Record<string, string>): Case {
  const rawHeaders = Object.entries(headers).flat()
  return inProcess(() => {
    let body: unknown
    const response = {
      writeHead () {},
      end (text: unknown) { body = text },
      on () {},
      hasHeader: () => false,
      getHeader: () => undefined
    }
    fastify.routing({ method, url: '/', headers, rawHeaders, socket: {} } as unknown as IncomingMessage, response as unknown as ServerResponse)
    if (body !== '42') throw new Error(`The answer was ${String(body)}`)
  })
}
