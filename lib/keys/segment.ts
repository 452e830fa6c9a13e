// A segment of a token → the JSON object in it (RFC 7515 section 3.1).
import { isUtf8 } from 'node:buffer'

/**
 * Parses the JSON object in a segment; null when it is not an object or not UTF-8, because decoding alone would replace bad bytes silently.
 *
 * @throws SyntaxError when it is not JSON
 */
export function parseSegment (segment: string): Record<string, unknown> | null {
  const bytes = Buffer.from(segment, 'base64url')
  if (!isUtf8(bytes)) return null
  const value: unknown = JSON.parse(bytes.toString())
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value as Record<string, unknown> : null
}
