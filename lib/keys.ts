// The key ring: claims → a token under the first key; a token's header → the keys that may have signed it.
import type { CreateKey, Key } from './jwt.ts'
import { parseSegment } from './segments.ts'

export interface KeyRing {
  /** Signs with the first key. */
  sign (claims: object): string
  /**
   * The keys to try, in order; none when the header is not one that any key here writes.
   *
   * @param header the first segment of a token
   * @throws SyntaxError when it is not JSON
   */
  keysFor (header: string): readonly Key[]
}

/** A header that asks for more than a signature is refused, whatever it asks (RFC 7515 section 4.1, RFC 7797). */
const FORBIDDEN = /^(?:crit|b64|jwk|jku|x5.*)$/s
const NONE: readonly Key[] = Object.freeze([])

/** A ring of HS256 secrets: the first signs, all verify, and no `kid` is needed. */
export function createKeyRing (secrets: readonly Buffer[], createKey: CreateKey): KeyRing {
  const keys = Object.freeze(secrets.map(createKey))
  const current = keys[0]!
  const ownHeader = current.sign({}).split('.', 1)[0]

  return {
    sign: claims => current.sign(claims),
    keysFor (segment) {
      if (segment === ownHeader) return keys
      const header = parseSegment(segment)
      if (header === null || header.alg !== current.algorithm) return NONE
      return Object.keys(header).some(name => FORBIDDEN.test(name)) ? NONE : keys
    }
  }
}
