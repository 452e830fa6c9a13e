// Connects the parts: options → parts → decorators, hook, routes.
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { createAuthentication } from './authenticate.ts'
import { createJudgeClaims } from './claims.ts'
import { createRefusals } from './errors.ts'
import { createGuards } from './guards.ts'
import { createIssue } from './issue.ts'
import { createKeyFactory } from './jwt.ts'
import { createKeyRing } from './keys.ts'
import { resolveOptions } from './options.ts'
import { createRoutes } from './routes.ts'
import { copyOf } from './segments.ts'
import type { DualToken, DualTokenOptions } from './types.ts'
import { claimsOf } from './user.ts'
import { createVerify } from './verify.ts'

async function registerDualToken (fastify: FastifyInstance, options: DualTokenOptions): Promise<void> {
  const settings = resolveOptions(options)
  const { userIdClaim, routes } = settings

  const createRefusal = createRefusals(settings.realm)
  const ring = createKeyRing(settings.secrets, createKeyFactory(fastify))
  const issue = createIssue(settings, ring)
  const verify = createVerify(settings, ring, createJudgeClaims(settings))
  const { slot, hook, verdictOf } = createAuthentication(verify)
  const { loginRequired, refreshRequired } = createGuards(verdictOf, createRefusal)

  const dualToken: DualToken = {
    async issueTokens<Need extends boolean = true> (user: unknown, options?: { needRefreshToken?: Need }) {
      return issue(claimsOf(user, userIdClaim), (options?.needRefreshToken ?? true) as Need)
    },
    verifyToken (token) {
      const { claims, refusal } = verify(typeof token === 'string' ? copyOf(token) : token)
      if (claims === null) throw createRefusal(`ACCESS_${refusal.kind}`, refusal.reason)
      return claims
    }
  }

  if (!fastify.hasRequestDecorator('user')) fastify.decorateRequest('user', null)
  fastify.decorateRequest(slot, null)
  fastify.addHook('onRequest', hook)
  fastify.decorate('loginRequired', loginRequired)
  fastify.decorate('refreshRequired', refreshRequired)
  fastify.decorate('dualToken', Object.freeze(dualToken))
  if (routes !== null) {
    fastify.register(createRoutes(routes, { userIdClaim, issue, refreshRequired, verdictOf, createRefusal }))
  }
}

/**
 * The plugin: `await fastify.register(dualToken, { secret })`.
 *
 * @throws `FST_DUAL_TOKEN_OPTION_INVALID` at boot, with one sentence that says which option is wrong
 */
export const dualToken = fp(registerDualToken, { fastify: '5.x', name: 'fastify-dual-token' })
