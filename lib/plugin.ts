// Connects the parts: options → parts → decorators, hooks, routes.
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { createAuthentication } from './authenticate.ts'
import { createJudgeClaims } from './claims.ts'
import { createDualToken } from './dual-token.ts'
import { createRefusals } from './errors.ts'
import { createGuards, GUARDS } from './guards.ts'
import { createIssue } from './issue.ts'
import { createKeyFactory } from './jwt.ts'
import { createJwksRoute } from './jwks.ts'
import { createKeyRing, createNamedKeyRing } from './keys.ts'
import type { DualTokenOptions } from './option-types.ts'
import { resolveOptions } from './options.ts'
import { createRefresh } from './refresh.ts'
import { createRoutes } from './routes.ts'
import { createSessions } from './sessions/sessions.ts'
import { createSetKeys } from './set-keys.ts'
import { createSignIn } from './sign-in.ts'
import { userIdOf } from './user.ts'
import { createVerify, type Verify } from './verify.ts'

async function registerDualToken (fastify: FastifyInstance, options: DualTokenOptions): Promise<void> {
  const settings = resolveOptions(options)
  const { userIdClaim, routes, jwks } = settings

  const createRefusal = createRefusals(settings.realm)
  const createKey = createKeyFactory(fastify)
  const namedRing = settings.keys && createNamedKeyRing(settings.keys, createKey)
  const ring = namedRing ?? createKeyRing(settings.secrets, createKey)
  const issue = createIssue(settings, ring)
  const judgeClaims = createJudgeClaims(settings)
  const verifyToken = createVerify(settings, ring, judgeClaims)

  const sessions = settings.sessions && createSessions({
    settings: settings.sessions, now: settings.now, userIdOf: claims => userIdOf(claims, userIdClaim), createRefusal, log: fastify.log
  })
  const verify: Verify = sessions === null ? verifyToken : token => sessions.check(verifyToken(token))
  const signIn = createSignIn({ settings, issue, sessions, createRefusal })
  const refresh = createRefresh({ settings, issue, sessions, createRefusal })

  const { slot, hook, verdictOf } = createAuthentication(verify)
  const guards = createGuards(verdictOf, createRefusal, settings.sessions)
  const { loginRequired, refreshRequired } = guards

  if (!fastify.hasRequestDecorator('user')) fastify.decorateRequest('user', null)
  fastify.decorateRequest(slot, null)
  fastify.addHook('onRequest', hook)
  fastify.addHook('onRoute', route => { Object.assign(route, { [GUARDS]: guards }) })
  fastify.decorate(GUARDS, guards)
  fastify.decorate('loginRequired', loginRequired)
  fastify.decorate('refreshRequired', refreshRequired)
  fastify.decorate('dualToken', createDualToken({
    userIdClaim,
    ring: namedRing,
    setKeys: createSetKeys({ ring: namedRing, mustSign: routes !== null, forget: verifyToken.forget }),
    verify,
    signIn,
    refresh,
    sessions,
    createRefusal
  }))

  if (sessions !== null) {
    fastify.addHook('onReady', async () => await sessions.open(fastify.initialConfig.pluginTimeout!))
    fastify.addHook('onClose', sessions.close)
  }
  if (routes !== null) {
    const verifyAnyTime = createVerify({ ...settings, cache: 0 }, ring, payload => judgeClaims(payload, null))
    fastify.register(createRoutes(routes, {
      userIdClaim, sessions, signIn, refresh, loginRequired, refreshRequired, verdictOf, verifyAnyTime, createRefusal
    }))
  }
  if (namedRing !== null && jwks !== null) fastify.register(createJwksRoute(jwks, namedRing))
}

/**
 * The plugin: `await fastify.register(dualToken, { secret })`.
 *
 * @throws `FST_DUAL_TOKEN_OPTION_INVALID` at boot, with one sentence that says which option is wrong
 */
export const dualToken = fp(registerDualToken, { fastify: '5.x', name: 'fastify-dual-token' })
