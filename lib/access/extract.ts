// Request → the text of its bearer token, or why there is none (RFC 6750 section 2.1, RFC 9110 section 11).
import { copyOf } from '../tokens/split.ts'
import type { GuardedRequest } from './types.ts'
import { refused, type Refused } from '../tokens/verdict.ts'

const MISSING = refused('MISSING', 'no bearer token')
const SENT_TWICE = refused('INVALID', 'more than one Authorization header')
const NOT_A_SPACE = refused('INVALID', 'no space after the scheme')

const HEADER = 'authorization'
/** Node.js keeps no more header lines than this; a second Authorization line may follow them unseen. */
const MAX_HEADERS = 1000
const SPACE = 0x20
const TAB = 0x09

/** Returns the token as the client sent it, not verified yet, without leading spaces. */
export function extract (request: GuardedRequest): string | Refused {
  const value: unknown = request.headers[HEADER]
  if (value === undefined) return MISSING
  if (typeof value !== 'string' || mayBeSentTwice(request.raw.rawHeaders)) return SENT_TWICE
  if (value.length < 6 || value.slice(0, 6).toLowerCase() !== 'bearer') return MISSING

  let start = 6
  while (value.charCodeAt(start) === SPACE) start++
  if (start === value.length) return MISSING
  if (start === 7) return value.slice(7)
  if (start > 7) return copyOf(value.slice(start))
  return value.charCodeAt(start) === TAB ? NOT_A_SPACE : MISSING
}

/** Node.js keeps only the first of two Authorization lines, and proxies disagree on which one counts. */
function mayBeSentTwice (rawHeaders: readonly string[] | undefined): boolean {
  if (rawHeaders === undefined) return false
  if (rawHeaders.length >= 2 * MAX_HEADERS) return true
  let seen = false
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!
    if (name.length !== HEADER.length || name.toLowerCase() !== HEADER) continue
    if (seen) return true
    seen = true
  }
  return false
}
