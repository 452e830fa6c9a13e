// What a session store is: the shapes, and the contract in words. `fastify-dual-token/testing` proves it of a store.
import type { UserId } from '../types.ts'

/**
 * One sign-in, updated in place. Instants are epoch milliseconds; those of `rotatedAt` and `displacedAt` are the store's
 * own clock, all others the plugin's.
 */
export interface SessionRecord {
  /** The `sid` claim. */
  readonly id: string
  readonly userId: UserId
  /** The generation of the one refresh token that is current; 0 at sign-in. */
  readonly generation: number
  /** The generation it was rotated from; -1 before the first rotation. */
  readonly parentGeneration: number
  /** Whether an access token of this generation was seen in use: its owner has got the reply. */
  readonly confirmed: boolean
  /** When this generation came to be; 0 before the first rotation. */
  readonly rotatedAt: number
  /** When the parent was displaced; a recovery does not move it. */
  readonly displacedAt: number
  /** The `iat` of this generation's refresh token, in milliseconds. */
  readonly issuedAt: number
  /** SHA-256 of the nonce, base64url. */
  readonly nonceHash: string
  readonly createdAt: number
  /** The `exp` of this generation's refresh token, in milliseconds. */
  readonly expiresAt: number
  readonly lastUsedAt: number
  readonly ip: string | null
  readonly userAgent: string | null
}

/** What every call is told. Milliseconds. */
export interface CallContext {
  /** The plugin's clock: expiries are measured by it. */
  readonly now: number
  /**
   * How long a revocation is remembered, and a record kept after `expiresAt`: until no access token of it can be alive. Processes may
   * differ; then the longest counts.
   */
  readonly keepFor: number
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
  /** Each rotation moves `expiresAt` to `lifetime` from now, but not beyond `maxLifetime` from `createdAt`; null: fixed. Milliseconds. */
  readonly sliding: { readonly lifetime: number, readonly maxLifetime: number } | null
  readonly ip: string | null
  readonly userAgent: string | null
}

/** What came of a rotation. */
export type Rotation = RotationGranted | RotationDenied

export interface RotationGranted {
  readonly outcome: 'rotated' | 'repeated' | 'recovered'
  /** Of the one refresh token that is current now. */
  readonly generation: number
  readonly issuedAt: number
  readonly expiresAt: number
  /** Milliseconds since the rotation before this call; null when there was none. */
  readonly sinceRotation: number | null
}

export interface RotationDenied {
  readonly outcome: 'reused' | 'revoked' | 'expired' | 'unknown' | 'late'
  readonly sinceRotation: number | null
}

export interface Confirmation extends CallContext {
  readonly sessionId: string
  /** The generation of the access token that was seen. */
  readonly generation: number
}

export interface Revocation extends CallContext {
  readonly sessionId: string
  /** Whose session it must be, when known. */
  readonly userId?: UserId
  /** Write nothing when there is no such session. */
  readonly mustExist: boolean
}

export interface UserRevocation extends CallContext {
  readonly userId: UserId
}

export interface Creation extends CallContext {
  /** Milliseconds since this sign-in began, before its credentials were looked at. */
  readonly elapsed: number
}

/** A piece of the feed of revocations. */
export interface RevocationPage {
  /** Changes when the store's memory may have lost something: a restart, a flush, a failover. */
  readonly epoch: string
  /** Milliseconds, by the store's clock, since the feed began to remember. */
  readonly age: number
  readonly sessionIds: readonly string[]
  /** Where the next page begins; the store's own notation. */
  readonly cursor: string
  /** Whether there is another page to read at once. */
  readonly more: boolean
}

/**
 * A session store. Every method is one atomic step: none is ever seen half done, and none interleaves with another on the
 * same session, from whatever process. A method that cannot do its work rejects, and may still have done it: the
 * plugin calls again. It must not queue calls while the store is out of reach, and it settles each in the end: those that it has not
 * settled are counted, and above 1,000 the plugin calls no more but to end sessions and to read the feed.
 */
export interface SessionStore {
  /**
   * Keeps a new session until `expiresAt + keepFor`.
   *
   * @returns false, and nothing kept, when a `revokeUser` of its user came after the sign-in began (`elapsed` ms ago)
   * and less than a minute ago
   * @throws when full; a live session is never evicted
   */
  create (session: SessionRecord, context: Creation): Promise<boolean>
  /**
   * Decides what a presented refresh token is worth, by the table that `decideRotation` is, and writes the outcome, in one
   * step with it. Grace and recovery are measured by the store's own clock, where it has one. `reused` ends the session; `late` writes
   * nothing: the call was held up on the way to the store, and the session has moved on meanwhile.
   */
  rotate (attempt: RotationAttempt): Promise<Rotation>
  /**
   * An access token was seen in use. Of the current generation: the session is confirmed. Of a generation that a recovery displaced
   * (parent < generation < current): a theft, and the session is ended. Otherwise nothing.
   */
  confirm (confirmation: Confirmation): Promise<'confirmed' | 'reused' | 'unknown'>
  /**
   * Ends a session for ever, and tells the feed, also of a session it does not know, unless that `mustExist`.
   *
   * @returns whether the feed was told; false, and nothing written, when the session is another user's or `mustExist` and does not
   */
  revoke (revocation: Revocation): Promise<boolean>
  /**
   * Ends all sessions of a user, and leaves a mark for a minute that `create` obeys. It may take several steps, the mark first: no sign-in
   * that began before can then be kept.
   *
   * @returns the ids of the sessions ended
   */
  revokeUser (revocation: UserRevocation): Promise<readonly string[]>
  /** The sessions of a user that live. The ids `7` and `'7'` are two users. */
  list (user: UserRevocation): Promise<readonly SessionRecord[]>
  /**
   * The sessions revoked since a cursor (null: all that is remembered), a page at a time. A store whose writes can become visible later than
   * their time stamps, or whose clock can step, starts every read a minute before the cursor; ids may come again.
   */
  revokedSince (cursor: string | null, context: CallContext): Promise<RevocationPage>
  /**
   * Calls back with the ids of sessions as they are revoked, by any process, as far and as soon as the store can push; it
   * connects again by itself and never throws, for polling goes on beside it.
   *
   * @returns a function that ends it
   */
  subscribe? (onRevoked: (sessionIds: readonly string[]) => void): () => void
  /** Called once when the server closes. */
  close? (): Promise<void>
  /** The store lives in this process, so that its feed is never out of reach. */
  readonly inProcess?: boolean
}
