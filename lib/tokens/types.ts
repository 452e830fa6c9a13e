// The public types, and the one place where Fastify's own types are extended.
// The reference brings `request.user`, which @fastify/jwt declares; of an import for that alone nothing would be published.
/// <reference types="@fastify/jwt" preserve="true" />
import type { FastifyRequest } from 'fastify'
import type { DualTokenKey } from '../keys/types.ts'

/**
 * The merge point: say once what your tokens carry, and `request.user`, `login`, `loadUser` and `issueTokens` know it.
 *
 * @example
 * ```ts
 * declare module 'fastify-dual-token' {
 *   interface DualTokenTypes {
 *     claims: { role: 'admin' | 'member' }
 *     userIdClaim: 'sub' // only when the option of that name is set
 *   }
 * }
 * ```
 */
export interface DualTokenTypes {}

/** A user's id: a non-empty string or a safe non-zero integer. */
export type UserId = string | number

type UserIdClaim = DualTokenTypes extends { userIdClaim: infer Name extends string } ? Name : 'user_id'
type AppClaims = DualTokenTypes extends { claims: infer Claims } ? Claims : unknown
type UserIdMember = { [Name in UserIdClaim]: Name extends 'sub' ? string : UserId }

/** What `login` and `loadUser` answer and `issueTokens` takes: the user's id and the application's claims. */
export type DualTokenUser = UserIdMember & AppClaims & { [claim: string]: unknown }

interface RegisteredClaims {
  /** Epoch seconds. */
  readonly exp: number
  /** Epoch seconds; tokens made elsewhere may lack it. */
  readonly iat?: number
  readonly nbf?: number
  readonly iss?: string
  readonly aud?: string | string[]
  /** With sessions: the session's id. */
  readonly sid?: string
  /** With sessions: the generation of the tokens. */
  readonly gen?: number
  /** With sessions, in a refresh token: the session's nonce. */
  readonly n?: string
}

type TokenClaims<Refresh extends boolean> =
  Readonly<UserIdMember> & Readonly<AppClaims> & RegisteredClaims & { readonly refresh: Refresh }

/** The claims of a good access token. */
export type AccessClaims = TokenClaims<false>

/** The claims of a good refresh token. */
export type RefreshClaims = TokenClaims<true>

/** The claims of a good token of either kind, told apart by `refresh`; frozen. */
export type Claims = AccessClaims | RefreshClaims

/** A new access token, as RFC 6749 section 5.1 shapes it. */
export interface AccessReply {
  token: string
  token_type: 'Bearer'
  /** Seconds until the access token expires. */
  expires_in: number
}

/** A pair: what `POST` answers. */
export interface PairReply extends AccessReply {
  refresh_token: string
}

/** A pair, or an access token alone when no refresh token is needed. */
export type TokenReply<Need extends boolean> = Need extends false ? AccessReply : PairReply

/** An answer, now or later. */
export type Awaitable<T> = T | Promise<T>

/** The three ways to say that there is nobody. */
export type Nobody = null | undefined | false

/**
 * User id → the user as of now, or null when there is none any more. There is no request when `refreshTokens` calls; one that
 * never is may declare its parameter without `undefined`, as with any method.
 */
export type LoadUser = {
  load (userId: UserId, request: FastifyRequest | undefined): Awaitable<DualTokenUser | Nobody>
}['load']

/** The request as a guard needs it: any FastifyRequest, whatever its generics. */
export type GuardedRequest = Pick<FastifyRequest, 'headers' | 'raw'>

/** A callback hook for `onRequest`, `preValidation` or `preHandler`. */
export type Guard = (request: GuardedRequest & { readonly server: object }, reply: unknown, done: (error?: Error) => void) => void

/** Where a sign-in or a refresh comes from; kept with the session, cut to 256 characters. */
export interface ClientOptions {
  ip?: string | undefined
  userAgent?: string | undefined
}

export interface IssueOptions<Need extends boolean = boolean> extends ClientOptions {
  /** Default true. */
  needRefreshToken?: Need | undefined
  /**
   * With sessions: the moment, by `performance.now()`, before the credentials were looked at. A `revokeUser` since then refuses the
   * sign-in. Default: now.
   */
  began?: number | undefined
}

export interface RefreshOptions extends ClientOptions {
  /** Instead of `routes.loadUser`. */
  loadUser?: LoadUser | undefined
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
}

/** What `fastify.dualToken` offers. */
export interface DualToken {
  /**
   * Makes the tokens of one sign-in.
   *
   * @throws `FST_DUAL_TOKEN_USER_INVALID` when the user has no usable id, names a reserved claim, or does not fit a token; with sessions
   * also `…STORE_UNAVAILABLE`, or `…LOGIN_REFUSED` when the user was revoked since it began
   */
  issueTokens<Need extends boolean = true> (user: DualTokenUser, options?: IssueOptions<Need>): Promise<TokenReply<Need>>
  /**
   * The claims of a good token of either kind; look at `refresh`.
   *
   * @throws `FST_DUAL_TOKEN_ACCESS_EXPIRED` or `FST_DUAL_TOKEN_ACCESS_INVALID`; with sessions also `…ACCESS_REVOKED`, or
   * `…STORE_UNAVAILABLE` when the feed of revoked sessions cannot be read
   */
  verifyToken (token: string): Claims
  /**
   * With `keys`: replaces them all in one step, when every one of them is sound. Tokens of a key that is gone are no
   * longer good, at once.
   *
   * @throws `FST_DUAL_TOKEN_OPTION_INVALID`, and the keys stay as they were
   */
  setKeys (keys: readonly DualTokenKey[]): void
  /**
   * With sessions: exchanges a refresh token, as `PUT` does.
   *
   * @returns a pair, or an access token alone when sessions do not rotate
   * @throws a `FST_DUAL_TOKEN_REFRESH_…` error, or `FST_DUAL_TOKEN_STORE_UNAVAILABLE`: the same token works later
   */
  refreshTokens (refreshToken: string, options?: RefreshOptions): Promise<PairReply | AccessReply>
  /**
   * With sessions: those of a user that live, the last used first.
   *
   * @throws `FST_DUAL_TOKEN_USER_INVALID` when it is no user's id
   */
  listSessions (userId: UserId): Promise<Session[]>
  /**
   * With sessions: ends one, at once on this process, on all others within `pollInterval`.
   *
   * @returns false when there can be no session of that id
   */
  revokeSession (sessionId: string): Promise<boolean>
  /**
   * With sessions: ends all of a user's, and refuses sign-ins that began before.
   *
   * @returns how many were ended
   * @throws `FST_DUAL_TOKEN_USER_INVALID` when it is no user's id
   */
  revokeUser (userId: UserId): Promise<number>
}

declare module '@fastify/jwt' {
  interface FastifyJWT {
    user: Claims | null
  }
}

declare module 'fastify' {
  interface FastifyInstance {
    /** Lets access tokens pass. Anonymous → 401; a refresh token → 403. */
    loginRequired: Guard
    /** Lets refresh tokens pass; anything else → 403. */
    refreshRequired: Guard
    dualToken: DualToken
  }
}
