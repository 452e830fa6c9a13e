// What the ready routes have in common: their options, and what they take of a body, which is JSON alone or nothing.
import type { FastifyInstance, FastifySchema, preHandlerHookHandler, RouteShorthandOptions } from 'fastify'
import type { RouteSettings } from './route-options.ts'
import type { Guard } from './types.ts'

/** Bytes; no credentials are longer. */
const BODY_LIMIT = 16 * 1024

/** The application's options for the ready routes, with this schema, and with a guard before its own preHandlers. */
export function optionsOf ({ schema: described, passedOn }: RouteSettings, schema: FastifySchema, guard?: Guard): RouteShorthandOptions {
  const guards = guard === undefined ? [] : [guard as preHandlerHookHandler]
  return {
    bodyLimit: BODY_LIMIT,
    ...passedOn,
    schema: { ...described, ...schema },
    preHandler: guards.concat(passedOn.preHandler as preHandlerHookHandler[] ?? [])
  }
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
