// A checked key → a signer and a verifier made once by @fastify/jwt; the only file that knows it.
import fastifyJwt, { type JWT } from '@fastify/jwt'
import type { FastifyInstance } from 'fastify'
import { isSymmetric, type RingKey } from './key-options.ts'
import type { KeyAlgorithm } from './key-types.ts'

/** A key at work: signs claims into a compact JWS, checks the signature of one and gives back its payload. */
export interface Key {
  readonly kid: string | undefined
  readonly algorithm: KeyAlgorithm
  /** Characters: no signature of this key is shorter or longer. */
  readonly signatureLength: number
  /** Throws when the claims cannot be signed, or when there is no private key to sign with. */
  sign (claims: object): string
  /** Checks the signature under this key and algorithm alone, and nothing else. Throws when it is not good. */
  verify (token: string): unknown
}

/** Puts a key to work. */
export type CreateKey = (key: RingKey) => Key

/**
 * @fastify/jwt is registered on a stand-in for the instance that keeps its decorators to itself: the application's own
 * @fastify/jwt never meets ours, and keys can be made at any time. Times are checked in claims.ts, on our clock.
 */
export function createKeyFactory (fastify: FastifyInstance): CreateKey {
  return function createKey (key) {
    const { algorithm, kid } = key
    let engine: JWT | undefined
    const host: FastifyInstance = Object.create(fastify, {
      decorate: { value: (_name: string, value: JWT) => { engine = value } },
      decorateRequest: { value: () => {} },
      decorateReply: { value: () => {} }
    })
    fastifyJwt(host, {
      secret: secretOf(key),
      sign: { algorithm, ...(kid !== undefined && { kid }) },
      verify: { algorithms: [algorithm], cache: false, ignoreExpiration: true, ignoreNotBefore: true }
    }, error => { if (error) throw error })

    const { sign, verify } = engine!
    return {
      kid,
      algorithm,
      signatureLength: Math.ceil(signatureBytes(key) * 4 / 3),
      sign: claims => sign(claims),
      verify: token => verify(token)
    }
  }
}

/** What the engine takes: the bytes of a secret, or PEM. */
function secretOf (key: RingKey): Buffer | { private?: string, public: string } {
  if (isSymmetric(key)) return key.secret
  return {
    ...(key.privateKey !== null && { private: key.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string }),
    public: key.publicKey.export({ type: 'spki', format: 'pem' }) as string
  }
}

/** RFC 7518 sections 3.2 to 3.5, RFC 8037 section 3.1. */
function signatureBytes (key: RingKey): number {
  if (isSymmetric(key)) return 32
  const bits = key.publicKey.asymmetricKeyDetails!.modulusLength
  return bits === undefined ? 64 : Math.ceil(bits / 8)
}
