// A validated key → a key that signs and verifies. The only file that uses @fastify/jwt.
import fastifyJwt, { type JWT } from '@fastify/jwt'
import type { FastifyInstance } from 'fastify'
import { isSymmetric, type RingKey } from './check.ts'
import type { KeyAlgorithm } from './types.ts'
import { createVerifySignature, type VerifySignature } from './signature.ts'

/** A key that signs and verifies. */
export interface Key {
  readonly kid: string | undefined
  readonly algorithm: KeyAlgorithm
  /** Claims → a compact JWS. Throws when they cannot be signed, or when there is no private key to sign with. */
  sign (claims: object): string
  readonly verifySignature: VerifySignature
}

/** Makes the signer and the verifier of a key. */
export type CreateKey = (key: RingKey) => Key

/**
 * Registers @fastify/jwt on a stand-in for the instance, so that its decorators never meet those of the application's own
 * @fastify/jwt. It only signs: verifying with it would parse a stranger's payload before checking the signature.
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
      sign: { algorithm, ...(kid !== undefined && { kid }) }
    }, error => { if (error) throw error })

    const { sign } = engine!
    return { kid, algorithm, sign: claims => sign(claims), verifySignature: createVerifySignature(key) }
  }
}

/** The key in the format of the engine: the bytes of a secret, or PEM. */
function secretOf (key: RingKey): Buffer | { private?: string, public: string } {
  if (isSymmetric(key)) return key.secret
  return {
    ...(key.privateKey !== null && { private: key.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string }),
    public: key.publicKey.export({ type: 'spki', format: 'pem' }) as string
  }
}
