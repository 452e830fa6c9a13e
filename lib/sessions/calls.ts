// What the calls of a session store receive, and what they return.
import type { UserId } from '../tokens/types.ts'

/** What every call receives. Milliseconds. */
export interface CallContext {
  /** The plugin's clock, by which sessions expire. */
  readonly now: number
  /**
   * How long a store remembers a revocation, and keeps a record after `expiresAt`: until no access token of the session can be valid.
   * Processes may pass different values; the longest counts.
   */
  readonly revocationTtl: number
}

export interface RotationAttempt extends CallContext {
  readonly sessionId: string
  readonly userId: UserId
  /** The generation of the refresh token presented. */
  readonly generation: number
  readonly nonceHash: string
  /** False: only check that the session lives. */
  readonly rotate: boolean
  /** Milliseconds. */
  readonly grace: number
  /** Milliseconds. */
  readonly recovery: number
  /** How long after `expiresAt` a refresh token still serves, at most 60,000. Milliseconds. */
  readonly clockTolerance: number
  /**
   * Each rotation moves `expiresAt` to `lifetime` (or the record's own, when that is shorter) from now, but not beyond `maxLifetime` from
   * `createdAt`; null: fixed. Milliseconds.
   */
  readonly sliding: { readonly lifetime: number, readonly maxLifetime: number } | null
  /** The thumbprint of the key whose possession the request has proved; null: none. */
  readonly jkt: string | null
  readonly ip: string | null
  readonly userAgent: string | null
}

/** The outcome of a rotation. */
export type Rotation = RotationGranted | RotationDenied

export interface RotationGranted {
  readonly outcome: 'rotated' | 'repeated' | 'recovered'
  /** Of the one refresh token that is current now. */
  readonly generation: number
  readonly issuedAt: number
  readonly expiresAt: number
  /** As in the record. */
  readonly authenticatedAt: number
  /** Milliseconds since the rotation before this call; null when there was none. */
  readonly sinceRotation: number | null
}

export interface RotationDenied {
  readonly outcome: 'reused' | 'revoked' | 'expired' | 'unknown' | 'late' | 'unproven'
  readonly sinceRotation: number | null
}

export interface Confirmation extends CallContext {
  readonly sessionId: string
  /** The generation of the access token that was seen. */
  readonly generation: number
}

export interface Revocation extends CallContext {
  readonly sessionId: string
  /** The expected owner of the session, when known. */
  readonly userId?: UserId
  /** Write nothing when the session does not exist. */
  readonly mustExist: boolean
}

export interface UserCall extends CallContext {
  readonly userId: UserId
}

export interface UserRevocation extends UserCall {
  /** The id of a session of the user that lives on; a store with the duty `except` is given it. */
  readonly except?: string
}

export interface Reauthentication extends UserCall {
  readonly sessionId: string
}

/** How many sessions of one user may live at once. */
export interface SessionLimit {
  readonly max: number
  /** Beyond `max`: end the least recently used sessions, or refuse the sign-in. */
  readonly whenFull: 'end_oldest' | 'refuse'
}

export interface Creation extends CallContext {
  /** Milliseconds since this sign-in began, before its credentials were checked. */
  readonly elapsed: number
  /** A store with the duty `limit` is given it. Sessions that have expired do not count. */
  readonly limit?: SessionLimit
}

/** What a sign-in met when its user already had as many sessions as the limit allows. */
export interface LimitReached {
  /** Whether the new session was kept. */
  readonly kept: boolean
  /** The ids of the sessions that were ended to make room. */
  readonly ended: readonly string[]
}

/** A page of the feed of revocations. */
export interface RevocationPage {
  /** Changes when the store may have lost data: a restart, a flush, a failover. */
  readonly epoch: string
  /** Milliseconds, by the store's clock, since the feed began; never negative. */
  readonly age: number
  readonly sessionIds: readonly string[]
  /** Where the next page begins, in the store's own notation. */
  readonly cursor: string
  /** Whether there is another page to read at once. */
  readonly more: boolean
}
