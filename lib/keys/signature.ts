// A key and a signature → whether the key made it (RFC 7518 sections 3.2 to 3.5, RFC 8037 section 3.1).
import { constants, createHmac, createSecretKey, timingSafeEqual, verify, type KeyObject } from 'node:crypto'
import { isSymmetric, type PublicRingKey, type RingKey } from './check.ts'
import type { AsymmetricAlgorithm } from './types.ts'

/**
 * Verifies a signature with a key and its one algorithm.
 *
 * @param input the signed text: the first two segments of a token, as sent
 * @param signature the third segment
 */
export type VerifySignature = (input: string, signature: string) => boolean

/** The parameters of each algorithm for node:crypto, besides the hash. */
const PARAMETERS = {
  RS256: { padding: constants.RSA_PKCS1_PADDING },
  PS256: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST },
  ES256: { dsaEncoding: 'ieee-p1363' },
  EdDSA: {}
} as const satisfies Record<AsymmetricAlgorithm, object>

export function createVerifySignature (key: RingKey): VerifySignature {
  const [bytes, isSignature] = isSymmetric(key) ? [32, createCheckMac(createSecretKey(key.secret))] : [lengthOf(key), createCheckSignature(key)]

  return function verifySignature (input, signature) {
    const given = Buffer.from(signature, 'base64url')
    return given.length === bytes && isSignature(input, given)
  }
}

function createCheckMac (secret: KeyObject) {
  return (input: string, given: Buffer): boolean => timingSafeEqual(createHmac('sha256', secret).update(input).digest(), given)
}

function createCheckSignature ({ algorithm, publicKey }: PublicRingKey) {
  const hash = algorithm === 'EdDSA' ? null : 'sha256'
  const parameters = { key: publicKey, ...PARAMETERS[algorithm] }
  return (input: string, given: Buffer): boolean => verify(hash, Buffer.from(input), parameters, given)
}

/** The length of a signature in bytes: that of the RSA modulus, or twice 32. */
function lengthOf ({ algorithm, publicKey }: PublicRingKey): number {
  if (algorithm === 'ES256' || algorithm === 'EdDSA') return 64
  return Math.ceil(publicKey.asymmetricKeyDetails!.modulusLength! / 8)
}
