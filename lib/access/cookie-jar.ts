// Tokens → cookies on a reply and what is left for its body, and a sign-out → the same cookies, deleted.
import { createFault } from '../errors.ts'
import { expiryOf } from '../tokens/expiry.ts'
import type { AccessReply, CookieReply, PairReply } from '../tokens/types.ts'
import { writeCookie } from './cookies.ts'
import { createIsOwnPage, type IsOwnPage } from './own-page.ts'
import type { CookieSettings } from './settings.ts'
import type { CookieCarrier, TokenKind } from './types.ts'

export interface CookieJar {
  readonly settings: CookieSettings
  readonly isOwnPage: IsOwnPage
  /**
   * Writes the refresh token, if there is one, and with `access` the access token. No cache keeps the reply, unless it already has a `Cache-Control`.
   *
   * @param signInEnds the expiry of the sign-in's refresh token, in epoch seconds, when it is not among the tokens: the access cookie lives as long
   * @returns what is left for the body
   * @throws `FST_DUAL_TOKEN_OPTION_INVALID` when these are no tokens
   */
  set (reply: CookieCarrier, tokens: AccessReply | PairReply, signInEnds?: number | undefined): CookieReply
  clear (reply: CookieCarrier): void
}

const HEADER = 'set-cookie'
const CACHING = 'cache-control'
const SAME_SITE = { refresh: 'Strict', access: 'Lax' } as const

/** @param now the plugin's clock, in milliseconds */
export function createCookieJar (settings: CookieSettings, now: () => number): CookieJar {
  const { names, access, secure, origins } = settings

  function lineOf (kind: TokenKind, value: string, maxAge: number): string {
    return writeCookie({ name: names[kind], value, maxAge, secure, sameSite: SAME_SITE[kind] })
  }

  /** Keeps the cookies of others, and the last line of each of ours. Sets a new list, because Fastify and @fastify/cookie add to the one they find. */
  function write (reply: CookieCarrier, lines: readonly string[]): void {
    if (lines.length === 0) return
    const replaced = lines.map(line => line.slice(0, line.indexOf('=') + 1))
    const others = [reply.getHeader(HEADER) ?? []].flat().map(String).filter(line => !replaced.some(start => line.startsWith(start)))
    reply.removeHeader(HEADER)
    reply.header(HEADER, [...others, ...lines])
  }

  return {
    settings,
    isOwnPage: createIsOwnPage(origins),

    set (reply, tokens, signInEnds) {
      const { token, refresh_token: refreshToken, ...rest } = Object(tokens) as AccessReply & Partial<PairReply>
      const accessEnds = expiryIn(token)
      const ends = refreshToken === undefined ? signInEnds ?? accessEnds : expiryIn(refreshToken)
      const maxAge = Math.max(0, Math.ceil(ends - now() / 1000))
      const lines = refreshToken === undefined ? [] : [lineOf('refresh', refreshToken, maxAge)]
      if (access) lines.push(lineOf('access', token, maxAge))
      write(reply, lines)
      if (reply.getHeader(CACHING) === undefined) reply.header(CACHING, 'no-store')
      return access ? rest : { token, ...rest }
    },

    clear (reply) {
      write(reply, [lineOf('refresh', '', 0), lineOf('access', '', 0)])
    }
  }
}

function expiryIn (token: string): number {
  const expiry = expiryOf(token)
  if (expiry !== null) return expiry
  throw createFault('OPTION_INVALID', 'Option tokens of setCookies must be tokens as issueTokens makes them.')
}
