// Request and kind of token → the text of the token where there is no Bearer token, or why there is none: `extract`, then the cookie.
import type { FastifyRequest } from 'fastify'
import { copyOf } from '../tokens/split.ts'
import { refused, type Refused } from '../tokens/verdict.ts'
import type { CookieJar } from './cookie-jar.ts'
import { readCookie, TWICE } from './cookies.ts'
import { extract as extractBearer } from './extract.ts'
import type { ExtractToken, GuardedRequest, TokenKind } from './types.ts'

const MISSING = refused('MISSING', 'no token')
const BAD_EXTRACT = refused('INVALID', 'extract threw, or returned no text')
const COOKIE_TWICE = refused('INVALID', 'two cookies of one name')
const NO_PROOF = refused('FOREIGN', 'a cookie, and no proof that a page of ours sent it')

/** A token, not verified yet, and whether a cookie brought it. */
export interface Located {
  readonly claims?: undefined
  readonly token: string
  readonly inCookie: boolean
}

/** Looks for a token in the places that the options add to the Authorization header. */
export type Locate = (request: GuardedRequest, kind: TokenKind) => Located | Refused

/** @returns null when the options name no other place */
export function createLocate (extract: ExtractToken | null, jar: CookieJar | null): Locate | null {
  if (extract === null && jar === null) return null

  return function locate (given, kind) {
    // Fastify passes its whole request; the type of guards leaves out what depends on its generics.
    const request = given as FastifyRequest
    const token = extract === null ? null : askApplication(extract, request, kind)
    if (token !== null) return typeof token === 'string' ? { token, inCookie: false } : token
    return jar === null ? MISSING : fromCookie(jar, request, kind)
  }
}

/** Looks at the header, then for each kind in turn elsewhere. */
export function locateAny (request: FastifyRequest, locate: Locate | null, kinds: readonly TokenKind[]): Located | Refused {
  const token = extractBearer(request)
  if (typeof token === 'string') return { token, inCookie: false }
  if (locate === null || token.refusal.kind !== 'MISSING') return token
  for (const kind of kinds) {
    const found = locate(request, kind)
    if (found.claims === undefined || found.refusal.kind !== 'MISSING') return found
  }
  return token
}

function askApplication (extract: ExtractToken, request: FastifyRequest, kind: TokenKind): string | Refused | null {
  try {
    const token: unknown = extract(request, kind)
    if (token === null || token === undefined || token === '') return null
    if (typeof token === 'string') return copyOf(token)
    // An unhandled rejection would end the process.
    Promise.resolve(token).catch(() => {})
    return BAD_EXTRACT
  } catch {
    // The function fails on what a client has sent, and a client's input never causes a 500.
    return BAD_EXTRACT
  }
}

function fromCookie ({ settings: { names, access }, isOwnPage }: CookieJar, request: FastifyRequest, kind: TokenKind): Located | Refused {
  const { cookie } = request.headers
  if (cookie === undefined || (kind === 'access' && !access)) return MISSING
  const token = readCookie(cookie, names[kind])
  if (token === TWICE) return COOKIE_TWICE
  if (token === null || token === '') return MISSING
  if (mayChange(request) && !isOwnPage(request)) return NO_PROOF
  return { token: copyOf(token), inCookie: true }
}

/** An upgrade is a GET, but its connection may change anything. Chromium sends no Sec-Fetch-Site with the upgrade of a WebSocket. */
function mayChange ({ method, headers }: FastifyRequest): boolean {
  return (method !== 'GET' && method !== 'HEAD' && method !== 'OPTIONS') || headers.upgrade !== undefined
}
