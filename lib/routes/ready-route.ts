// What the ready routes share: their options, and how they read a body.
import { Type } from '@sinclair/typebox'
import type {
  FastifyError, FastifyInstance, FastifyReply, FastifySchemaValidationError, preHandlerHookHandler, preValidationHookHandler, RouteShorthandOptions
} from 'fastify'
import { DESCRIPTION, type Describe, type Description } from '../openapi/document.ts'
import type { DescribedError } from '../openapi/replies.ts'
import type { Schemes } from '../openapi/schemes.ts'
import type { RouteSettings } from '../options/routes.ts'
import type { Guard } from '../access/types.ts'

type SchemaErrorFormatter = NonNullable<RouteShorthandOptions['schemaErrorFormatter']>

/** In bytes; no credentials are longer. */
const BODY_LIMIT = 16 * 1024

export const NoContentSchema = Type.Null({ description: 'Done' })

/** The parts that differ between the ready routes. */
export interface ReadyRoute {
  readonly guard?: Guard | preHandlerHookHandler | undefined
  readonly summary: string
  readonly description: string
  /** For the OpenAPI document: where the token may be, for a route that takes one without a guard. */
  readonly schemes?: Schemes
  /** For the OpenAPI document: its errors, beside those of its guard. */
  readonly errors: readonly DescribedError[]
  /** Only for the OpenAPI document: the application's schema compilers may not understand our schemas. */
  readonly documented: NonNullable<Description['schema']>
}

/** The application's options for the ready routes, with the guard before the application's own preHandlers. */
export function optionsOf ({ schema, passedOn }: RouteSettings, route: ReadyRoute): RouteShorthandOptions {
  const { guard, summary, description, errors, schemes, documented } = route
  const guards = guard === undefined ? [] : [guard as preHandlerHookHandler]
  const options: RouteShorthandOptions & { [DESCRIPTION]: Describe } = {
    bodyLimit: BODY_LIMIT,
    ...passedOn,
    schema: { ...schema },
    onRequest: [forbidStoring, passedOn.onRequest ?? []].flat(),
    onSend: [passedOn.onSend ?? [], forbidStoring].flat(),
    preHandler: guards.concat(passedOn.preHandler as preHandlerHookHandler[] ?? []),
    [DESCRIPTION]: () => ({ errors, ...(schemes && { schemes }), schema: { summary, description, ...documented } })
  }
  return options
}

/**
 * Keeps every reply out of caches, errors included (RFC 6749 section 5.1). It runs as the first hook, in case a later hook breaks the
 * reply, and as the last one, in case an earlier one refused the request or set the header itself.
 */
async function forbidStoring (_request: unknown, reply: FastifyReply): Promise<void> {
  reply.header('cache-control', 'no-store')
}

/** Answers 415 to anything but JSON, in this context only. */
export function acceptJsonOnly (fastify: FastifyInstance): void {
  fastify.removeAllContentTypeParsers()
  fastify.addContentTypeParser('application/json', { parseAs: 'string' }, fastify.getDefaultJsonParser('error', 'error'))
}

/** Makes a route demand a body that matches the application's schema of credentials, or any object without one. */
export function takeCredentials (options: RouteShorthandOptions, { body }: RouteSettings): void {
  if (body === undefined) options.preValidation = [options.preValidation ?? [], createRequireObject(options.schemaErrorFormatter)].flat()
  else options.schema = { ...options.schema, body }
}

/** Refuses a body that is no object, exactly as Fastify does by the schema `{ type: 'object' }`. */
function createRequireObject (format?: SchemaErrorFormatter): preValidationHookHandler {
  return function requireObject ({ body }, _reply, done) {
    if (typeof body === 'object' && body !== null && !Array.isArray(body)) return done()
    done(createInvalid('body', { keyword: 'type', instancePath: '', schemaPath: '#/type', params: { type: 'object' }, message: 'must be object' }, format))
  }
}

/** Refuses a value of a parameter in the query that is not among those allowed, exactly as Fastify does by the schema `{ enum: allowed }`. */
export function createRequireOneOf (name: string, allowed: readonly string[], format?: SchemaErrorFormatter): preValidationHookHandler {
  return function requireOneOf ({ query }, _reply, done) {
    const value: unknown = (query as Readonly<Record<string, unknown>>)[name]
    if (value === undefined || allowed.some(one => one === value)) return done()
    done(createInvalid('querystring', {
      keyword: 'enum',
      instancePath: `/${name}`,
      schemaPath: `#/properties/${name}/enum`,
      params: { allowedValues: allowed },
      message: 'must be equal to one of the allowed values'
    }, format))
  }
}

function createInvalid (
  context: 'body' | 'querystring',
  result: FastifySchemaValidationError,
  format: SchemaErrorFormatter = () => new Error(`${context}${result.instancePath} ${result.message}`)
): Error {
  const error: Error & Partial<FastifyError> = format([result], context)
  error.statusCode ||= 400
  error.code ||= 'FST_ERR_VALIDATION'
  error.validation = [result]
  error.validationContext = context
  return error
}

export function noContent (reply: FastifyReply): FastifyReply {
  return reply.code(204).send()
}

const JSON_TYPE = /^application\/json *(?:;|$)/i

/**
 * Reads and discards any body within the limit, whatever its content type.
 *
 * @param parseJson for the `extract` option: a JSON body is parsed instead, and may be empty
 */
export function ignoreBodies (fastify: FastifyInstance, parseJson: boolean): void {
  fastify.removeAllContentTypeParsers()
  if (parseJson) {
    const parse = fastify.getDefaultJsonParser('error', 'error')
    fastify.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, done) => {
      if (body === '') done(null)
      else parse(request, body, done)
    })
  }
  fastify.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, _body, done) => done(null))
  fastify.addHook('preParsing', (request, _reply, _payload, done) => {
    if (!parseJson || !JSON_TYPE.test(request.headers['content-type'] ?? '')) delete request.raw.headers['content-type']
    done()
  })
}
