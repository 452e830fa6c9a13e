// The key ring → the JWK Set that other services verify with (RFC 7517 section 5), and the route that serves it.
import { createHash } from 'node:crypto'
import { Type } from '@sinclair/typebox'
import type { FastifyPluginAsync, RouteShorthandOptions } from 'fastify'
import type { JwksSettings } from '../options/jwks.ts'
import { isSymmetric, type RingKeys } from '../keys/check.ts'
import { DESCRIPTION, type Describe, type Description } from '../openapi/document.ts'

interface KeySet {
  readonly keys: RingKeys
  readonly body: string
  readonly etag: string
}

/** For the OpenAPI document. */
const KeySetSchema = Type.Object({
  keys: Type.Array(Type.Object({
    kid: Type.String(),
    alg: Type.String(),
    use: Type.Literal('sig'),
    kty: Type.String()
  }, { additionalProperties: true, description: 'A key: beside these, the members of its `kty`' }))
})
const description: Description = {
  errors: [],
  schema: {
    summary: 'Public keys',
    description: 'The keys that tokens are verified with, as a JWK Set (RFC 7517). It may be kept, as `Cache-Control` and `ETag` say.',
    tags: ['keys'],
    security: [],
    response: {
      200: { description: 'The key set', content: { 'application/jwk-set+json': { schema: KeySetSchema } } },
      304: { type: 'null', description: 'It is the one that `If-None-Match` names' }
    }
  }
}

/** Publishes only public members, however the key was configured. */
export function keySetOf (keys: RingKeys): KeySet {
  const jwks = keys.filter(key => !isSymmetric(key)).map(({ kid, algorithm, publicKey }) =>
    ({ ...publicKey.export({ format: 'jwk' }), kid, alg: algorithm, use: 'sig' }))
  const body = JSON.stringify({ keys: jwks })
  return { keys, body, etag: `"${createHash('sha256').update(body).digest('base64url')}"` }
}

/** Adds the route: open to all, cacheable, always the current ring. */
export function createJwksRoute ({ path, maxAge }: JwksSettings, ring: { readonly keys: RingKeys }): FastifyPluginAsync {
  let keySet = keySetOf(ring.keys)

  return async function registerJwksRoute (fastify) {
    const options: RouteShorthandOptions & { [DESCRIPTION]: Describe } = { exposeHeadRoute: true, [DESCRIPTION]: () => description }
    fastify.get(path, options, (request, reply) => {
      if (keySet.keys !== ring.keys) keySet = keySetOf(ring.keys)
      const { body, etag } = keySet
      reply.header('cache-control', `public, max-age=${maxAge}`).header('etag', etag)
      if (isKnown(request.headers['if-none-match'], etag)) return reply.code(304).send()
      return reply.type('application/jwk-set+json').send(body)
    })
  }
}

/** Whether If-None-Match names the tag: a list, weak tags and `*` count (RFC 9110 section 13.1.2). */
function isKnown (ifNoneMatch: string | undefined, etag: string): boolean {
  return ifNoneMatch !== undefined && ifNoneMatch.split(',').some(one => [etag, `W/${etag}`, '*'].includes(one.trim()))
}
