// The `oauth` option → the standard endpoints, for clients that others wrote: POST <path>/token, POST <path>/revoke, and their metadata.
import type { FastifyPluginAsync } from 'fastify'
import type { RouteSettings } from '../options/routes.ts'
import { addMetadataRoutes, type MetadataParts } from './oauth-metadata.ts'
import { acceptForms } from './oauth-parameters.ts'
import { addRevokeRoute, type RevokeRouteParts } from './oauth-revoke.ts'
import { addTokenRoute, type TokenRouteParts } from './oauth-token.ts'

export type OauthParts = TokenRouteParts & RevokeRouteParts & Omit<MetadataParts, 'routes'>

/** The endpoints read forms, so they get a context of their own; the application's parsers stay as they are. */
export function createOauthRoutes (routes: RouteSettings, parts: OauthParts): FastifyPluginAsync {
  return async function registerOauthRoutes (fastify) {
    addMetadataRoutes(fastify, { ...parts, routes })
    fastify.register(async context => {
      // An error that our own handler leaves goes first to the handler that is passed on, as at the other ready routes.
      const { errorHandler } = routes.passedOn
      if (errorHandler !== undefined) context.setErrorHandler(errorHandler)
      context.addHook('onRequest', async (_request, reply) => { reply.header('pragma', 'no-cache') })
      acceptForms(context)
      addTokenRoute(context, routes, parts)
      addRevokeRoute(context, routes, parts)
    })
  }
}
