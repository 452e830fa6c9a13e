// The options, as programs with exactOptionalPropertyTypes pass them.
import { generateKeyPairSync } from 'node:crypto'
import Fastify from 'fastify'
import dualToken, { dualToken as named, memoryStore, remoteKeys, type DualTokenError, type DualTokenErrorCode, type DualTokenKey, type DualTokenOptions, type FeedEvent, type KeySetEvent, type StoreCallEvent } from 'fastify-dual-token'
import { assert, type Equals } from './equals.ts'

const secret = 'x'.repeat(32)
const fastify = Fastify()

assert<Equals<typeof dualToken, typeof named>>()

fastify.register(dualToken, { secret })
fastify.register(dualToken, { secret: Buffer.from(secret) })
fastify.register(dualToken, { secret: [secret, new Uint8Array(32)] as const })
fastify.register(dualToken, {
  secret: [secret],
  accessExpiresIn: '15m',
  refreshExpiresIn: 86_400,
  userIdClaim: 'sub',
  issuer: 'https://id.example',
  audience: 'shop',
  clockTolerance: 5,
  realm: 'shop',
  cache: 0,
  routes: false,
  now: Date.now
})
fastify.register(dualToken, { secret, audience: ['shop', 'orders'] as const })
fastify.register(dualToken, () => ({ secret }))
fastify.register(dualToken, { secret, oauth: true, routes: { login: () => null } })
// @ts-expect-error nothing to set
fastify.register(dualToken, { secret, oauth: {}, routes: { login: () => null } })
fastify.register(dualToken, { secret, sessions: { store: memoryStore(), maxPerUser: 3, whenFull: 'refuse' } })
fastify.register(dualToken, { secret, sessions: { store: memoryStore(), maxPerUser: undefined, whenFull: undefined } })
// @ts-expect-error no such choice
fastify.register(dualToken, { secret, sessions: { store: memoryStore(), maxPerUser: 3, whenFull: 'evict' } })

// Undefined is the same as absent.
fastify.register(dualToken, {
  secret,
  accessExpiresIn: process.env.ACCESS_EXPIRES_IN,
  refreshExpiresIn: process.env.REFRESH_EXPIRES_IN,
  userIdClaim: undefined,
  issuer: process.env.ISSUER,
  audience: process.env.AUDIENCE,
  clockTolerance: undefined,
  realm: process.env.REALM,
  cache: undefined,
  routes: undefined,
  now: undefined
})
fastify.register(dualToken, {
  secret,
  routes: { login: () => null, path: process.env.AUTH_PATH, body: undefined, loadUser: undefined, tags: undefined, schema: undefined }
})
export const options: DualTokenOptions = { secret, issuer: process.env.ISSUER }

const { privateKey, publicKey } = generateKeyPairSync('ed25519')
fastify.register(dualToken, { keys: [{ kid: 'k1', algorithm: 'EdDSA', privateKey }], jwks: true })
fastify.register(dualToken, { keys: [{ algorithm: 'ES256', publicKey: publicKey.export({ format: 'jwk' }), privateKey: undefined }], secret: undefined })
fastify.register(dualToken, { keys: [{ kid: process.env.JWT_KID, algorithm: 'HS256', secret }], jwks: { path: process.env.JWKS_PATH, maxAge: '5m' } })
const keys: readonly DualTokenKey[] = [{ kid: 'k1', algorithm: 'RS256', publicKey: '-----BEGIN PUBLIC KEY-----' }]
fastify.dualToken.setKeys(keys)

const followed = remoteKeys('https://id.example/.well-known/jwks.json', { algorithms: ['EdDSA', 'ES256'] })
remoteKeys(new URL('https://id.example/'), { algorithms: ['RS256'] as const, maxAge: '10m', cooldown: 30, timeout: process.env.KEYS_TIMEOUT, fetch })
fastify.register(dualToken, { keys: followed, issuer: 'https://id.example', routes: false, jwks: false })
export const ofKeySet: DualTokenOptions = { keys: followed, sessions: undefined }
fastify.register(dualToken, { keys: followed, oauth: false })
// @ts-expect-error nothing is issued here
fastify.register(dualToken, { keys: followed, oauth: true })
export function explainSeen (call: StoreCallEvent, read: FeedEvent): string {
  assert<Equals<typeof call.outcome, 'ok' | 'failed' | 'timeout' | 'refused'>>()
  assert<Equals<typeof read.age, number | null>>()
  return `${call.method} ${call.milliseconds} ${read.outcome} ${read.size + read.failedReads}`
}
export function explainRead ({ outcome, reason, keys, milliseconds }: KeySetEvent): string {
  assert<Equals<typeof outcome, 'changed' | 'unchanged' | 'failed'>>()
  return `${outcome} ${reason ?? ''} ${keys + milliseconds}`
}

// @ts-expect-error a key set is published by its publisher
fastify.register(dualToken, { keys: followed, jwks: true })
// @ts-expect-error nothing is issued where a key set is followed
fastify.register(dualToken, { keys: followed, routes: { login: () => null } })
// @ts-expect-error its keys cannot be set
fastify.dualToken.setKeys(followed)
// @ts-expect-error not any object
fastify.register(dualToken, { keys: { url: 'https://id.example/' } })
// @ts-expect-error the service names the algorithms
remoteKeys('https://id.example/')
// @ts-expect-error nobody publishes a secret
remoteKeys('https://id.example/', { algorithms: ['HS256'] })
// @ts-expect-error either a secret or keys are required
fastify.register(dualToken, {})
// @ts-expect-error not both
fastify.register(dualToken, { secret, keys })
// @ts-expect-error a secret has no public part
fastify.register(dualToken, { secret, jwks: true })
// @ts-expect-error no such algorithm
fastify.register(dualToken, { keys: [{ kid: 'k1', algorithm: 'RS512', publicKey }] })
// @ts-expect-error a secret is for HS256 alone
fastify.register(dualToken, { keys: [{ kid: 'k1', algorithm: 'EdDSA', secret }] })
// @ts-expect-error a secret may not be missing from the environment
fastify.register(dualToken, { secret: process.env.JWT_SECRET })
// @ts-expect-error no such option
fastify.register(dualToken, { secret, acessExpiresIn: '2h' })
// @ts-expect-error null is not absent
fastify.register(dualToken, { secret, issuer: null })
// @ts-expect-error true is no set of routes
fastify.register(dualToken, { secret, routes: true })

export function explain (error: DualTokenError): string {
  assert<Equals<typeof error.code, DualTokenErrorCode>>()
  assert<Equals<typeof error.statusCode, number>>()
  switch (error.code) {
    case 'FST_DUAL_TOKEN_ACCESS_EXPIRED': return 'refresh'
    // @ts-expect-error no such code
    case 'FST_DUAL_TOKEN_EXPIRED': return 'refresh'
    default: return 'sign in'
  }
}
