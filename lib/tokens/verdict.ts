// What a look at a request or a token found: the claims of a good token, or why there are none.
import type { RefusalSuffix } from '../errors.ts'
import type { Claims } from './types.ts'

/** Why there are no claims; with sessions, also that theirs was ended, or that nobody can say. */
export type RefusalKind = 'MISSING' | 'INVALID' | 'EXPIRED' | 'REVOKED' | 'UNAVAILABLE'

export interface Refusal {
  readonly kind: RefusalKind
  /** For the log alone: a fixed word or two, never a part of the token. */
  readonly reason: string
}

/** A good token, and the span in which it is one: `from` ≤ now < `until`, in epoch seconds. */
export interface Accepted {
  readonly claims: Claims
  readonly refusal: null
  readonly from: number
  readonly until: number
}

export interface Refused {
  readonly claims: null
  readonly refusal: Refusal
}

export type Verdict = Accepted | Refused

/** Makes a refusal; the verdicts are constants, so that refusing allocates nothing. */
export function refused (kind: RefusalKind, reason: string): Refused {
  return Object.freeze({ claims: null, refusal: Object.freeze({ kind, reason }) })
}

/** The error for a refusal, where a token of that kind was called for. */
export function suffixOf (wanted: 'ACCESS' | 'REFRESH', kind: RefusalKind): RefusalSuffix {
  return kind === 'UNAVAILABLE' ? 'STORE_UNAVAILABLE' : `${wanted}_${kind}`
}
