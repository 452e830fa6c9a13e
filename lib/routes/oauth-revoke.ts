// A token of either kind in a body → the end of its session (RFC 7009).
import { Type } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import type { RouteSettings } from '../options/routes.ts'
import type { Sessions } from '../sessions/sessions.ts'
import { sessionOf } from '../tokens/session-claims.ts'
import { copyOf } from '../tokens/split.ts'
import { userIdOf } from '../tokens/user.ts'
import type { Verify } from '../tokens/verify.ts'
import { CONSUMES, parametersOf, requireParameter } from './oauth-parameters.ts'
import { documentedErrors, doorOptions, pathOf } from './oauth-route.ts'

const RevokeBodySchema = Type.Object({
  token: Type.String({ description: 'A token of either kind, expired or not' }),
  token_type_hint: Type.Optional(Type.String({ description: 'Ignored' })),
  client_id: Type.Optional(Type.String({ description: 'Ignored' }))
})

export interface RevokeRouteParts {
  readonly userIdClaim: string
  readonly sessions: Sessions | null
  /** Verifies a token but ignores its expiry and its session. */
  readonly verifyAnyTime: Verify
}

/** Adds the route. A token that is not valid counts as revoked; without sessions, nothing can be revoked. */
export function addRevokeRoute (fastify: FastifyInstance, routes: RouteSettings, { userIdClaim, sessions, verifyAnyTime }: RevokeRouteParts): void {
  const options = doorOptions(routes, {
    summary: 'Revocation endpoint of OAuth 2.0',
    description: sessions === null
      ? 'Answers 200 and does nothing: tokens without a session live until they expire.'
      : 'Ends the session of the token (RFC 7009). Twice is as good as once, and a token that is none is as good as revoked.',
    documented: {
      consumes: CONSUMES,
      body: RevokeBodySchema,
      response: { 200: Type.Null({ description: 'Done' }), ...documentedErrors(['invalid_request'], sessions !== null) }
    }
  })

  fastify.post(pathOf(routes, 'revoke'), options, async (request, reply) => {
    const { claims } = verifyAnyTime(copyOf(requireParameter(parametersOf(request), 'token')))
    if (claims !== null && sessions !== null) {
      await sessions.revoke.session(sessionOf(claims).sid, { userId: userIdOf(claims, userIdClaim), ip: request.ip, reason: 'logout' })
    }
    return reply.send()
  })
}
