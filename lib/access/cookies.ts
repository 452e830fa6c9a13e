// A Cookie header → the value of one cookie; a token → a Set-Cookie line (RFC 6265bis sections 4.1 and 4.2).

/** Two cookies of one name: nothing tells which of them is ours. */
export const TWICE = Symbol('two cookies of one name')

/**
 * Reads a cookie of exactly this name; null when there is none. It strips only spaces and tabs: `trim` would also strip U+00A0, and so mistake a
 * cookie of another name, which a sibling host may set, for ours.
 */
export function readCookie (header: string, name: string): string | null | typeof TWICE {
  if (!header.includes(name)) return null
  let found: string | null = null
  for (const pair of header.split(';')) {
    const equals = pair.indexOf('=')
    if (equals === -1 || strip(pair.slice(0, equals)) !== name) continue
    if (found !== null) return TWICE
    found = strip(pair.slice(equals + 1))
  }
  return found
}

/** By character, because a regular expression for the end of a text takes quadratic time. */
function strip (text: string): string {
  let start = 0
  let end = text.length
  while (start < end && isBlank(text.charCodeAt(start))) start++
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

function isBlank (code: number): boolean {
  return code === 0x20 || code === 0x09
}

export interface CookieLine {
  readonly name: string
  /** A JWT is made of cookie octets: it needs no encoding. */
  readonly value: string
  /** Seconds; 0 deletes the cookie. */
  readonly maxAge: number
  readonly secure: boolean
  readonly sameSite: 'Strict' | 'Lax'
}

/** Writes the line; without Domain, so that the cookie is this host's alone. */
export function writeCookie ({ name, value, maxAge, secure, sameSite }: CookieLine): string {
  return `${name}=${value}; Max-Age=${maxAge}; Path=/; ${secure ? 'Secure; ' : ''}HttpOnly; SameSite=${sameSite}`
}
