// A refresh token in a body → the reply of a token endpoint (RFC 6749 section 5.1): another door to the same refresh.
import { Type } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import type { CreateRefusal } from '../errors.ts'
import { parseSegment } from '../keys/segment.ts'
import type { RouteSettings } from '../options/routes.ts'
import { clientOf } from '../sessions/client.ts'
import type { Sessions } from '../sessions/sessions.ts'
import { copyOf } from '../tokens/split.ts'
import { suffixOf, type AcceptedRefresh } from '../tokens/verdict.ts'
import type { Verify } from '../tokens/verify.ts'
import { createUnsupportedGrant } from './oauth-errors.ts'
import { CONSUMES, isForm, parametersOf, requireParameter } from './oauth-parameters.ts'
import { documentedErrors, doorOptions, pathOf } from './oauth-route.ts'
import type { Refresh } from './refresh.ts'
import { proofHeader } from './schemas.ts'

const GRANT_TYPE = 'refresh_token'

const TokenBodySchema = Type.Object({
  grant_type: Type.Literal(GRANT_TYPE, { description: 'May be absent in JSON' }),
  refresh_token: Type.String({ description: 'The refresh token' }),
  client_id: Type.Optional(Type.String({ description: 'Ignored' }))
})
const TokenReplySchema = Type.Object({
  access_token: Type.String({ description: 'It goes with every request' }),
  token_type: Type.Literal('Bearer'),
  expires_in: Type.Integer({ description: 'Seconds until the access token expires' }),
  refresh_token: Type.String({ description: 'The one to refresh with next' }),
  scope: Type.Optional(Type.String({ description: 'The scopes of the access token, when it names any' }))
}, { description: 'New tokens' })

export interface TokenRouteParts {
  readonly sessions: Sessions | null
  /** Verifies a token and, with sessions, its session. */
  readonly verify: Verify
  readonly refresh: Refresh
  readonly createRefusal: CreateRefusal
}

/** Adds the route. Only the body counts: no cookie is read and none is set. */
export function addTokenRoute (fastify: FastifyInstance, routes: RouteSettings, { sessions, verify, refresh, createRefusal }: TokenRouteParts): void {
  const rotates = sessions?.settings.rotate === true
  const binds = sessions !== null && sessions.settings.possession.mode !== false
  const options = doorOptions(routes, {
    summary: 'Token endpoint of OAuth 2.0',
    description: `Exchanges a refresh token (RFC 6749 section 6).${rotates ? ' The refresh token of the reply replaces it.' : ''}`,
    documented: {
      consumes: CONSUMES,
      body: TokenBodySchema,
      ...proofHeader(binds && 'optional'),
      response: {
        200: TokenReplySchema,
        ...documentedErrors([
          'invalid_request', 'invalid_grant', 'unsupported_grant_type', ...binds ? ['invalid_dpop_proof', 'use_dpop_nonce'] as const : []
        ], sessions !== null)
      }
    }
  })

  fastify.post(pathOf(routes, 'token'), options, async (request, reply) => {
    const parameters = parametersOf(request)
    const grantType = isForm(request) ? requireParameter(parameters, 'grant_type') : parameters('grant_type') ?? GRANT_TYPE
    if (grantType !== GRANT_TYPE) throw createUnsupportedGrant()
    const presented = accept(copyOf(requireParameter(parameters, 'refresh_token')))

    request.user = presented.claims
    const { token, ...rest } = await refresh(presented, clientOf(request), { request })
    const scope = scopeOf(token)
    return reply.send({ access_token: token, refresh_token: presented.token, ...rest, ...(scope !== null && { scope }) })
  })

  /** Refuses what `refreshRequired` refuses. */
  function accept (token: string): AcceptedRefresh {
    const verdict = verify(token)
    const { claims, refusal } = verdict
    if (claims === null) throw createRefusal(suffixOf('REFRESH', refusal.kind), refusal.reason)
    if (!claims.refresh) throw createRefusal('REFRESH_IS_ACCESS')
    return verdict as AcceptedRefresh
  }
}

/** A client may ask for scopes, but the user's claims decide. Then the reply must say which scopes the token has (RFC 6749 section 5.1). */
function scopeOf (token: string): string | null {
  const scope = parseSegment(token.split('.')[1]!)?.scope
  const text = Array.isArray(scope) ? scope.join(' ') : scope
  return typeof text === 'string' && text !== '' ? text : null
}
