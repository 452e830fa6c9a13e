// Key pairs, and tokens that node:crypto alone has signed with them.
import { constants, createHmac, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import type { AsymmetricAlgorithm, AsymmetricKey, KeyAlgorithm } from '../../lib/index.ts'
import { encode, SECRET } from './tokens.ts'

export interface Pair {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

export const ALGORITHMS: readonly AsymmetricAlgorithm[] = ['RS256', 'PS256', 'ES256', 'EdDSA']

export function createPair (algorithm: AsymmetricAlgorithm): Pair {
  if (algorithm === 'ES256') return generateKeyPairSync('ec', { namedCurve: 'P-256' })
  if (algorithm === 'EdDSA') return generateKeyPairSync('ed25519')
  return generateKeyPairSync('rsa', { modulusLength: 2048 })
}

/** Two pairs of each algorithm, made once. */
export const PAIRS: Readonly<Record<AsymmetricAlgorithm, readonly [Pair, Pair]>> = {
  RS256: [createPair('RS256'), createPair('RS256')],
  PS256: [createPair('PS256'), createPair('PS256')],
  ES256: [createPair('ES256'), createPair('ES256')],
  EdDSA: [createPair('EdDSA'), createPair('EdDSA')]
}

/** The key of the ring that the first or second pair of an algorithm makes, with its private half. */
export function ringKey (algorithm: AsymmetricAlgorithm, kid: string, index: 0 | 1 = 0): AsymmetricKey {
  return { kid, algorithm, privateKey: PAIRS[algorithm][index].privateKey }
}

/** The same, of its public half alone. */
export function publicRingKey (algorithm: AsymmetricAlgorithm, kid: string, index: 0 | 1 = 0): AsymmetricKey {
  return { kid, algorithm, publicKey: PAIRS[algorithm][index].publicKey }
}

/** The signature of an algorithm over any text, as JWS wants it. */
export function signatureOf (algorithm: KeyAlgorithm, input: string, key: KeyObject | string = SECRET): string {
  if (algorithm === 'HS256') return createHmac('sha256', key).update(input).digest('base64url')
  const bytes = Buffer.from(input)
  const signer = key as KeyObject
  switch (algorithm) {
    case 'RS256': return sign('sha256', bytes, signer).toString('base64url')
    case 'PS256': return sign('sha256', bytes, { key: signer, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }).toString('base64url')
    case 'ES256': return sign('sha256', bytes, { key: signer, dsaEncoding: 'ieee-p1363' }).toString('base64url')
    case 'EdDSA': return sign(null, bytes, signer).toString('base64url')
  }
}

/** Any header and claims → a token that is signed with the algorithm, whatever the header says. */
export function signAs (algorithm: KeyAlgorithm, key: KeyObject | string, header: object, payload: object): string {
  const input = `${encode(JSON.stringify(header))}.${encode(JSON.stringify(payload))}`
  return `${input}.${signatureOf(algorithm, input, key)}`
}

/** An honest token under the first or second pair of an algorithm. */
export function mintWith (algorithm: AsymmetricAlgorithm, kid: string, payload: object, index: 0 | 1 = 0): string {
  return signAs(algorithm, PAIRS[algorithm][index].privateKey, { alg: algorithm, typ: 'JWT', kid }, payload)
}
