// Token text → its three segments (RFC 7515 sections 2 and 7.1).

/** The plugin neither makes nor accepts longer tokens. */
export const MAX_TOKEN_LENGTH = 4096

/** Copies a token, because in V8 a substring keeps its whole source string in memory. */
export function copyOf (token: string): string {
  return `.${token}`.slice(1)
}

export interface Segments {
  readonly header: string
  readonly payload: string
  readonly signature: string
  /** The signed text: everything before the signature. */
  readonly input: string
}

const COMPACT = /^[\w-]+\.[\w-]+\.[\w-]+$/
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** Splits a compact JWS; null unless it is three non-empty base64url segments with a canonically encoded signature. */
export function split (token: string): Segments | null {
  if (!COMPACT.test(token)) return null
  const first = token.indexOf('.')
  const last = token.lastIndexOf('.')
  const header = token.slice(0, first)
  const payload = token.slice(first + 1, last)
  const signature = token.slice(last + 1)
  if (header.length % 4 === 1 || payload.length % 4 === 1 || !isCanonical(signature)) return null
  return { header, payload, signature, input: token.slice(0, last) }
}

/** The unused bits of the last character must be zero; otherwise one signature would have several encodings. */
function isCanonical (segment: string): boolean {
  const rest = segment.length % 4
  if (rest === 0) return true
  if (rest === 1) return false
  const unused = rest === 2 ? 0b1111 : 0b11
  return (ALPHABET.indexOf(segment.at(-1)!) & unused) === 0
}
