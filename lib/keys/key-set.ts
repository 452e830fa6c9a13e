// The text of a JWK Set → the keys in it that may verify here, each checked as those of the option `keys`, and why others are left out.
import { createFault } from '../errors.ts'
import { kidOf, type PublicRingKey } from './check.ts'
import { KeySetError } from './fetch-key-set.ts'
import { holdsPrivate, readPublicKey } from './parse.ts'
import type { AsymmetricAlgorithm } from './types.ts'

export interface KeySet {
  /** At least one. */
  readonly keys: readonly PublicRingKey[]
  readonly leftOut: readonly LeftOut[]
}

export interface LeftOut {
  /** Null when it has none. */
  readonly kid: string | null
  /** Its place in the set, and what it must be. */
  readonly reason: string
}

const MAX_KEYS = 100

/** The members by which a JWK says what kind of key it is (RFC 7518 section 6, RFC 8037 section 2). */
const KINDS: Readonly<Record<AsymmetricAlgorithm, { readonly kty: string, readonly crv?: string }>> = {
  RS256: { kty: 'RSA' },
  PS256: { kty: 'RSA' },
  ES256: { kty: 'EC', crv: 'P-256' },
  EdDSA: { kty: 'OKP', crv: 'Ed25519' }
}

type Members = Readonly<Record<string, unknown>>

/**
 * Reads a set. The service names the algorithms; what the set says can only choose among these.
 *
 * @throws KeySetError when it is no set, has too many keys, or none of use
 */
export function readKeySet (text: string, algorithms: readonly AsymmetricAlgorithm[]): KeySet {
  const list = listOf(text)
  if (list.length > MAX_KEYS) throw new KeySetError(`has more than ${MAX_KEYS} keys`)

  const keys = new Map<string, PublicRingKey>()
  const leftOut: LeftOut[] = []
  for (const [index, value] of list.entries()) {
    const name = `keys[${index}]`
    const jwk: Members = Object(value)
    try {
      const key = readJwk(name, jwk, algorithms)
      if (keys.has(key.kid)) throw flaw(`${name}.kid`, 'must not be that of another key')
      keys.set(key.kid, key)
    } catch (error) {
      const kid = typeof jwk.kid === 'string' ? jwk.kid.slice(0, 256) : null
      leftOut.push({ kid, reason: String(error).replace(/^.*?Option (.*)\.$/s, '$1') })
    }
  }
  const [first] = leftOut
  if (keys.size === 0) throw new KeySetError(first === undefined ? 'has no keys' : `has no key that can be used here: ${first.reason}`)
  return { keys: Object.freeze([...keys.values()]), leftOut }
}

function listOf (text: string): readonly unknown[] {
  try {
    const { keys } = Object(JSON.parse(text))
    if (Array.isArray(keys)) return keys
  } catch {
    // Drops the error, because its message quotes the text.
  }
  throw new KeySetError('is not a JWK Set')
}

function readJwk (name: string, jwk: Members, algorithms: readonly AsymmetricAlgorithm[]): PublicRingKey {
  // Said first: a publisher has to hear of it, whatever else is wrong with the key.
  if (holdsPrivate(jwk)) throw flaw(name, 'must be a public key, not a private one')
  const algorithm = algorithmOf(name, jwk, algorithms)
  const { key, kid } = readPublicKey({ name, value: jwk }, algorithm)
  return Object.freeze({ kid: kidOf(name, kid), algorithm, privateKey: null, publicKey: key })
}

/** A key without `alg` is of the one algorithm that it fits. */
function algorithmOf (name: string, { alg, kty, crv }: Members, algorithms: readonly AsymmetricAlgorithm[]): AsymmetricAlgorithm {
  const fitting = algorithms.filter(algorithm =>
    alg === undefined ? KINDS[algorithm].kty === kty && KINDS[algorithm].crv === (kty === 'RSA' ? undefined : crv) : algorithm === alg)
  const [algorithm, other] = fitting
  if (algorithm === undefined) throw flaw(name, `must be of an algorithm that this service allows: ${algorithms.join(', ')}`)
  if (other !== undefined) throw flaw(`${name}.alg`, `is required, because ${fitting.join(' and ')} both fit`)
  return algorithm
}

function flaw (name: string, sentenceEnd: string): Error {
  return createFault('OPTION_INVALID', `Option ${name} ${sentenceEnd}.`)
}
