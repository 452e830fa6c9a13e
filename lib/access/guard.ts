// What a route asks for beyond an access token → its guard: how recent the sign-in is, scopes, and what the application decides.
import type { FastifyRequest } from 'fastify'
import type { Authentication } from './authenticate.ts'
import { createRefusalWith, type CreateRefusal } from '../errors.ts'
import { describe, describeAccess, refuseAccess, type GuardSettings } from './guards.ts'
import { hasScopes } from './scopes.ts'
import type { Guard, GuardOptions } from './types.ts'
import type { AccessClaims } from '../tokens/types.ts'

/** The options of a guard, validated; null: not asked for. */
export interface GuardRules {
  /** Seconds. */
  readonly maxAge: number | null
  readonly scopes: readonly string[] | null
  readonly allow: NonNullable<GuardOptions['allow']> | null
}

export interface GuardParts {
  readonly verdictNow: Authentication['verdictNow']
  readonly loginRequired: Guard
  readonly createRefusal: CreateRefusal
  readonly settings: GuardFactorySettings
}

interface GuardFactorySettings extends GuardSettings {
  readonly realm: string | undefined
  /** How far the clocks of two nodes may differ, in seconds. */
  readonly skew: number
  /** The clock in milliseconds. */
  readonly now: () => number
}

export type CreateGuard = (rules: GuardRules) => Guard

/** Each guard builds its closures and the headers of its refusals once; a request that passes allocates nothing. */
export function createGuardFactory ({ verdictNow, loginRequired, createRefusal, settings }: GuardParts): CreateGuard {
  const { realm, skew, now } = settings
  const describeLogin = describeAccess(settings)

  return function createGuard ({ maxAge, scopes, allow }) {
    if (maxAge === null && scopes === null && allow === null) return loginRequired

    const refuseScope = createRefusalWith(realm, 'ACCESS_SCOPE', scopes?.join(' ') ?? '')
    const refuseAge = createRefusalWith(realm, 'ACCESS_NOT_FRESH', String(maxAge))

    const guard: Guard = (request, _reply, done) => {
      const { claims, refusal } = verdictNow(request)
      if (claims === null || claims.refresh) return done(refuseAccess(refusal, createRefusal))
      // Before the age, so that nobody signs in again for a route outside their scopes.
      if (scopes !== null && !hasScopes(claims, scopes)) return done(refuseScope('scope'))
      if (maxAge !== null && !isFresh(claims, maxAge)) return done(refuseAge('auth_time'))
      if (allow === null) return done()
      // Fastify passes its whole request; the type of guards leaves out what depends on its generics.
      decide(allow, claims, request as FastifyRequest, createRefusal, done)
    }

    describe(guard, route => {
      const { schemes, errors } = describeLogin(route)
      return {
        schemes: schemes!,
        scopes: scopes ?? [],
        errors: [
          ...errors,
          ...scopes === null ? [] : [{ name: 'ACCESS_SCOPE', value: scopes.join(' ') }] as const,
          ...maxAge === null ? [] : [{ name: 'ACCESS_NOT_FRESH', value: String(maxAge) }] as const,
          ...allow === null ? [] : ['ACCESS_FORBIDDEN'] as const
        ]
      }
    })
    return guard
  }

  function isFresh ({ auth_time: authTime }: AccessClaims, maxAge: number): boolean {
    if (!Number.isFinite(authTime)) return false
    const age = now() / 1000 - authTime!
    // No sign-in lies in the future, but the clock of the process that wrote `auth_time` may be ahead.
    return age <= maxAge && age >= -skew
  }
}

type Done = Parameters<Guard>[2]

/** Waits only for an answer that is a promise. */
function decide (allow: NonNullable<GuardOptions['allow']>, user: AccessClaims, request: FastifyRequest, createRefusal: CreateRefusal, done: Done): void {
  let answer: unknown
  try {
    answer = allow(user, request)
  } catch (error) {
    return done(errorOf(error, createRefusal))
  }
  if (answer === true) return done()
  if (typeof answer !== 'object') return done(createRefusal('ACCESS_FORBIDDEN', 'allow'))
  Promise.resolve(answer).then(
    (settled: unknown) => settled === true ? done() : done(createRefusal('ACCESS_FORBIDDEN', 'allow')),
    error => done(errorOf(error, createRefusal))
  )
}

/** Whatever is thrown, even nothing, refuses the request. */
function errorOf (thrown: unknown, createRefusal: CreateRefusal): Error {
  return thrown ? thrown as Error : createRefusal('ACCESS_FORBIDDEN', 'allow threw nothing')
}
