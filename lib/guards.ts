// Request → the handler, or a refusal: the two guards of a route.
import type { VerdictOf } from './authenticate.ts'
import type { CreateRefusal } from './errors.ts'
import { DESCRIPTION, type Description } from './openapi.ts'
import type { DescribedError } from './replies.ts'
import type { SessionSettings } from './session-options.ts'
import type { Guard } from './types.ts'
import { suffixOf, type RefusalKind } from './verdict.ts'

export interface Guards {
  readonly loginRequired: Guard
  readonly refreshRequired: Guard
}

export function createGuards (verdictOf: VerdictOf, createRefusal: CreateRefusal, sessions: SessionSettings | null): Guards {
  const guards: Guards = {
    loginRequired (request, _reply, done) {
      const { claims, refusal } = verdictOf(request)
      if (claims === null) return done(createRefusal(suffixOf('ACCESS', refusal.kind), refusal.reason))
      if (claims.refresh) return done(createRefusal('ACCESS_IS_REFRESH'))
      done()
    },

    refreshRequired (request, _reply, done) {
      const { claims, refusal } = verdictOf(request)
      if (claims === null) return done(createRefusal(suffixOf('REFRESH', refusal.kind), refusal.reason))
      if (!claims.refresh) return done(createRefusal('REFRESH_IS_ACCESS'))
      done()
    }
  }
  describe(guards.loginRequired, { scheme: 'accessToken', errors: [...refusalsOf('ACCESS', sessions), 'ACCESS_IS_REFRESH'] })
  describe(guards.refreshRequired, { scheme: 'refreshToken', errors: [...refusalsOf('REFRESH', sessions), 'REFRESH_IS_ACCESS'] })
  return guards
}

/** For documents. */
function describe (guard: Guard, description: Description): void {
  Object.assign(guard, { [DESCRIPTION]: description })
}

function refusalsOf (wanted: 'ACCESS' | 'REFRESH', sessions: SessionSettings | null): DescribedError[] {
  const kinds: RefusalKind[] = ['MISSING', 'INVALID', 'EXPIRED']
  if (sessions !== null) kinds.push('REVOKED')
  if (sessions?.onStale === 'deny') kinds.push('UNAVAILABLE')
  return kinds.map(kind => suffixOf(wanted, kind))
}
