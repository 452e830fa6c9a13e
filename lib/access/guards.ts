// Request → the handler, or a refusal: the guards, as decorators of an instance and as imports that find their instance.
import type { RouteOptions } from 'fastify'
import type { Authentication } from './authenticate.ts'
import { createFault, type CreateRefusal } from '../errors.ts'
import { DESCRIPTION, type Describe } from '../openapi/document.ts'
import type { DescribedError } from '../openapi/replies.ts'
import type { SessionSettings } from '../sessions/settings.ts'
import { accessSchemes, refreshSchemes } from './schemes.ts'
import type { CookieSettings } from './settings.ts'
import type { Guard } from './types.ts'
import { suffixOf, type Refusal, type RefusalKind } from '../tokens/verdict.ts'

export interface Guards {
  readonly loginRequired: Guard
  readonly refreshRequired: Guard
}

/** The key under which an instance stores its guards, and each of its routes a reference to them. */
export const GUARDS = Symbol('fastify-dual-token.guards')

type Keeper = { readonly [GUARDS]?: Guards }

/** What the description of a guard depends on. */
export interface GuardSettings {
  readonly sessions: SessionSettings | null
  readonly cookies: CookieSettings | null
}

/** What an imported guard knows where no plugin is registered. */
const ALONE: GuardSettings = { sessions: null, cookies: null }

export function createGuards ({ verdictOf, verdictNow, show }: Authentication, createRefusal: CreateRefusal, settings: GuardSettings): Guards {
  const guards: Guards = {
    loginRequired (request, _reply, done) {
      const { claims, refusal } = verdictNow(request)
      if (claims === null || claims.refresh) return done(refuseAccess(refusal, createRefusal))
      done()
    },

    refreshRequired (request, reply, done) {
      const { claims, refusal } = verdictNow(request, 'refresh')
      if (claims === null) return done(createRefusal(suffixOf('REFRESH', refusal.kind), refusal.reason))
      if (!claims.refresh) return done(createRefusal('REFRESH_IS_ACCESS'))
      // The hook has looked for an access token, which is in another cookie, or absent.
      if (verdictOf(request, 'refresh') !== verdictOf(request)) show(request, reply, 'refresh')
      done()
    }
  }
  describe(guards.loginRequired, describeAccess(settings))
  describe(guards.refreshRequired, describeRefresh(settings))
  return guards
}

/** @param refusal null for a refresh token */
export function refuseAccess (refusal: Refusal | null, createRefusal: CreateRefusal): Error {
  return refusal === null ? createRefusal('ACCESS_IS_REFRESH') : createRefusal(suffixOf('ACCESS', refusal.kind), refusal.reason)
}

/**
 * Lets access tokens pass; no token → 401, a refresh token → 403. It uses the plugin that is registered for the server of the route, and answers
 * 500 where there is none. Routes may use it before the plugin has loaded.
 *
 * @example
 * ```ts
 * fastify.get('/me', { preHandler: loginRequired }, async request => request.user)
 * ```
 */
export const loginRequired: Guard = createFinder('loginRequired')

/** Lets refresh tokens pass; anything else → 403, no plugin → 500. See `loginRequired`. */
export const refreshRequired: Guard = createFinder('refreshRequired')

function createFinder (name: keyof Guards): Guard {
  const guard: Guard = (request, reply, done) => {
    const guards = (request.server as Keeper)[GUARDS]
    if (guards === undefined) return done(createFault('NOT_REGISTERED', `${name} needs the plugin: register fastify-dual-token on the server of this route.`))
    guards[name](request, reply, done)
  }
  const describeAlone = name === 'loginRequired' ? describeAccess(ALONE) : describeRefresh(ALONE)
  describe(guard, route => {
    const found = (route as Keeper)[GUARDS]
    return found === undefined ? describeAlone(route) : (found[name] as Guard & { [DESCRIPTION]: Describe })[DESCRIPTION](route)
  })
  return guard
}

/** For the OpenAPI document. Only the guard itself holds the description, so that a guard that is dropped leaves nothing behind. */
export function describe (guard: Guard, description: Describe): void {
  Object.assign(guard, { [DESCRIPTION]: description })
}

export function describeAccess ({ sessions, cookies }: GuardSettings): Describe {
  const errors: DescribedError[] = [...refusalsOf('ACCESS', sessions), 'ACCESS_IS_REFRESH']
  return route => ({ schemes: accessSchemes(cookies), errors: cookies?.access && mayChange(route) ? [...errors, 'CROSS_ORIGIN'] : errors })
}

function describeRefresh ({ sessions, cookies }: GuardSettings): Describe {
  const errors: DescribedError[] = [...refusalsOf('REFRESH', sessions), 'REFRESH_IS_ACCESS']
  return route => ({ schemes: refreshSchemes(cookies), errors: cookies !== null && mayChange(route) ? [...errors, 'CROSS_ORIGIN'] : errors })
}

function mayChange ({ method }: RouteOptions): boolean {
  return [method].flat().some(one => !['GET', 'HEAD', 'OPTIONS'].includes(one))
}

function refusalsOf (wanted: 'ACCESS' | 'REFRESH', sessions: SessionSettings | null): DescribedError[] {
  const kinds: RefusalKind[] = ['MISSING', 'INVALID', 'EXPIRED']
  if (sessions !== null) kinds.push('REVOKED')
  if (sessions?.onStale === 'deny') kinds.push('UNAVAILABLE')
  return kinds.map(kind => suffixOf(wanted, kind))
}
