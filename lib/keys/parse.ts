// A PEM, a JWK or a KeyObject, as configured → the key in it, checked for its algorithm, or one clear sentence.
import { createPrivateKey, createPublicKey, KeyObject, sign, verify, type JsonWebKey } from 'node:crypto'
import { isSoundPoint } from './ed25519.ts'
import { createFault } from '../errors.ts'
import type { AsymmetricAlgorithm, KeyAlgorithm } from './types.ts'
import { isRocaModulus } from './roca.ts'
import { secretFlaw } from './secret.ts'

/** The value of an option, and its name for error messages. */
export interface Given {
  readonly name: string
  readonly value: unknown
}

/** A key, and the name that its JWK gives it. */
export interface Source<Key> {
  readonly key: Key
  readonly kid: unknown
}

type Half = 'private' | 'public'
type Operation = 'sign' | 'verify'

const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']
const MIN_MODULUS = 2048
const MIN_EXPONENT = 65_537n

/** The key type that node:crypto reports for the keys of each algorithm, and its name in error messages. */
const KINDS: Readonly<Record<AsymmetricAlgorithm, { readonly type: string, readonly named: string }>> = {
  RS256: { type: 'rsa', named: 'an RSA key' },
  PS256: { type: 'rsa', named: 'an RSA key' },
  ES256: { type: 'ec', named: 'an EC key on the curve P-256' },
  EdDSA: { type: 'ed25519', named: 'an Ed25519 key' }
}

export const ASYMMETRIC_ALGORITHMS: readonly string[] = Object.keys(KINDS)

/** @throws `FST_DUAL_TOKEN_OPTION_INVALID` */
export function readSecretKey (given: Given): Source<Buffer> {
  const { bytes, kid } = secretOf(given)
  const flaw = secretFlaw(bytes)
  if (flaw !== null) throw complaint(given, flaw)
  return { key: Buffer.from(bytes), kid }
}

function secretOf ({ name, value }: Given): { bytes: string | Uint8Array, kid?: unknown } {
  if (typeof value === 'string' || value instanceof Uint8Array) return { bytes: value }
  if (value instanceof KeyObject && value.type === 'secret') return { bytes: value.export() }
  const jwk = jwkOf(value)
  if (jwk === null || jwk.kty !== 'oct' || typeof jwk.k !== 'string' || !/^[\w-]+$/.test(jwk.k)) {
    throw complaint({ name }, 'must be a string, a Buffer, or a JWK or KeyObject of a symmetric key')
  }
  checkMembers({ name }, jwk, 'HS256', ['sign', 'verify'])
  return { bytes: Buffer.from(jwk.k, 'base64url'), kid: jwk.kid }
}

/** @throws `FST_DUAL_TOKEN_OPTION_INVALID` */
export function readPrivateKey (given: Given, algorithm: AsymmetricAlgorithm): Source<KeyObject> & { readonly publicKey: KeyObject } {
  const { key, jwk, kid } = readHalf(given, algorithm, 'private')
  const publicKey = createPublicKey(key)
  checkStrength(given, publicKey)
  const claimed = jwk === null ? publicKey : attempt(() => createPublicKey({ key: publicMembersOf(jwk), format: 'jwk' }))
  if (!claimed?.equals(publicKey) || !isPair(key, publicKey)) {
    throw complaint(given, 'must hold a private and a public part that belong together')
  }
  return { key, publicKey, kid }
}

/** @throws `FST_DUAL_TOKEN_OPTION_INVALID` */
export function readPublicKey (given: Given, algorithm: AsymmetricAlgorithm): Source<KeyObject> {
  const { key, kid } = readHalf(given, algorithm, 'public')
  checkStrength(given, key)
  return { key, kid }
}

/** Reads one half of a key pair and checks that it fits the algorithm. */
function readHalf (given: Given, algorithm: AsymmetricAlgorithm, half: Half): Source<KeyObject> & { jwk: JsonWebKey | null } {
  const jwk = jwkOf(given.value)
  const value = jwk ?? given.value
  if (jwk !== null) checkMembers(given, jwk, algorithm, [half === 'private' ? 'sign' : 'verify'])
  if (half === 'public' && holdsPrivate(value)) throw complaint(given, 'must be a public key, not a private one')

  const { type, named } = KINDS[algorithm]
  const found = attempt(() => {
    const key = load(value, half)
    // Throws for the point at infinity. Node.js 20 crashes when the details or the JWK of such a key are read.
    key?.export({ type: half === 'private' ? 'pkcs8' : 'spki', format: 'der' })
    return key
  })
  if (found !== null && !isOfType(found, type)) throw complaint(given, `must be ${named} for ${algorithm}`)
  // Converts to JWK and back, so that the engine sees one encoding of every key.
  const key = found && attempt(() => load(found.export({ format: 'jwk' }), half))
  if (key === null) {
    const onCurve = type === 'rsa' ? '' : ', its point on the curve'
    throw complaint(given, `must be an unencrypted PEM, a JWK (parsed) or a KeyObject of a ${half} key, whole${onCurve}`)
  }
  return { key, jwk, kid: jwk?.kid }
}

function load (value: unknown, half: Half): KeyObject | null {
  if (value instanceof KeyObject) return value.type === half ? value : null
  const create = half === 'private' ? createPrivateKey : createPublicKey
  const pem = textOf(value)
  if (pem === null) return create({ key: value as JsonWebKey, format: 'jwk' })
  const [label, ...others] = pem.match(/-----BEGIN [^-]*-----/g) ?? []
  const isExpected = others.length === 0 && /^-----BEGIN (?:RSA |EC )?(PRIVATE|PUBLIC) KEY/.exec(label ?? '')?.[1] === half.toUpperCase()
  return isExpected ? create(pem) : null
}

function isOfType (key: KeyObject, type: string): boolean {
  return key.asymmetricKeyType === type && (type !== 'ec' || key.asymmetricKeyDetails!.namedCurve === 'prime256v1')
}

/** Whether it is a private key, or a JWK with any member of one. */
export function holdsPrivate (value: unknown): boolean {
  if (value instanceof KeyObject) return value.type === 'private'
  const pem = textOf(value)
  if (pem !== null) return pem.includes('PRIVATE KEY-----')
  return PRIVATE_MEMBERS.some(name => Object.hasOwn(Object(value), name))
}

function textOf (value: unknown): string | null {
  return typeof value === 'string' || value instanceof Uint8Array ? Buffer.from(value).toString() : null
}

function checkStrength (given: Given, publicKey: KeyObject): void {
  if (publicKey.asymmetricKeyType === 'rsa') {
    const { modulusLength, publicExponent } = publicKey.asymmetricKeyDetails as { modulusLength: number, publicExponent: bigint }
    if (modulusLength < MIN_MODULUS) throw complaint(given, `must have at least ${MIN_MODULUS} bits`)
    if (publicExponent < MIN_EXPONENT || publicExponent % 2n === 0n) {
      throw complaint(given, `must have a public exponent that is odd and at least ${MIN_EXPONENT}`)
    }
    if (isRocaModulus(publicKey.export({ format: 'jwk' }).n!)) throw complaint(given, 'must not be of a kind that can be factored (ROCA)')
  } else if (publicKey.asymmetricKeyType === 'ed25519') {
    const point = Buffer.from(publicKey.export({ format: 'jwk' }).x!, 'base64url')
    if (!isSoundPoint(point)) throw complaint(given, 'must have its point on the curve, and none of small order')
  }
}

/** Checks that a JWK allows this use (RFC 7517 section 4). */
function checkMembers (given: Pick<Given, 'name'>, { use, key_ops: operations, alg }: JsonWebKey, algorithm: KeyAlgorithm, needed: Operation[]): void {
  if (use !== undefined && use !== 'sig') throw complaint(given, 'must be a JWK whose use is sig')
  if (operations !== undefined && !(Array.isArray(operations) && needed.every(operation => operations.includes(operation)))) {
    throw complaint(given, `must be a JWK whose key_ops allow to ${needed.join(' and ')}`)
  }
  if (alg !== undefined && alg !== algorithm) throw complaint(given, `must be a JWK whose alg is ${algorithm}`)
}

/** Whether one key verifies what the other signs. */
function isPair (privateKey: KeyObject, publicKey: KeyObject): boolean {
  const hash = privateKey.asymmetricKeyType === 'ed25519' ? null : 'sha256'
  const probe = Buffer.from('Do these belong together?')
  return attempt(() => verify(hash, probe, publicKey, sign(hash, probe, privateKey))) === true
}

/** Copies a JWK, so that every check reads the same values; null when the value is no JWK. */
function jwkOf (value: unknown): JsonWebKey | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null
  if (value instanceof KeyObject || value instanceof Uint8Array) return null
  return { ...value }
}

function publicMembersOf ({ kty, crv, x, y, n, e }: JsonWebKey): JsonWebKey {
  return Object.fromEntries(Object.entries({ kty, crv, x, y, n, e }).filter(([, value]) => value !== undefined))
}

/** Runs a step of node:crypto; null when it throws, because the error's message can quote the key. */
function attempt<Result> (make: () => Result): Result | null {
  try {
    return make()
  } catch {
    return null
  }
}

function complaint ({ name }: Pick<Given, 'name'>, sentenceEnd: string): Error {
  return createFault('OPTION_INVALID', `Option ${name} ${sentenceEnd}.`)
}
