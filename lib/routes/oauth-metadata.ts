// The issuer's URL → the document by which clients find the standard endpoints (RFC 8414), and the routes that serve it.
import { Type } from '@sinclair/typebox'
import type { FastifyInstance, RouteShorthandOptions } from 'fastify'
import { isSecureAddress } from '../keys/fetch-key-set.ts'
import { DESCRIPTION, type Describe, type Description } from '../openapi/document.ts'
import type { JwksSettings } from '../options/jwks.ts'
import type { RouteSettings } from '../options/routes.ts'
import { PROOF_ALGORITHMS } from '../possession/key.ts'
import type { Sessions } from '../sessions/sessions.ts'
import { pathOf } from './oauth-route.ts'

const WELL_KNOWN = '/.well-known/oauth-authorization-server'
const MAX_AGE = 300

const Url = Type.String({ format: 'uri' })
const Names = Type.Array(Type.String())
const MetadataSchema = Type.Object({
  issuer: Url,
  token_endpoint: Url,
  revocation_endpoint: Url,
  jwks_uri: Type.Optional(Url),
  response_types_supported: Names,
  grant_types_supported: Names,
  token_endpoint_auth_methods_supported: Names,
  revocation_endpoint_auth_methods_supported: Names,
  dpop_signing_alg_values_supported: Type.Optional(Names)
}, { description: 'The metadata' })

const description: Description = {
  errors: [],
  schema: {
    summary: 'Metadata of OAuth 2.0',
    description: 'Where the standard endpoints are (RFC 8414).',
    tags: ['keys'],
    security: [],
    response: { 200: MetadataSchema }
  }
}

export interface MetadataParts {
  readonly issuer: string | undefined
  readonly routes: RouteSettings
  readonly jwks: JwksSettings | null
  readonly sessions: Sessions | null
}

/** The issuer as an address, or null: https, or http of a loopback host, without a query or a fragment (RFC 8414 section 2). */
export function addressOf (issuer: string | undefined): URL | null {
  if (issuer === undefined || !URL.canParse(issuer)) return null
  const url = new URL(issuer)
  return isSecureAddress(url) && !/[?#]/.test(issuer) && url.username === '' && url.password === '' ? url : null
}

/**
 * The metadata of a server.
 *
 * @param prefix of the context in which the routes stand; an issuer whose path ends in it stands for that context
 */
export function metadataOf ({ issuer, routes, jwks, sessions }: MetadataParts, address: URL, prefix: string): object {
  const path = address.pathname.replace(/\/$/, '')
  const base = `${address.origin}${path}${path.endsWith(prefix) ? '' : prefix}`
  return {
    issuer,
    token_endpoint: base + pathOf(routes, 'token'),
    revocation_endpoint: base + pathOf(routes, 'revoke'),
    ...(jwks !== null && { jwks_uri: base + jwks.path }),
    // Required, although there is no authorization endpoint.
    response_types_supported: [],
    grant_types_supported: ['refresh_token'],
    token_endpoint_auth_methods_supported: ['none'],
    revocation_endpoint_auth_methods_supported: ['none'],
    // RFC 9449 section 5.1.
    ...(sessions !== null && sessions.settings.possession.mode !== false && { dpop_signing_alg_values_supported: PROOF_ALGORITHMS })
  }
}

/** Adds the routes, when the issuer is an address: open to all, cacheable. */
export function addMetadataRoutes (fastify: FastifyInstance, parts: MetadataParts): void {
  const address = addressOf(parts.issuer)
  if (address === null) return
  const body = JSON.stringify(metadataOf(parts, address, fastify.prefix))
  const options: RouteShorthandOptions & { [DESCRIPTION]: Describe } = { exposeHeadRoute: true, [DESCRIPTION]: () => description }
  // The path of the issuer follows the well-known one (section 3.1). A client that puts it first reaches the first route, if a proxy strips the path.
  const path = address.pathname.replace(/\/$/, '').replaceAll(':', '::')
  for (const url of new Set([WELL_KNOWN, WELL_KNOWN + path])) {
    fastify.get(url, options, (_request, reply) =>
      reply.header('cache-control', `public, max-age=${MAX_AGE}`).type('application/json; charset=utf-8').send(body))
  }
}
