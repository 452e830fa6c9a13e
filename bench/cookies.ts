// What does a guarded request cost whose token comes by header, with cookies off and on, and by cookie?
import Fastify, { type FastifyInstance, type InjectOptions } from 'fastify'
import dualToken, { loginRequired, type DualTokenCookies } from '../lib/index.ts'
import { SECRET, USER } from './apps.ts'
import { compare, inProcess, report, type Case, type Size } from './measure.ts'

const COOKIE = '__Host-Http-access_token'
/** What a browser sends beside ours. */
const OTHERS = 'theme=dark; lang=en; _ga=GA1.1.1234567890.1234567890'

export async function benchCookies (size: Size): Promise<string> {
  const off = await createServer(false)
  const page = await createServer(true)
  const both = await createServer({ access: true })
  const { token } = await off.dualToken.issueTokens(USER)
  const byHeader: InjectOptions = { url: '/', headers: { authorization: `Bearer ${token}` } }
  const cookie = `${OTHERS}; ${COOKIE}=${token}`

  const samples = await compare({
    'by header, cookies off': asking(off, byHeader),
    'by header, cookies on': asking(page, byHeader),
    'by header, both in cookies': asking(both, byHeader),
    'by cookie, GET': asking(both, { url: '/', headers: { cookie } }),
    'by cookie, POST': asking(both, { method: 'POST', url: '/', headers: { cookie, 'sec-fetch-site': 'same-origin' } })
  }, size)
  await Promise.all([off.close(), page.close(), both.close()])

  return report('Answer one guarded request by header and by cookie', samples, {
    'by header: cookies on ÷ off': ['by header, cookies on', 'by header, cookies off'],
    'by header: both in cookies ÷ off': ['by header, both in cookies', 'by header, cookies off'],
    'by cookie, GET ÷ by header, off': ['by cookie, GET', 'by header, cookies off'],
    'by cookie, POST ÷ by header, off': ['by cookie, POST', 'by header, cookies off']
  })
}

async function createServer (cookies: boolean | DualTokenCookies): Promise<FastifyInstance> {
  const fastify = Fastify()
  await fastify.register(dualToken, { secret: SECRET, cookies })
  const options = { preHandler: loginRequired }
  const answer = async (request: { user: { user_id?: unknown } | null }) => ({ user_id: request.user!.user_id })
  fastify.get('/', options, answer)
  fastify.post('/', options, answer)
  await fastify.ready()
  return fastify
}

function asking (fastify: FastifyInstance, request: InjectOptions): Case {
  return inProcess(async () => {
    const { body } = await fastify.inject(request)
    if (body !== '{"user_id":42}') throw new Error(`The answer was ${body}`)
  })
}
