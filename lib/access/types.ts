// The public types of guards, of where tokens may be, and of the cookies that carry them.
import type { FastifyRequest } from 'fastify'

/** The request as a guard needs it: any FastifyRequest, whatever its generics. */
export type GuardedRequest = Pick<FastifyRequest, 'headers' | 'raw'>

/** A callback hook for `onRequest`, `preValidation` or `preHandler`. */
export type Guard = (request: GuardedRequest & { readonly server: object }, reply: unknown, done: (error?: Error) => void) => void

/** Which token of a pair. */
export type TokenKind = 'access' | 'refresh'

/**
 * Looks for a token of a kind where only the application expects one. It runs when there is no Bearer token, before the cookie is looked
 * at. Nothing, or an empty string: look on. What it throws makes the token invalid.
 */
export type ExtractToken = (request: FastifyRequest, kind: TokenKind) => string | null | undefined

/** Tokens in HttpOnly cookies, for browsers: the `cookies` option. */
export interface DualTokenCookies {
  /** The access token too; default false: it stays in the reply, for the memory of the page. */
  access?: boolean | undefined
  /** Other origins whose pages may use the cookies, as browsers write them: `https://app.example`. */
  origins?: readonly string[] | undefined
  /** Goes into the names of the cookies, for two registrations, or two applications, on one host. */
  name?: string | undefined
  /** Default true; false drops `Secure` and the prefix of the names, for plain HTTP. */
  secure?: boolean | undefined
}

/** What cookies are written on: any FastifyReply, whatever its generics. */
export interface CookieCarrier {
  getHeader (name: string): number | string | string[] | undefined
  removeHeader (name: string): unknown
  header (name: string, value: unknown): unknown
}
