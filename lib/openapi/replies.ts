// Errors a route can answer with → the replies that an OpenAPI document describes: by status, each with an example.
import { STATUS_CODES } from 'node:http'
import { challengeOf, errorTable, type RefusalSuffix } from '../errors.ts'

/** Fastify's own refusals of a body. */
const fastifyErrors = {
  FST_ERR_VALIDATION: { status: 400, message: 'body must be object' },
  FST_ERR_CTP_EMPTY_JSON_BODY: { status: 400, message: "Body cannot be empty when content-type is set to 'application/json'" },
  FST_ERR_CTP_INVALID_JSON_BODY: { status: 400, message: "Body is not valid JSON but content-type is set to 'application/json'" },
  FST_ERR_CTP_BODY_TOO_LARGE: { status: 413, message: 'Request body is too large' },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: { status: 415, message: 'Unsupported Media Type' }
} as const

/** Its refusal of a parameter in the query. */
const queryErrors = {
  QUERY_INVALID: { status: 400, code: 'FST_ERR_VALIDATION', message: 'querystring/except must be equal to one of the allowed values' }
} as const

/** The status of an error where a sign-in is refused. */
const signInErrors = {
  'PROOF_INVALID at sign-in': 'PROOF_INVALID',
  'PROOF_NONCE at sign-in': 'PROOF_NONCE'
} as const

/** An error of ours whose challenge says what this route asks for. */
interface ErrorOfRoute {
  readonly name: RefusalSuffix
  /** Of the attribute that its challenge ends in. */
  readonly value: string
}

/** An error of ours, without its prefix, or one of Fastify's. */
export type DescribedError = RefusalSuffix | keyof typeof signInErrors | keyof typeof fastifyErrors | keyof typeof queryErrors | ErrorOfRoute

/** The errors of a route that reads a body. */
export const bodyErrors = Object.keys(fastifyErrors) as ReadonlyArray<keyof typeof fastifyErrors>

/** The body of an error as Fastify writes it; one that the application throws may lack a code. */
export const errorSchema = {
  type: 'object',
  required: ['statusCode', 'error', 'message'],
  properties: {
    statusCode: { type: 'integer' },
    code: { type: 'string', description: 'Says why' },
    error: { type: 'string', description: 'The name of the status' },
    message: { type: 'string', description: 'Says what' }
  }
} as const

const CHALLENGE = 'The challenge (RFC 9110 section 11.6.1)'
/** Of a reply that asks for a nonce. */
export const nonceHeader = { 'DPoP-Nonce': { type: 'string', description: 'The nonce for the next try (RFC 9449 section 8)' } }
const RETRY_AFTER = { 'Retry-After': { type: 'integer', description: 'Seconds' } }

/** For the reply that sets or deletes cookies. */
export function setCookieHeader (description: string): object {
  return { 'Set-Cookie': { type: 'string', description } }
}

interface Facts {
  readonly code: string
  readonly status: number
  readonly message: string
  readonly challenge?: string
  readonly retryAfter?: number
  /** What the challenge of this route says. */
  readonly asks?: string
}

/**
 * Only for documents that have `errorSchema` among their components: if a route itself had such replies, Fastify would
 * serialize the application's own errors in their shape.
 */
export function repliesOf (errors: readonly DescribedError[]): Record<string, object> {
  const byStatus = new Map<number, Facts[]>()
  for (const facts of [...new Set(errors)].map(factsOf)) byStatus.set(facts.status, [...byStatus.get(facts.status) ?? [], facts])
  return Object.fromEntries([...byStatus].map(([status, group]) => [status, replyOf(status, group)]))
}

function factsOf (error: DescribedError): Facts {
  if (typeof error === 'object') return { ...factsOf(error.name), asks: `Bearer ${challengeOf(errorTable[error.name], error.value)}` }
  return factsOfName(error)
}

function factsOfName (name: Exclude<DescribedError, object>): Facts {
  if (name === 'QUERY_INVALID') return queryErrors[name]
  if (name in signInErrors) {
    const suffix = signInErrors[name as keyof typeof signInErrors]
    const { signInStatus, ...entry } = errorTable[suffix]
    return { code: `FST_DUAL_TOKEN_${suffix}`, ...entry, status: signInStatus }
  }
  return name in errorTable
    ? { code: `FST_DUAL_TOKEN_${name}`, ...errorTable[name as RefusalSuffix] }
    : { code: name, ...fastifyErrors[name as keyof typeof fastifyErrors] }
}

function replyOf (status: number, group: readonly Facts[]): object {
  const error = STATUS_CODES[status]!
  const [message, ...others] = new Set(group.map(({ message }) => message))
  const examples = group.map(({ code, message }) => [code, { value: { statusCode: status, code, error, message } }])
  const headers = {
    ...(group.some(({ challenge }) => challenge !== undefined) && { 'WWW-Authenticate': { type: 'string', description: challengesOf(group) } }),
    ...(group.some(({ code }) => code === 'FST_DUAL_TOKEN_PROOF_NONCE') && nonceHeader),
    ...(group.some(({ retryAfter }) => retryAfter !== undefined) && RETRY_AFTER)
  }
  return {
    description: others.length === 0 ? message : error,
    content: { 'application/json': { schema: { $ref: '#/components/schemas/DualTokenError' }, examples: Object.fromEntries(examples) } },
    ...(Object.keys(headers).length > 0 && { headers })
  }
}

/** RFC 9470 is for who signs in again, RFC 6750 for scopes; each challenge names itself by its `error`. */
function challengesOf (group: readonly Facts[]): string {
  const asked = group.flatMap(({ asks }) => asks ?? [])
  return [CHALLENGE, ...asked.map(asks => `\`${asks}\`${asks.includes('max_age') ? ' (RFC 9470 section 3)' : ''}`)].join('; ')
}
