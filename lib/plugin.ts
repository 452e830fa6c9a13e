// Connects the parts: options → parts → decorators, hooks, routes.
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { createAuthentication } from './access/authenticate.ts'
import { createCookieJar } from './access/cookie-jar.ts'
import { createLocate } from './access/locate.ts'
import { createValidateClaims } from './tokens/claims.ts'
import { createDualToken } from './instance/dual-token.ts'
import type { DualToken } from './instance/types.ts'
import type { Guard } from './access/types.ts'
import { createRefusals } from './errors.ts'
import { createGuardFactory } from './access/guard.ts'
import { createGuards, GUARDS } from './access/guards.ts'
import { createIssue } from './tokens/issue.ts'
import { createFollower } from './keys/follow.ts'
import { createKeyFactory } from './keys/sign.ts'
import { createJwksRoute } from './routes/jwks.ts'
import { createKeyRing, createNamedKeyRing } from './keys/ring.ts'
import { readGuardRules } from './options/guard.ts'
import type { DualTokenOptions } from './options/types.ts'
import { createPossession } from './possession/possession.ts'
import { resolveOptions } from './options/resolve.ts'
import { createOauthRoutes } from './routes/oauth.ts'
import { createReauthenticate } from './routes/reauthenticate.ts'
import { createRefresh } from './routes/refresh.ts'
import { createRoutes } from './routes/routes.ts'
import { createSessions } from './sessions/sessions.ts'
import { createSetKeys } from './keys/replace.ts'
import { createSignIn } from './routes/sign-in.ts'
import { userIdOf } from './tokens/user.ts'
import { createVerify, type Verify } from './tokens/verify.ts'

async function registerDualToken (fastify: FastifyInstance, options: DualTokenOptions): Promise<void> {
  const settings = resolveOptions(options)
  const { userIdClaim, routes, jwks, cookies, extract } = settings

  const createRefusal = createRefusals(settings.realm)
  const createKey = createKeyFactory(fastify)
  const follower = settings.keySet && createFollower({
    settings: settings.keySet,
    now: settings.now,
    replace (keys) {
      namedRing!.replace(keys)
      verifyToken.forget()
    },
    log: fastify.log
  })
  const namedRing = settings.keys && createNamedKeyRing(settings.keys, createKey, follower?.noticeUnknown)
  const ring = namedRing ?? createKeyRing(settings.secrets, createKey)
  const issue = createIssue(settings, ring)
  const validateClaims = createValidateClaims(settings)
  const verifyToken = createVerify(settings, ring, validateClaims)

  const sessions = settings.sessions && createSessions({
    settings: settings.sessions, now: settings.now, userIdOf: claims => userIdOf(claims, userIdClaim), createRefusal, log: fastify.log
  })
  const possession = sessions && createPossession({ settings: sessions.settings.possession, ring, now: settings.now, createRefusal })
  const verify: Verify = sessions === null ? verifyToken : token => sessions.check(verifyToken(token))
  const signIn = createSignIn({ settings, issue, sessions, createRefusal })
  const refresh = createRefresh({ settings, issue, verifyToken, sessions, possession, createRefusal })
  const reauthenticate = createReauthenticate({ settings, issue, sessions })

  const jar = cookies && createCookieJar(cookies, settings.now)
  const locate = createLocate(extract, jar)
  const authentication = createAuthentication(verify, locate)
  const { slot, hook, verdictOf, verdictNow, isByCookie, signInEnds } = authentication
  const guards = createGuards(authentication, createRefusal, settings)
  const { loginRequired, refreshRequired } = guards
  const createGuard = createGuardFactory({ verdictNow, loginRequired, createRefusal, settings })

  if (!fastify.hasRequestDecorator('user')) fastify.decorateRequest('user', null)
  fastify.decorateRequest(slot, null)
  fastify.addHook('onRequest', hook)
  if (cookies?.secure === false) fastify.log.warn('Cookies go over plain HTTP: cookies.secure is false')
  fastify.addHook('onRoute', route => { Object.assign(route, { [GUARDS]: guards }) })
  fastify.decorate(GUARDS, guards)
  fastify.decorate('loginRequired', loginRequired)
  fastify.decorate('refreshRequired', refreshRequired)
  fastify.decorate('dualToken', createDualToken({
    userIdClaim,
    ring: namedRing,
    setKeys: createSetKeys({ ring: namedRing, isFollowing: follower !== null, mustSign: routes !== null, forget: verifyToken.forget }),
    guard: (options = {}) => createGuard(readGuardRules(options, settings.authTime)),
    verify,
    signIn,
    refresh,
    reauthenticate,
    sessions,
    possession,
    jar,
    signInEnds,
    createRefusal
  }))

  if (follower !== null) {
    fastify.addHook('onReady', async () => await follower.open(fastify.initialConfig.pluginTimeout!))
    fastify.addHook('onClose', async () => follower.close())
  }
  if (sessions !== null) {
    fastify.addHook('onReady', async () => await sessions.open(fastify.initialConfig.pluginTimeout!))
    fastify.addHook('onClose', sessions.close)
  }
  if (routes !== null) {
    const verifyAnyTime = createVerify({ ...settings, cache: 0 }, ring, payload => validateClaims(payload, null))
    fastify.register(createRoutes(routes, {
      userIdClaim,
      sessions,
      possession,
      signIn,
      refresh,
      reauthenticate,
      loginRequired,
      refreshRequired,
      verdictOf,
      isByCookie,
      signInEnds,
      jar,
      locate,
      parsesBodies: extract !== null,
      verifyAnyTime,
      createRefusal
    }))
    if (settings.oauth) {
      const { issuer } = settings
      fastify.register(createOauthRoutes(routes, { userIdClaim, sessions, verify, verifyAnyTime, refresh, issuer, jwks, createRefusal }))
    }
  }
  if (namedRing !== null && jwks !== null) fastify.register(createJwksRoute(jwks, namedRing))
}

/**
 * The plugin: `await fastify.register(dualToken, { secret })`.
 *
 * @throws `FST_DUAL_TOKEN_OPTION_INVALID` at boot, with one sentence that says which option is wrong
 */
export const dualToken = fp(registerDualToken, { fastify: '5.x', name: 'fastify-dual-token' })

declare module 'fastify' {
  interface FastifyInstance {
    /** Lets access tokens pass. Anonymous → 401; a refresh token → 403. */
    loginRequired: Guard
    /** Lets refresh tokens pass; anything else → 403. */
    refreshRequired: Guard
    dualToken: DualToken
  }
}
