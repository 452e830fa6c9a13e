// The `keys` option, or the argument of `setKeys` → a list of checked keys, or one clear sentence.
import type { KeyObject } from 'node:crypto'
import { createFault } from '../errors.ts'
import { ASYMMETRIC_ALGORITHMS, readPrivateKey, readPublicKey, readSecretKey } from './parse.ts'
import type { AsymmetricAlgorithm } from './types.ts'

/** A shared secret; without a `kid` when it comes from the `secret` option. */
export interface SecretRingKey {
  readonly kid: string | undefined
  readonly algorithm: 'HS256'
  readonly secret: Buffer
}

/** A public key, with the private key when this process may sign. */
export interface PublicRingKey {
  readonly kid: string
  readonly algorithm: AsymmetricAlgorithm
  readonly privateKey: KeyObject | null
  readonly publicKey: KeyObject
}

/** A key, checked. */
export type RingKey = SecretRingKey | PublicRingKey

/** Either all or none are symmetric; each has its own `kid`. There is one at least, once a key set that is followed has been read. */
export type RingKeys = readonly RingKey[]

const MAX_KID = 256

/** @throws `FST_DUAL_TOKEN_OPTION_INVALID` */
export function readKeys (list: unknown): readonly [RingKey, ...RingKey[]] {
  if (!Array.isArray(list) || list.length === 0) throw flaw('keys', 'must be a list of at least one key')
  const keys = Array.from(list, (value, index) => readKey(value, `keys[${index}]`)) as [RingKey, ...RingKey[]]

  const kids = new Set<string | undefined>()
  for (const [index, key] of keys.entries()) {
    if (kids.has(key.kid)) throw flaw(`keys[${index}].kid`, 'must not be that of another key')
    kids.add(key.kid)
    if (isSymmetric(key) !== isSymmetric(keys[0])) {
      throw flaw('keys', 'must not have symmetric keys beside asymmetric ones')
    }
  }
  return Object.freeze(keys)
}

export function isSymmetric (key: RingKey): key is SecretRingKey {
  return key.algorithm === 'HS256'
}

/** Whether the first key can sign; otherwise the ring only verifies. */
export function canSign ([first]: RingKeys): boolean {
  return first !== undefined && (isSymmetric(first) || first.privateKey !== null)
}

function readKey (value: unknown, name: string): RingKey {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw flaw(name, 'must be an object')
  const { kid, algorithm, secret, privateKey, publicKey, ...rest }: Record<string, unknown> = { ...value }
  const [unknown] = Object.keys(rest)
  if (unknown !== undefined) throw flaw(`${name}.${unknown}`, 'is not known')

  if (algorithm === 'HS256') {
    if (privateKey !== undefined) throw flaw(`${name}.privateKey`, 'must not be set for HS256')
    if (publicKey !== undefined) throw flaw(`${name}.publicKey`, 'must not be set for HS256')
    const source = readSecretKey({ name: `${name}.secret`, value: secret })
    return Object.freeze({ kid: kidOf(name, kid, source.kid), algorithm, secret: source.key })
  }
  if (!isAsymmetric(algorithm)) throw flaw(`${name}.algorithm`, `must be one of HS256, ${ASYMMETRIC_ALGORITHMS.join(', ')}`)
  if (secret !== undefined) throw flaw(`${name}.secret`, `must not be set for ${algorithm}`)
  return readPair(name, kid, algorithm, privateKey, publicKey)
}

function readPair (name: string, kid: unknown, algorithm: AsymmetricAlgorithm, privateValue: unknown, publicValue: unknown): PublicRingKey {
  const privateHalf = privateValue === undefined ? null : readPrivateKey({ name: `${name}.privateKey`, value: privateValue }, algorithm)
  const publicHalf = publicValue === undefined ? null : readPublicKey({ name: `${name}.publicKey`, value: publicValue }, algorithm)
  const publicKey = publicHalf?.key ?? privateHalf?.publicKey
  if (publicKey === undefined) throw flaw(name, 'must have a privateKey or a publicKey')
  if (privateHalf !== null && !publicKey.equals(privateHalf.publicKey)) {
    throw flaw(name, 'must have a privateKey and a publicKey that belong together')
  }
  return Object.freeze({
    kid: kidOf(name, kid, privateHalf?.kid, publicHalf?.kid),
    algorithm,
    privateKey: privateHalf?.key ?? null,
    publicKey
  })
}

function isAsymmetric (algorithm: unknown): algorithm is AsymmetricAlgorithm {
  return ASYMMETRIC_ALGORITHMS.some(name => name === algorithm)
}

/** Reads the `kid` of a key; its JWKs must not name another one. */
export function kidOf (name: string, ...given: unknown[]): string {
  const [kid, ...others] = new Set(given.filter(kid => kid !== undefined))
  if (kid === undefined) throw flaw(`${name}.kid`, 'is required')
  if (others.length > 0) throw flaw(`${name}.kid`, 'must be the kid of its JWK')
  if (typeof kid === 'string' && kid !== '' && kid.length <= MAX_KID) return kid
  throw flaw(`${name}.kid`, `must be a string of 1 to ${MAX_KID} characters`)
}

function flaw (name: string, sentenceEnd: string): Error {
  return createFault('OPTION_INVALID', `Option ${name} ${sentenceEnd}.`)
}
