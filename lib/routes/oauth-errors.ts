// An error at a standard endpoint → the reply that clients of OAuth 2.0 understand (RFC 6749 section 5.2).
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'

type OauthErrorName = 'invalid_request' | 'invalid_grant' | 'unsupported_grant_type' | 'temporarily_unavailable' | 'invalid_dpop_proof' | 'use_dpop_nonce'

/** The body of a refusal. Neither text holds a quotation mark or a backslash, as the RFC demands. */
export interface OauthErrorBody {
  readonly error: OauthErrorName
  readonly error_description: string
}

/** Our refusals, by their code without its prefix. */
const REFUSALS = new Map<string, OauthErrorBody>([
  ['REFRESH_INVALID', badGrant('The refresh token is not valid')],
  ['REFRESH_EXPIRED', badGrant('The refresh token expired')],
  ['REFRESH_IS_ACCESS', badGrant('An access token is not a refresh token')],
  ['REFRESH_REVOKED', badGrant('The session was ended')],
  ['REFRESH_REUSED', badGrant('The refresh token was used before')],
  ['REFRESH_USER_GONE', badGrant('The user no longer exists')],
  // From RFC 9449 sections 5 and 8.
  ['PROOF_INVALID', { error: 'invalid_dpop_proof', error_description: 'The proof of possession is missing or not valid' }],
  ['PROOF_NONCE', { error: 'use_dpop_nonce', error_description: 'Try again with the nonce' }],
  // From section 4.1.2.1: section 5.2 has no name for it.
  ['STORE_UNAVAILABLE', { error: 'temporarily_unavailable', error_description: 'Try again later' }]
])

/** Fastify's refusals of a body, by status. */
const BODIES = new Map([
  [400, badRequest('The body cannot be read')],
  [413, badRequest('The body is too large')],
  [415, badRequest('The body must be a form or JSON')]
])

function badGrant (description: string): OauthErrorBody {
  return { error: 'invalid_grant', error_description: description }
}

function badRequest (description: string): OauthErrorBody {
  return { error: 'invalid_request', error_description: description }
}

/** A request that breaks the rules of the endpoint. To hooks and logs it is an error of validation, without stack frames. */
class RequestError extends Error {
  readonly code = 'FST_ERR_VALIDATION'
  readonly statusCode = 400
  readonly body: OauthErrorBody

  constructor (body: OauthErrorBody) {
    super(body.error_description)
    this.body = body
    this.stack = `Error: ${body.error_description}`
  }
}

/** Makes the error for a request that lacks a parameter, or has one twice or of another type. */
export function createInvalidRequest (description: string): Error {
  return new RequestError(badRequest(description))
}

/** Makes the error for any grant but that of a refresh token. */
export function createUnsupportedGrant (): Error {
  return new RequestError({ error: 'unsupported_grant_type', error_description: 'The grant_type must be refresh_token' })
}

/**
 * The error handler of the endpoints: replies to what the plugin and Fastify refuse, and leaves what the application throws to the error
 * handler of the application. It takes precedence over that one, because the form of the reply is what clients rely on.
 */
export function answerOauthError (error: FastifyError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const body = bodyOf(error)
  if (body === undefined) throw error
  const { statusCode, headers } = error as FastifyError & { headers?: Readonly<Record<string, string>> }
  const status = isRefusalOfToken(body) ? 400 : statusCode!
  // The error is in the body; clients would take a challenge for the refusal of a resource.
  reply.code(status).headers({ ...headers }).removeHeader('www-authenticate')
  if (isLogged(request)) reply.log[status === 503 ? 'error' : 'info']({ res: reply, err: error }, error.message)
  return reply.send(body)
}

/** At the other routes these have another status. */
function isRefusalOfToken ({ error }: OauthErrorBody): boolean {
  return error === 'invalid_grant' || error === 'invalid_dpop_proof' || error === 'use_dpop_nonce'
}

/** As Fastify decides for errors that it answers by itself. */
function isLogged (request: FastifyRequest): boolean {
  const { disableRequestLogging: isDisabled } = request.server.initialConfig
  return typeof isDisabled === 'function' ? !isDisabled(request) : isDisabled !== true
}

function bodyOf (error: FastifyError): OauthErrorBody | undefined {
  if (error instanceof RequestError) return error.body
  const code = String(error.code)
  if (code.startsWith('FST_ERR_CTP_')) return BODIES.get(error.statusCode!)
  return REFUSALS.get(code.replace('FST_DUAL_TOKEN_', ''))
}
