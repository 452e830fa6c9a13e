// The table of all errors: a code suffix and a reason → an error that Fastify turns into a reply.
import createError, { type FastifyError } from '@fastify/error'

interface ErrorEntry {
  readonly status: number
  readonly message: string
  /** What follows the scheme in the challenge (RFC 6750 section 3); absent: no challenge is sent. */
  readonly challenge?: string
  /** The scheme of the challenge; default `Bearer`. */
  readonly scheme?: 'DPoP'
  /** The status where a sign-in is refused, when it is another one there. */
  readonly signInStatus?: number
  /** What each guard adds to it: the name of an attribute, whose value is the guard's own. */
  readonly attribute?: string
  /** Seconds (RFC 9110 section 10.2.3). */
  readonly retryAfter?: number
}

const UNAUTHORIZED = 'User must be authorized.'
const WRONG_TOKEN = 'Wrong Token'

function invalidToken (description: string): string {
  return `error="invalid_token", error_description="${description}"`
}

/** Every error of the plugin. The full code is `FST_DUAL_TOKEN_` and the key. */
export const errorTable = {
  ACCESS_MISSING: { status: 401, message: UNAUTHORIZED, challenge: '' },
  ACCESS_INVALID: { status: 401, message: UNAUTHORIZED, challenge: invalidToken('The access token is not valid') },
  ACCESS_EXPIRED: { status: 401, message: UNAUTHORIZED, challenge: invalidToken('The access token expired') },
  ACCESS_REVOKED: { status: 401, message: UNAUTHORIZED, challenge: invalidToken('The session was ended') },
  ACCESS_IS_REFRESH: { status: 403, message: 'Do not use refresh token.', challenge: invalidToken('A refresh token is not an access token') },
  ACCESS_NOT_FRESH: { status: 401, message: 'User must authenticate again.', challenge: 'error="insufficient_user_authentication"', attribute: 'max_age' },
  ACCESS_SCOPE: { status: 403, message: 'Not in the scope of the token.', challenge: 'error="insufficient_scope"', attribute: 'scope' },
  ACCESS_FORBIDDEN: { status: 403, message: 'Not allowed.' },
  REFRESH_MISSING: { status: 403, message: WRONG_TOKEN },
  REFRESH_INVALID: { status: 403, message: WRONG_TOKEN },
  REFRESH_EXPIRED: { status: 403, message: WRONG_TOKEN },
  REFRESH_IS_ACCESS: { status: 403, message: WRONG_TOKEN },
  REFRESH_REVOKED: { status: 403, message: WRONG_TOKEN },
  REFRESH_REUSED: { status: 403, message: WRONG_TOKEN },
  REFRESH_USER_GONE: { status: 403, message: WRONG_TOKEN },
  PROOF_REQUIRED: { status: 400, message: 'Proof of possession required.' },
  PROOF_INVALID: {
    status: 401, signInStatus: 400, message: 'Wrong proof of possession.', scheme: 'DPoP', challenge: 'error="invalid_dpop_proof", algs="ES256 EdDSA"'
  },
  PROOF_NONCE: {
    status: 401, signInStatus: 400, message: 'Try again with the nonce.', scheme: 'DPoP', challenge: 'error="use_dpop_nonce", algs="ES256 EdDSA"'
  },
  CROSS_ORIGIN: { status: 403, message: 'Not allowed from this origin.' },
  SESSION_LIMIT: { status: 403, message: 'Too many sessions.' },
  SESSION_UNKNOWN: { status: 404, message: 'No such session.' },
  LOGIN_REFUSED: { status: 401, message: 'Invalid credentials.', challenge: '' },
  STORE_UNAVAILABLE: { status: 503, message: 'Try again later.', retryAfter: 1 },
  OPTION_INVALID: { status: 500, message: '%s' },
  USER_INVALID: { status: 500, message: '%s' },
  NOT_REGISTERED: { status: 500, message: '%s' }
} as const satisfies Record<string, ErrorEntry>

/** The part of an error's `code` after `FST_DUAL_TOKEN_`. */
export type ErrorSuffix = keyof typeof errorTable

/** The `code` of an error, as clients and logs see it. */
export type DualTokenErrorCode = `FST_DUAL_TOKEN_${ErrorSuffix}`

/** An error of this plugin: `code`, `statusCode`, `headers` for the reply and, for the log alone, `cause`. */
export interface DualTokenError extends FastifyError {
  code: DualTokenErrorCode
  statusCode: number
  headers?: Readonly<Record<string, string>>
}

const FAULTS = ['OPTION_INVALID', 'USER_INVALID', 'NOT_REGISTERED'] as const
type Fault = typeof FAULTS[number]

/** Only errors of the programmer have stack frames; refusals are routine and have none. */
const constructors = new Map(Object.entries(errorTable).map(([suffix, { status, message }]) =>
  [suffix, createError(`FST_DUAL_TOKEN_${suffix}`, message, status, Error, FAULTS.some(fault => fault === suffix))]))

/** The reason of a refusal, for the log: an error without stack frames. */
function createReason (message: string): Error {
  return Object.create(Error.prototype, { message: { value: message }, stack: { value: `Error: ${message}` } })
}

/** Makes an error for the programmer: an invalid option, an invalid user, a missing plugin. */
export function createFault (suffix: Fault, sentence: string): DualTokenError {
  const FaultError = constructors.get(suffix)!
  return new FaultError(sentence) as DualTokenError
}

/** The code suffixes of refusals. */
export type RefusalSuffix = Exclude<ErrorSuffix, Fault>

/**
 * Makes the error that refuses a client; `reason` becomes its `cause` and never reaches the client. At a sign-in, a few errors have another
 * status.
 */
export type CreateRefusal = (suffix: RefusalSuffix, reason?: string, atSignIn?: boolean) => DualTokenError

/**
 * Binds the refusals to a realm (RFC 9110 section 11.5).
 *
 * @param realm printable ASCII, or undefined for a challenge without one
 * @returns a factory of errors; each carries `Cache-Control: no-store` and its challenge in `headers`
 */
export function createRefusals (realm: string | undefined): CreateRefusal {
  const headersBySuffix = new Map(Object.entries<ErrorEntry>(errorTable).map(([suffix, entry]) => [suffix, headersOf(entry, realm)]))

  return function createRefusal (suffix, reason, atSignIn = false) {
    const error = refuse(suffix, headersBySuffix.get(suffix)!, reason)
    const { signInStatus }: ErrorEntry = errorTable[suffix]
    if (atSignIn && signInStatus !== undefined) error.statusCode = signInStatus
    return error
  }
}

/**
 * Binds one refusal to a realm and to the value of its attribute, for a guard whose challenge says what it asks for.
 *
 * @param value without quotes and backslashes
 */
export function createRefusalWith (realm: string | undefined, suffix: RefusalSuffix, value: string): (reason?: string) => DualTokenError {
  const headers = headersOf(errorTable[suffix], realm, value)
  return reason => refuse(suffix, headers, reason)
}

function refuse (suffix: RefusalSuffix, headers: Readonly<Record<string, string>>, reason: string | undefined): DualTokenError {
  const RefusalError = constructors.get(suffix)!
  const error = new RefusalError() as DualTokenError
  error.headers = headers
  if (reason !== undefined) error.cause = createReason(reason)
  return error
}

function headersOf (entry: ErrorEntry, realm: string | undefined, value?: string): Readonly<Record<string, string>> {
  const { scheme = 'Bearer', retryAfter } = entry
  const challenge = challengeOf(entry, value)
  const realmPart = realm === undefined ? '' : `realm="${realm.replace(/["\\]/g, '\\$&')}"`
  const headers: Record<string, string> = { 'cache-control': 'no-store' }
  if (challenge !== undefined) headers['www-authenticate'] = `${scheme} ${[realmPart, challenge].filter(Boolean).join(', ')}`.trimEnd()
  if (retryAfter !== undefined) headers['retry-after'] = String(retryAfter)
  return Object.freeze(headers)
}

/** What follows `Bearer`, with the value of the attribute where a guard gives one. */
export function challengeOf ({ challenge, attribute }: ErrorEntry, value?: string): string | undefined {
  return value === undefined ? challenge : `${challenge}, ${attribute}="${value}"`
}
