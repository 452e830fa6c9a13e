// What the standard endpoints share: their path, their options and the description of their errors.
import { Type } from '@sinclair/typebox'
import type { RouteShorthandOptions } from 'fastify'
import { nonceHeader } from '../openapi/replies.ts'
import type { RouteSettings } from '../options/routes.ts'
import { answerOauthError, type OauthErrorBody } from './oauth-errors.ts'
import { optionsOf, type ReadyRoute } from './ready-route.ts'

/** Joins the two with one slash, also when the path ends in one. */
export function pathOf ({ path }: Pick<RouteSettings, 'path'>, name: 'token' | 'revoke'): string {
  return `${path.replace(/\/$/, '')}/${name}`
}

/** The options of the other ready routes, with error replies of the standard form. */
export function doorOptions (routes: RouteSettings, route: Pick<ReadyRoute, 'summary' | 'description' | 'documented'>): RouteShorthandOptions {
  const { documented } = route
  return { ...optionsOf(routes, { ...route, errors: [], documented: { security: [], ...documented } }), errorHandler: answerOauthError }
}

const DESCRIPTION = { error_description: Type.Optional(Type.String({ description: 'For people' })) }

/** For the OpenAPI document: the error replies, by status. */
export function documentedErrors (names: ReadonlyArray<OauthErrorBody['error']>, needsStore: boolean): Record<string, object> {
  const reply = (names: readonly string[], description: string): object =>
    Type.Object({ error: Type.Union(names.map(name => Type.Literal(name))), ...DESCRIPTION }, { description })
  return {
    400: { ...reply(names, 'Refused (RFC 6749 section 5.2)'), ...(names.includes('use_dpop_nonce') && { headers: nonceHeader }) },
    413: reply(['invalid_request'], 'The body is too large'),
    415: reply(['invalid_request'], 'The body is neither a form nor JSON'),
    ...(needsStore && {
      503: { ...reply(['temporarily_unavailable'], 'Try again later'), headers: { 'Retry-After': { type: 'integer', description: 'Seconds' } } }
    })
  }
}
