// Cookies, extract and routes.reply: their options, methods and types.
import Fastify, { type FastifyReply, type FastifyRequest } from 'fastify'
import { Type } from '@sinclair/typebox'
import dualToken, {
  defineRoutes, loginRequired,
  type AccessReply, type BodyTokens, type CookieReply, type DualTokenCookies, type DualTokenErrorCode, type ExtractToken, type TokenKind
} from 'fastify-dual-token'
import { assert, type Equals } from './equals.ts'

const secret = 'x'.repeat(32)
const fastify = Fastify()

fastify.register(dualToken, { secret, cookies: true })
fastify.register(dualToken, { secret, cookies: { access: true, origins: ['https://app.example'] as const, name: 'admin', secure: false } })
fastify.register(dualToken, { secret, cookies: { access: undefined, origins: undefined, name: process.env.NAME, secure: undefined } })
fastify.register(dualToken, { secret, cookies: undefined, extract: undefined })
export const cookies: DualTokenCookies = {}
assert<Equals<TokenKind, 'access' | 'refresh'>>()
export const code: DualTokenErrorCode = 'FST_DUAL_TOKEN_CROSS_ORIGIN'

// @ts-expect-error no such member
fastify.register(dualToken, { secret, cookies: { domain: 'app.example' } })
// @ts-expect-error an origin is a text
fastify.register(dualToken, { secret, cookies: { origins: [/app/] } })

fastify.register(dualToken, {
  secret,
  extract (request, kind) {
    assert<Equals<typeof request, FastifyRequest>>()
    assert<Equals<typeof kind, TokenKind>>()
    return kind === 'refresh' ? request.headers['x-refresh']?.toString() : null
  }
})
// @ts-expect-error it answers at once
export const late: ExtractToken = async () => 'token'

defineRoutes({ login: () => null, reply: ({ token, refresh_token: refreshToken, expires_in: lifetime }) => ({ accessToken: token, refreshToken, lifetime }) })
defineRoutes({
  body: Type.Object({ password: Type.String() }),
  login: ({ password }) => password === '' ? null : { user_id: 7 },
  async reply (tokens, request) {
    assert<Equals<typeof tokens, BodyTokens>>()
    assert<Equals<typeof request, FastifyRequest>>()
    assert<Equals<typeof tokens.token, string | undefined>>()
    return tokens
  }
})
// @ts-expect-error a body is an object
defineRoutes({ login: () => null, reply: () => 'token' })

fastify.get('/callback', async (_request, reply) => {
  const pair = await fastify.dualToken.issueTokens({ user_id: 7 })
  const left = fastify.dualToken.setCookies(reply, pair)
  assert<Equals<typeof left, CookieReply>>()
  assert<Equals<typeof left.token, string | undefined>>()
  assert<Equals<typeof left.token_type, 'Bearer'>>()
  fastify.dualToken.setCookies(reply, await fastify.dualToken.issueTokens({ user_id: 7 }, { needRefreshToken: false }))
  fastify.dualToken.setCookies(reply, await fastify.dualToken.refreshTokens(pair.refresh_token))
  // @ts-expect-error what is left is no tokens any more
  fastify.dualToken.setCookies(reply, left)
  return left
})
fastify.get<{ Params: { id: string }, Reply: { id: string } }>('/typed/:id', async (request, reply) => {
  fastify.dualToken.clearCookies(reply)
  return { id: request.params.id }
})
export function clear (reply: FastifyReply): void {
  fastify.dualToken.clearCookies(reply)
}

export function tokenOf (reply: AccessReply | CookieReply): string | undefined {
  return reply.token
}

// Any server will do.
const overHttp2 = Fastify({ http2: true })
overHttp2.register(dualToken, { secret, cookies: true })
overHttp2.get('/', { preHandler: [loginRequired, overHttp2.dualToken.guard({ scope: 'read' })] }, async (_request, reply) => {
  overHttp2.dualToken.clearCookies(reply)
  return overHttp2.dualToken.setCookies(reply, await overHttp2.dualToken.issueTokens({ user_id: 7 }))
})
overHttp2.addHook('onRequest', overHttp2.refreshRequired)
