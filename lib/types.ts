// The public types, and the one place where Fastify's own types are extended.
// The reference brings `request.user`, which @fastify/jwt declares; of an import for that alone nothing would be published.
/// <reference types="@fastify/jwt" preserve="true" />
import type { FastifyRequest, RouteShorthandOptions } from 'fastify'
import type { Static, TSchema } from '@sinclair/typebox'

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

/** The request as a guard needs it: any FastifyRequest, whatever its generics. */
export type GuardedRequest = Pick<FastifyRequest, 'headers' | 'raw'>

/** A callback hook for `onRequest`, `preValidation` or `preHandler`. */
export type Guard = (request: GuardedRequest, reply: unknown, done: (error?: Error) => void) => void

/** What `fastify.dualToken` offers. */
export interface DualToken {
  /**
   * Makes the tokens of one sign-in.
   *
   * @throws `FST_DUAL_TOKEN_USER_INVALID` when the user has no usable id, names a reserved claim, or does not fit a token
   */
  issueTokens<Need extends boolean = true> (user: DualTokenUser, options?: { needRefreshToken?: Need }): Promise<TokenReply<Need>>
  /**
   * The claims of a good token of either kind; look at `refresh`.
   *
   * @throws `FST_DUAL_TOKEN_ACCESS_EXPIRED` or `FST_DUAL_TOKEN_ACCESS_INVALID`
   */
  verifyToken (token: string): Claims
}

type Awaitable<T> = T | Promise<T>
type Nobody = null | undefined | false

type PassedOn = Omit<RouteShorthandOptions, 'schema' | 'prefixTrailingSlash'>

/** The ready routes. Beside these options, those of any Fastify route are passed on to each of them. */
export interface DualTokenRoutes<Body = unknown> extends PassedOn {
  /** Where the routes stand; default `/authorizations`. */
  path?: string | undefined
  /** JSON schema of the credentials; default: any JSON object. */
  body?: Body | undefined
  /** Credentials → the user, or null (or false) to refuse them. What it throws goes to the application's error handler. */
  login (body: LoginBody<Body>, request: FastifyRequest): Awaitable<DualTokenUser | Nobody>
  /** User id → the user as of now, or null when there is none any more. Default: the id alone. */
  loadUser?: ((userId: UserId, request: FastifyRequest) => Awaitable<DualTokenUser | Nobody>) | undefined
  /** Shorthand for `schema.tags`. */
  tags?: string[] | undefined
  /** Merged into the routes' schemas: `tags`, `summary`, `security` …; never `body` or `response`. */
  schema?: Record<string, unknown> | undefined
}

type LoginBody<Body> = Body extends TSchema ? Static<Body> : Record<string, unknown>

/** The options of `fastify.register(dualToken, options)`; durations are seconds or strings such as `'15m'`. */
export interface DualTokenOptions<Body = unknown> {
  /** HS256 secret of at least 32 bytes, or a list of them: the first signs, all verify. */
  secret: string | Uint8Array | ReadonlyArray<string | Uint8Array>
  /** Default `'2h'`. */
  accessExpiresIn?: number | string | undefined
  /** Default `'14d'`. */
  refreshExpiresIn?: number | string | undefined
  /** The claim that holds the user's id; default `'user_id'`. */
  userIdClaim?: string | undefined
  /** Set as `iss` on every token and required of every token. */
  issuer?: string | undefined
  /** Set as `aud` on every token and required of every token. */
  audience?: string | undefined
  /** Seconds, 0 to 60; default 0. */
  clockTolerance?: number | undefined
  /** Named in the `WWW-Authenticate` challenge. */
  realm?: string | undefined
  /** How many verified tokens are remembered; default 10,000; 0 turns it off. */
  cache?: number | undefined
  /** The ready routes; absent or false: none. */
  routes?: DualTokenRoutes<Body> | false | undefined
  /** The clock, in milliseconds; default `Date.now`. */
  now?: (() => number) | undefined
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
