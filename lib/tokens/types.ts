// The public types of tokens: users, claims and replies.
// The reference brings `request.user`, which @fastify/jwt declares. TypeScript drops an import that is used only for this.
/// <reference types="@fastify/jwt" preserve="true" />
import type { FastifyRequest } from 'fastify'

/**
 * The merge point: declare once which claims your tokens carry. It types `request.user`, `login`, `loadUser` and `issueTokens`.
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

/** A user's id as a database gives it: a user id, or what JSON turns into one, such as an `ObjectId` of MongoDB. */
export type UserIdSource = UserId | { toJSON (): UserId }

type UserIdClaim = DualTokenTypes extends { userIdClaim: infer Name extends string } ? Name : 'user_id'
type AppClaims = DualTokenTypes extends { claims: infer Claims } ? Claims : unknown
type UserIdMember = { [Name in UserIdClaim]: Name extends 'sub' ? string : UserId }
type GivenIdMember = { [Name in UserIdClaim]: Name extends 'sub' ? string | { toJSON (): string } : UserIdSource }

/** What `login` and `loadUser` return and `issueTokens` takes: the user's id and the application's claims, as JSON will carry them. */
export type DualTokenUser = GivenIdMember & AppClaims & { [claim: string]: unknown }

interface RegisteredClaims {
  /** Epoch seconds. */
  readonly exp: number
  /** Epoch seconds; tokens made elsewhere may lack it. */
  readonly iat?: number
  readonly nbf?: number
  readonly iss?: string
  readonly aud?: string | string[]
  /** With `authTime`: when the user last proved who they are. Epoch seconds (OpenID Connect Core 1.0 section 2). */
  readonly auth_time?: number
  /** With sessions: the session's id. */
  readonly sid?: string
  /** With sessions: the generation of the tokens. */
  readonly gen?: number
  /** With sessions, in a refresh token: the session's nonce. */
  readonly n?: string
  /** With sessions, in a refresh token that is bound to a key: the key's thumbprint (RFC 9449 section 6.1). */
  readonly cnf?: { readonly jkt: string }
}

type TokenClaims<Refresh extends boolean> =
  Readonly<UserIdMember> & Readonly<AppClaims> & RegisteredClaims & { readonly refresh: Refresh }

/** The claims of a valid access token. */
export type AccessClaims = TokenClaims<false>

/** The claims of a valid refresh token. */
export type RefreshClaims = TokenClaims<true>

/** The claims of a valid token of either kind, frozen and discriminated by `refresh`. */
export type Claims = AccessClaims | RefreshClaims

/** A new access token, in the format of RFC 6749 section 5.1. */
export interface AccessReply {
  token: string
  token_type: 'Bearer'
  /** Seconds until the access token expires. */
  expires_in: number
}

/** A pair of tokens: the reply to `POST`. */
export interface PairReply extends AccessReply {
  refresh_token: string
}

/** What is left for the body when tokens are in cookies. */
export interface CookieReply extends Omit<AccessReply, 'token'> {
  /** Unless it is in a cookie too. */
  token?: string
}

/** What `POST` and `PUT` answer, before `routes.reply` gives it another shape: what went into no cookie. */
export interface BodyTokens extends CookieReply {
  refresh_token?: string
}

/** A pair, or only an access token if no refresh token is needed. */
export type TokenReply<Need extends boolean> = Need extends false ? AccessReply : PairReply

/** A value, or a promise of it. */
export type Awaitable<T> = T | Promise<T>

/** The three values that mean "no such user". */
export type Nobody = null | undefined | false

/**
 * User id → the user as of now, or null when the user no longer exists. `refreshTokens` calls it without a request.
 */
export type LoadUser = {
  load (userId: UserId, request: FastifyRequest | undefined): Awaitable<DualTokenUser | Nobody>
}['load']

declare module '@fastify/jwt' {
  interface FastifyJWT {
    user: Claims | null
  }
}
