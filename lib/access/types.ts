// The public types of guards.
import type { FastifyRequest } from 'fastify'

/** The request as a guard needs it: any FastifyRequest, whatever its generics. */
export type GuardedRequest = Pick<FastifyRequest, 'headers' | 'raw'>

/** A callback hook for `onRequest`, `preValidation` or `preHandler`. */
export type Guard = (request: GuardedRequest & { readonly server: object }, reply: unknown, done: (error?: Error) => void) => void
