// Keys of clients, and proofs (RFC 9449 section 4.2) that node:crypto alone has signed with them.
import { createHash, generateKeyPairSync, randomUUID, type KeyObject } from 'node:crypto'
import type { ProvingRequest } from '../../lib/index.ts'
import { signAs } from './key-pairs.ts'
import { NOW } from './tokens.ts'

export interface ClientKey {
  readonly algorithm: 'ES256' | 'EdDSA'
  readonly jwk: Readonly<Record<string, string>>
  readonly privateKey: KeyObject
  readonly thumbprint: string
}

export function createClientKey (algorithm: ClientKey['algorithm'] = 'ES256'): ClientKey {
  const { privateKey, publicKey } = algorithm === 'ES256' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('ed25519')
  const jwk = publicKey.export({ format: 'jwk' }) as Record<string, string>
  const members = algorithm === 'ES256' ? ['crv', 'kty', 'x', 'y'] : ['crv', 'kty', 'x']
  const thumbprint = createHash('sha256').update(JSON.stringify(Object.fromEntries(members.map(name => [name, jwk[name]])))).digest('base64url')
  return { algorithm, jwk, privateKey, thumbprint }
}

/** Where `inject` sends requests of the ready routes. */
export const TARGET = 'http://localhost/authorizations'

export interface ProofChanges {
  readonly header?: Readonly<Record<string, unknown>>
  readonly claims?: Readonly<Record<string, unknown>>
}

/** A proof for a refresh, made at NOW; changes override members, and `undefined` leaves one out. */
export function proofBy (key: ClientKey, { header, claims }: ProofChanges = {}): string {
  return signAs(key.algorithm, key.privateKey, headerOf(key, header), claimsFor(claims))
}

export function headerOf ({ algorithm, jwk }: ClientKey, more: Readonly<Record<string, unknown>> = {}): object {
  return { typ: 'dpop+jwt', alg: algorithm, jwk, ...more }
}

export function claimsFor (more: Readonly<Record<string, unknown>> = {}): object {
  return { jti: randomUUID(), htm: 'PUT', htu: TARGET, iat: NOW, ...more }
}

/** A request as a route gets it. */
export function requestWith (dpop: string | string[] | undefined, more: Partial<ProvingRequest> = {}): ProvingRequest {
  return {
    headers: { ...(dpop !== undefined && { dpop }) } as ProvingRequest['headers'],
    method: 'PUT',
    protocol: 'http',
    host: 'localhost',
    originalUrl: '/authorizations',
    ...more
  }
}
