// Request → the handler, or a refusal: the two guards of a route.
import type { VerdictOf } from './authenticate.ts'
import type { CreateRefusal } from './errors.ts'
import type { Guard } from './types.ts'
import { suffixOf } from './verdict.ts'

export interface Guards {
  readonly loginRequired: Guard
  readonly refreshRequired: Guard
}

export function createGuards (verdictOf: VerdictOf, createRefusal: CreateRefusal): Guards {
  return {
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
}
