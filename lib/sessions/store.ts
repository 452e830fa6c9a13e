// The interface of a session store, and its contract in words. `fastify-dual-token/testing` tests it.
import type { UserId } from '../tokens/types.ts'
import type {
  CallContext, Confirmation, Creation, LimitReached, Reauthentication, Revocation, RevocationPage, Rotation, RotationAttempt, UserCall, UserRevocation
} from './calls.ts'

export type * from './calls.ts'

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
  /** When the user last proved who they are: at sign-in, or at a later `reauthenticate`. */
  readonly authenticatedAt: number
  /** The `exp` of this generation's refresh token, in milliseconds. */
  readonly expiresAt: number
  readonly lastUsedAt: number
  readonly ip: string | null
  readonly userAgent: string | null
  /** The name of the device, given by the application; at most 64 characters. */
  readonly label: string | null
  /** The lifetime of this sign-in's refresh tokens, shorter than the option's; null: as the option says. Milliseconds. */
  readonly lifetime: number | null
  /** The thumbprint (RFC 7638, base64url) of the key that the session is bound to; null: to none. */
  readonly jkt: string | null
}

/**
 * What a store may leave out. The plugin refuses the options and calls that need a duty which the store does not name.
 *
 * - `limit`: `create` keeps `limit`
 * - `label`, `lifetime`: the record keeps these members, and `rotate` the lifetime
 * - `except`: `revokeUser` spares that session
 * - `possession`: the record keeps `jkt`, and `rotate` and `confirm` follow `decideRotation` for sessions bound to a key
 */
export type StoreDuty = 'limit' | 'label' | 'lifetime' | 'except' | 'possession'

/**
 * A session store. Every method is one atomic step: no process sees it half done, and no two steps on one session interleave.
 * A method that fails rejects, though it may have done its work; the plugin calls again. A store must not queue calls while its database is
 * out of reach, and must settle each call in the end: the plugin counts unsettled calls, and above 1,000 it only ends sessions and reads the feed.
 */
export interface SessionStore {
  /**
   * Keeps a new session until `expiresAt + revocationTtl`.
   *
   * @returns true when it is kept; false, and keeps nothing, when `revokeUser` ended the user's sessions within the last minute, but after the
   * sign-in began (`elapsed` ms ago); what happened, when the user had reached `limit`: sessions that it ends are in the feed
   * @throws when the store is full; it never evicts a live session for another user's
   */
  create (session: SessionRecord, context: Creation): Promise<boolean | LimitReached>
  /**
   * Decides by the table of `decideRotation` what the presented refresh token is worth, and writes the outcome in the same step. The store's
   * own clock, where it has one, measures grace and recovery. `reused` ends the session. `late` writes nothing: the call was delayed, and the
   * session has moved on meanwhile.
   */
  rotate (attempt: RotationAttempt): Promise<Rotation>
  /**
   * Records that an access token is in use. One of the current generation confirms the session. One of a generation that a recovery displaced
   * (parent < generation < current) is a theft and ends the session, unless the session is bound to a key. Any other changes nothing.
   */
  confirm (confirmation: Confirmation): Promise<'confirmed' | 'reused' | 'unknown'>
  /**
   * Ends a session for ever and adds it to the feed, even when the store does not know it, unless `mustExist`.
   *
   * @returns whether it was added to the feed; false, with nothing written, for another user's session, or a missing one that `mustExist`
   */
  revoke (revocation: Revocation): Promise<boolean>
  /**
   * Ends all sessions of a user, and for a minute makes `create` refuse sign-ins that began before. It may take several steps; the first one
   * bars those sign-ins.
   *
   * @returns the ids of the ended sessions
   */
  revokeUser (revocation: UserRevocation): Promise<readonly string[]>
  /** Lists the live sessions of a user. The ids `7` and `'7'` are two users. */
  list (user: UserCall): Promise<readonly SessionRecord[]>
  /**
   * Sets `authenticatedAt` of a session to `now` and moves nothing else, so that its tokens stay good.
   *
   * @returns false, with nothing written, unless the session lives and belongs to that user
   */
  reauthenticate? (reauthentication: Reauthentication): Promise<boolean>
  /**
   * Reads a page of the sessions revoked since a cursor (null: since the feed began). A store whose writes may become visible late, or whose
   * clock may step, starts each read a minute before the cursor; ids may repeat.
   */
  revokedSince (cursor: string | null, context: CallContext): Promise<RevocationPage>
  /**
   * Calls back with the ids of sessions that any process revokes, as soon as the store can push them. It reconnects by itself and never
   * throws, because polling continues beside it.
   *
   * @returns a function that ends the subscription
   */
  subscribe? (onRevoked: (sessionIds: readonly string[]) => void): () => void
  /** Names a new session of a user, for a store that finds its place by the id: 22 characters of base64url, 120 random bits at least. */
  newSessionId? (userId: UserId): string
  /**
   * Called at boot, before the feed is read; again when it rejects, for a few seconds. What it rejects with last fails the boot. An error whose
   * `code` is `FST_DUAL_TOKEN_OPTION_INVALID` fails it at once.
   */
  open? (): Promise<void>
  /** Called once when the server closes. */
  close? (): Promise<void>
  /** Whether the store lives in this process, so that its feed is always in reach. */
  readonly inProcess?: boolean
  /** The optional duties that this store fulfils; absent: none. */
  readonly duties?: readonly StoreDuty[]
}
