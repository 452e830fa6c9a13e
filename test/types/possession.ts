// Proofs of possession: the option, the requests that bring them, the claim of a bound refresh token.
import Fastify from 'fastify'
import dualToken, { memoryStore, type DualTokenDpop, type DualTokenErrorCode, type ProvingRequest } from 'fastify-dual-token'
import { assert, type Equals } from './equals.ts'

const fastify = Fastify()
const secret = 'x'.repeat(32)
await fastify.register(dualToken, { secret, sessions: { store: memoryStore(), dpop: 'required' } })
await fastify.register(dualToken, { secret, sessions: { store: memoryStore(), dpop: false } })
await fastify.register(dualToken, { secret, sessions: { store: memoryStore(), dpop: undefined } })
const dpop: DualTokenDpop = { mode: 'optional', origin: 'https://app.example' }
await fastify.register(dualToken, { secret, sessions: { store: memoryStore(), dpop } })
// @ts-expect-error there is no such mode
await fastify.register(dualToken, { secret, sessions: { store: memoryStore(), dpop: 'always' } })

fastify.post<{ Body: { refresh_token: string } }>('/renew', async request => await fastify.dualToken.refreshTokens(request.body.refresh_token, { proof: request }))
fastify.post('/sign-in', async request => await fastify.dualToken.issueTokens({ user_id: 7 }, { proof: request }))
export const ofCode: ProvingRequest = { headers: { dpop: 'x' }, method: 'POST', protocol: 'https', host: 'app.example', originalUrl: '/sign-in' }
await fastify.dualToken.issueTokens({ user_id: 7 }, { proof: ofCode })
// @ts-expect-error a proof is not enough: it is for a request
await fastify.dualToken.issueTokens({ user_id: 7 }, { proof: 'x' })

export const claims = fastify.dualToken.verifyToken('x')
assert<Equals<typeof claims.cnf, { readonly jkt: string } | undefined>>()
export const codes: DualTokenErrorCode[] = ['FST_DUAL_TOKEN_PROOF_INVALID', 'FST_DUAL_TOKEN_PROOF_NONCE', 'FST_DUAL_TOKEN_PROOF_REQUIRED']
