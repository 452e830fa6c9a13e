// The public types of guards, of where tokens may be, and of the cookies that carry them.
import type { FastifyRequest } from 'fastify'
import type { AccessClaims, Awaitable } from '../tokens/types.ts'

/** The request as a guard needs it: any FastifyRequest, whatever its generics, of HTTP/1.1 or HTTP/2. */
export interface GuardedRequest extends Pick<FastifyRequest, 'headers'> {
  readonly raw: Pick<FastifyRequest['raw'], 'rawHeaders'>
}

/** A callback hook for `onRequest`, `preValidation` or `preHandler`. */
export type Guard = (request: GuardedRequest & { readonly server: object }, reply: unknown, done: (error?: Error) => void) => void

/** What a guard of `fastify.dualToken.guard` asks for, beside an access token. All of it must hold. */
export interface GuardOptions {
  /**
   * How long ago, at most, the user may have proved who they are: whole seconds, or a string such as `'10m'`. Otherwise 401 `ACCESS_NOT_FRESH`.
   * It needs `authTime`.
   */
  maxAge?: number | string | undefined
  /** The scopes that the claim `scope` must hold, all of them: separated by spaces, or as a list. Otherwise 403 `ACCESS_SCOPE`. */
  scope?: string | readonly string[] | undefined
  /** Whether this user may. Anything but `true`: 403 `ACCESS_FORBIDDEN`. What it throws goes to the error handler. */
  allow?: ((user: AccessClaims, request: FastifyRequest) => Awaitable<boolean>) | undefined
}

/** Which token of a pair. */
export type TokenKind = 'access' | 'refresh'

/**
 * Looks for a token of a kind where only the application expects one. The plugin calls it when there is no Bearer token, before it reads the cookie.
 * When it returns nothing or an empty string, the plugin looks on. When it throws, the token is invalid.
 */
export type ExtractToken = (request: FastifyRequest, kind: TokenKind) => string | null | undefined

/** Tokens in HttpOnly cookies, for browsers: the `cookies` option. */
export interface DualTokenCookies {
  /** Whether the access token goes into a cookie, too; default false: it stays in the reply, and the page keeps it in memory. */
  access?: boolean | undefined
  /** Other origins whose pages may use the cookies, as browsers write them: `https://app.example`. */
  origins?: readonly string[] | undefined
  /** A part of the cookies' names, for two registrations or two applications on one host. */
  name?: string | undefined
  /** Default true; false drops `Secure` and the prefix of the names, for plain HTTP. */
  secure?: boolean | undefined
}

/** The reply that carries the cookies: any FastifyReply, whatever its generics. */
export interface CookieCarrier {
  /** Its cookie says how long the sign-in lasts, where the tokens do not. */
  readonly request?: object
  getHeader (name: string): number | string | string[] | undefined
  removeHeader (name: string): unknown
  header (name: string, value: unknown): unknown
}
