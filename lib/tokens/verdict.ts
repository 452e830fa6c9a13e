// The verdict on a request or a token: verified claims, or the reason for a refusal.
import type { RefusalSuffix } from '../errors.ts'
import type { Claims, RefreshClaims } from './types.ts'

/**
 * Why there are no claims. With sessions: REVOKED, the session has ended; UNAVAILABLE, the feed cannot tell. With cookies: FOREIGN, nothing
 * proves that a page of ours sent the cookie.
 */
export type RefusalKind = 'MISSING' | 'INVALID' | 'EXPIRED' | 'REVOKED' | 'UNAVAILABLE' | 'FOREIGN'

export interface Refusal {
  readonly kind: RefusalKind
  /** For the log: a fixed word or two, never a part of the token. */
  readonly reason: string
}

/** A verified token, valid while `from` ≤ now < `until`, in epoch seconds. */
export interface Accepted {
  readonly claims: Claims
  readonly refusal: null
  readonly from: number
  readonly until: number
  /** Its text. */
  readonly token: string
}

/** A verified refresh token. */
export type AcceptedRefresh = Accepted & { readonly claims: RefreshClaims }

export interface Refused {
  readonly claims: null
  readonly refusal: Refusal
}

export type Verdict = Accepted | Refused

/** Makes a refusal. Callers keep it as a constant, so that refusing allocates nothing. */
export function refused (kind: RefusalKind, reason: string): Refused {
  return Object.freeze({ claims: null, refusal: Object.freeze({ kind, reason }) })
}

/** The code of the error for a refusal, by the kind of token that the route wants. */
export function suffixOf (wanted: 'ACCESS' | 'REFRESH', kind: RefusalKind): RefusalSuffix {
  if (kind === 'UNAVAILABLE') return 'STORE_UNAVAILABLE'
  return kind === 'FOREIGN' ? 'CROSS_ORIGIN' : `${wanted}_${kind}`
}
