// What the ready routes have in common: their options, and what they take of a body, which is JSON alone or nothing.
import type { FastifyInstance, FastifySchema, preHandlerHookHandler, RouteShorthandOptions } from 'fastify'
import { DESCRIPTION, type Description } from './openapi.ts'
import type { DescribedError } from './replies.ts'
import type { RouteSettings } from './route-options.ts'
import type { Guard } from './types.ts'

/** Bytes; no credentials are longer. */
const BODY_LIMIT = 16 * 1024

/** What is one ready route's own. */
export interface ReadyRoute {
  readonly schema: FastifySchema
  readonly guard?: Guard
  readonly summary: string
  readonly description: string
  /** For documents: what it refuses with, beside what its guard does. */
  readonly errors: readonly DescribedError[]
  /** For documents alone. */
  readonly documented?: Description['schema']
}

/** The application's options for the ready routes, with this schema, and with the guard before the application's own preHandlers. */
export function optionsOf ({ schema: described, passedOn }: RouteSettings, route: ReadyRoute): RouteShorthandOptions {
  const { schema, guard, summary, description, errors, documented = {} } = route
  const guards = guard === undefined ? [] : [guard as preHandlerHookHandler]
  const options: RouteShorthandOptions & { [DESCRIPTION]: Description } = {
    bodyLimit: BODY_LIMIT,
    // Whatever compiler the application has for the schemas of its own routes, it may not know ours.
    serializerCompiler: () => JSON.stringify,
    ...passedOn,
    schema: { ...described, ...schema },
    preHandler: guards.concat(passedOn.preHandler as preHandlerHookHandler[] ?? []),
    [DESCRIPTION]: { errors, schema: { summary, description, ...documented } }
  }
  return options
}

/** Of this context, not of the application: anything but JSON is answered 415. */
export function acceptJsonOnly (fastify: FastifyInstance): void {
  fastify.removeAllContentTypeParsers()
  fastify.addContentTypeParser('application/json', { parseAs: 'string' }, fastify.getDefaultJsonParser('error', 'error'))
}

/** Whatever is sent is read, within the limit, and forgotten, and so is the type it claims to have. */
export function discardBodies (fastify: FastifyInstance): void {
  fastify.removeAllContentTypeParsers()
  fastify.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, _body, done) => done(null))
  fastify.addHook('preParsing', (request, _reply, _payload, done) => {
    delete request.raw.headers['content-type']
    done()
  })
}
