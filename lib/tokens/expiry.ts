// A token that was made here → when it expires. Its signature is not looked at.
import { parseSegment } from '../keys/segment.ts'
import { split } from './split.ts'

/** Epoch seconds; null when it is no token. */
export function expiryOf (token: unknown): number | null {
  const segments = typeof token === 'string' ? split(token) : null
  if (segments === null) return null
  try {
    const exp = parseSegment(segments.payload)?.exp
    return typeof exp === 'number' ? exp : null
  } catch {
    // No JSON, so no token. The error quotes the text.
    return null
  }
}
