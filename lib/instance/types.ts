// The public types of `fastify.dualToken`.
import type { DualTokenKey } from '../keys/types.ts'
import type { ProvingRequest } from '../possession/target.ts'
import type { CookieCarrier, Guard, GuardOptions } from '../access/types.ts'
import type { AccessReply, Claims, CookieReply, DualTokenUser, LoadUser, PairReply, TokenReply, UserId, UserIdSource } from '../tokens/types.ts'

/** Where a sign-in or a refresh comes from; kept with the session, cut to 256 characters. */
export interface ClientOptions {
  ip?: string | undefined
  userAgent?: string | undefined
}

export interface IssueOptions<Need extends boolean = boolean> extends ClientOptions {
  /** Default true. */
  needRefreshToken?: Need | undefined
  /**
   * With sessions: the time, by `performance.now()`, before the application checked the credentials. A `revokeUser` since then
   * refuses the sign-in. Default: now.
   */
  startedAt?: number | undefined
  /**
   * With sessions: the name of the device, which `listSessions` gives back. It is cut to 64 characters (UTF-16 code units); control characters
   * become spaces.
   */
  label?: string | undefined
  /**
   * The lifetime of this sign-in's refresh token, whole seconds or a string such as `'1d'`: longer than `accessExpiresIn`, and at most the option of
   * the same name, which is the default. With sliding sessions, each refresh renews it by the same time. It has no effect without a refresh token.
   */
  refreshExpiresIn?: number | string | undefined
  /** With sessions: the request whose header `DPoP` may prove a key, to which the session is then bound. */
  proof?: ProvingRequest | undefined
}

/** For a user who has proved again who they are, in a session that goes on. */
export interface SessionTokenOptions {
  /** The id of a session of this user: the `sid` of its tokens. */
  session: string
  /** For the event. */
  ip?: string | undefined
  needRefreshToken?: false | undefined
}

export interface RefreshOptions extends ClientOptions {
  /** Replaces `routes.loadUser` for this call. */
  loadUser?: LoadUser | undefined
  /** The request that brought the token: its header `DPoP` proves the key of a session that is bound to one. */
  proof?: ProvingRequest | undefined
}

export interface RevokeUserOptions {
  /** The id of a session of this user that lives on: that of the caller, for "sign out everywhere else". */
  except?: string | undefined
}

/** A session, as the application sees it. Instants are epoch milliseconds. */
export interface Session {
  /** The `sid` claim of its tokens. */
  id: string
  userId: UserId
  createdAt: number
  lastUsedAt: number
  expiresAt: number
  ip: string | null
  userAgent: string | null
  label: string | null
}

/** What `fastify.dualToken` offers. */
export interface DualToken {
  /**
   * Makes a guard for access tokens that asks for more than `loginRequired`: a recent sign-in, scopes, or what the application decides. Without
   * options it is `loginRequired`.
   *
   * @throws `FST_DUAL_TOKEN_OPTION_INVALID` when an option is not known or not valid, or `maxAge` is asked for without `authTime`
   * @example
   * ```ts
   * fastify.delete('/account', { preHandler: fastify.dualToken.guard({ maxAge: '10m' }) }, handler)
   * ```
   */
  guard (options?: GuardOptions): Guard
  /**
   * With sessions and `authTime`: makes a new access token in a session that goes on, for a user who has just proved again who they are. Its
   * `auth_time` is now, and later refreshes of the session keep that.
   *
   * @throws `FST_DUAL_TOKEN_SESSION_UNKNOWN` when the session has ended or is not of that user; `…USER_INVALID`; `…STORE_UNAVAILABLE`
   * @throws `FST_DUAL_TOKEN_OPTION_INVALID` when an option is not known or not valid, or the session store lacks the method `reauthenticate`
   */
  issueTokens (user: DualTokenUser, options: SessionTokenOptions): Promise<AccessReply>
  /**
   * Makes the tokens of one sign-in.
   *
   * @throws `FST_DUAL_TOKEN_USER_INVALID` when the user has no usable id, names a reserved claim, or does not fit a token; with sessions
   * also `…STORE_UNAVAILABLE`, `…SESSION_LIMIT` when `maxPerUser` refuses it, or `…LOGIN_REFUSED` when `revokeUser` ran since the sign-in began;
   * and `…PROOF_INVALID`, `…PROOF_NONCE` or `…PROOF_REQUIRED`
   * @throws `FST_DUAL_TOKEN_OPTION_INVALID` when an option is not known or not valid, or the session store lacks the duty it needs
   */
  issueTokens<Need extends boolean = true> (user: DualTokenUser, options?: IssueOptions<Need>): Promise<TokenReply<Need>>
  /**
   * Returns the claims of a valid token of either kind; check `refresh`.
   *
   * @throws `FST_DUAL_TOKEN_ACCESS_EXPIRED` or `FST_DUAL_TOKEN_ACCESS_INVALID`; with sessions also `…ACCESS_REVOKED`, or
   * `…STORE_UNAVAILABLE` when the feed of revoked sessions cannot be read
   */
  verifyToken (token: string): Claims
  /**
   * With `keys`: replaces all keys in one step, if every new key is valid. Tokens of removed keys become invalid at once.
   *
   * @throws `FST_DUAL_TOKEN_OPTION_INVALID`; the keys then stay as they were
   */
  setKeys (keys: readonly DualTokenKey[]): void
  /**
   * With sessions: exchanges a refresh token, as `PUT` does.
   *
   * @returns a pair, or only an access token when sessions do not rotate
   * @throws a `FST_DUAL_TOKEN_REFRESH_…` error, `…PROOF_INVALID` or `…PROOF_NONCE`, or `FST_DUAL_TOKEN_STORE_UNAVAILABLE`: the same token works later
   */
  refreshTokens (refreshToken: string, options?: RefreshOptions): Promise<PairReply | AccessReply>
  /**
   * With sessions: lists the live sessions of a user, most recently used first.
   *
   * @throws `FST_DUAL_TOKEN_USER_INVALID` when it is no user's id
   */
  listSessions (userId: UserIdSource): Promise<Session[]>
  /**
   * With sessions: ends one session, at once on this process and within `pollInterval` on all others.
   *
   * @returns false when the id cannot be that of a session
   */
  revokeSession (sessionId: string): Promise<boolean>
  /**
   * With sessions: ends all sessions of a user, or all `except` one, and refuses sign-ins that began before the call.
   *
   * @returns the number of sessions ended
   * @throws `FST_DUAL_TOKEN_USER_INVALID` when it is no user's id; `…OPTION_INVALID` when `except` is no id of a session, or needs another store
   */
  revokeUser (userId: UserIdSource, options?: RevokeUserOptions): Promise<number>
  /**
   * With cookies: writes tokens into cookies, for a sign-in that is not the ready route's. Without a refresh token, the access cookie lives as long as
   * the refresh cookie that came with the request. No cache keeps the reply, unless its `Cache-Control` says something else.
   *
   * @param tokens as `issueTokens` or `refreshTokens` makes them
   * @returns what is left for the body
   * @throws `FST_DUAL_TOKEN_OPTION_INVALID` without `cookies`, or when these are no tokens
   * @example
   * ```ts
   * fastify.dualToken.setCookies(reply, await fastify.dualToken.issueTokens(user))
   * return reply.redirect('/')
   * ```
   */
  setCookies (reply: CookieCarrier, tokens: AccessReply | PairReply): CookieReply
  /**
   * With cookies: deletes both. It ends no session.
   *
   * @throws `FST_DUAL_TOKEN_OPTION_INVALID` without `cookies`
   */
  clearCookies (reply: CookieCarrier): void
}
