// Secret → a signer and a verifier made once by @fastify/jwt; the only file that knows it.
import fastifyJwt, { type JWT } from '@fastify/jwt'
import type { FastifyInstance } from 'fastify'

/** A key at work: signs claims into a compact JWS, checks the signature of one and gives back its payload. */
export interface Key {
  readonly algorithm: string
  /** Throws when the claims cannot be signed. */
  sign (claims: object): string
  /** Checks the signature under this key and algorithm alone, and nothing else. Throws when it is not good. */
  verify (token: string): unknown
}

/** Makes keys; an HMAC secret is its bytes. */
export type CreateKey = (secret: Buffer) => Key

/**
 * @fastify/jwt is registered on a stand-in for the instance that keeps its decorators to itself: the application's own
 * @fastify/jwt never meets ours, and keys can be made at any time. Times are checked in claims.ts, on our clock.
 */
export function createKeyFactory (fastify: FastifyInstance): CreateKey {
  return function createKey (secret) {
    let engine: JWT | undefined
    const host: FastifyInstance = Object.create(fastify, {
      decorate: { value: (_name: string, value: JWT) => { engine = value } },
      decorateRequest: { value: () => {} },
      decorateReply: { value: () => {} }
    })
    fastifyJwt(host, {
      secret,
      sign: { algorithm: 'HS256' },
      verify: { algorithms: ['HS256'], cache: false, ignoreExpiration: true, ignoreNotBefore: true }
    }, error => { if (error) throw error })

    const { sign, verify } = engine!
    return {
      algorithm: 'HS256',
      sign: claims => sign(claims),
      verify: token => verify(token)
    }
  }
}
