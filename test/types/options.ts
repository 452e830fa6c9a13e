// The options, as programs with exactOptionalPropertyTypes pass them.
import Fastify from 'fastify'
import dualToken, { dualToken as named, type DualTokenError, type DualTokenErrorCode, type DualTokenOptions } from 'fastify-dual-token'
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
fastify.register(dualToken, () => ({ secret }))

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

// @ts-expect-error the secret is required
fastify.register(dualToken, {})
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
