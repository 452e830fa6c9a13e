// The body of a request at a standard endpoint, a form or JSON → its parameters (RFC 6749 sections 3.2 and 6).
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { createInvalidRequest } from './oauth-errors.ts'
import { acceptJsonOnly } from './ready-route.ts'

const FORM = 'application/x-www-form-urlencoded'

/** For the OpenAPI document. */
export const CONSUMES = [FORM, 'application/json']

/** Reads a parameter by its name; null when it is missing or empty. It throws what `answerOauthError` answers. */
export type Parameters = (name: string) => string | null

/** Answers 415 to anything but a form or JSON, in this context only. */
export function acceptForms (fastify: FastifyInstance): void {
  acceptJsonOnly(fastify)
  fastify.addContentTypeParser<string>(FORM, { parseAs: 'string' }, (_request, text, done) => {
    const body = readForm(text)
    done(body === null ? createInvalidRequest('A parameter must not be there twice') : null, body)
  })
}

/** Null when a name appears twice. */
function readForm (text: string): object | null {
  // No prototype: a form may hold a parameter of any name.
  const body: Record<string, string> = Object.create(null)
  for (const [name, value] of new URLSearchParams(text)) {
    if (name in body) return null
    body[name] = value
  }
  return body
}

/** The parameters of a body. The values must be strings, in JSON too; members that nobody asks for are ignored. */
export function parametersOf ({ body }: FastifyRequest): Parameters {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw createInvalidRequest('The body must hold parameters')

  return function read (name) {
    const value: unknown = Object.hasOwn(body, name) ? (body as Record<string, unknown>)[name] : ''
    if (typeof value !== 'string') throw createInvalidRequest(`The ${name} must be a string`)
    // A parameter without a value counts as missing (section 3.2).
    return value === '' ? null : value
  }
}

/** Reads a parameter that must be there. */
export function requireParameter (parameters: Parameters, name: string): string {
  const value = parameters(name)
  if (value === null) throw createInvalidRequest(`The ${name} is missing`)
  return value
}

/** Whether a body was a form: in JSON the `grant_type` may be absent. */
export function isForm ({ headers }: FastifyRequest): boolean {
  return headers['content-type']?.toLowerCase().startsWith(FORM) === true
}
