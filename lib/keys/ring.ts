// The key ring: claims → a token under the first key; a token's header → the keys that may have signed it.
import { createFault } from '../errors.ts'
import type { CreateKey, Key } from './sign.ts'
import { canSign, type RingKeys } from './check.ts'
import { parseSegment } from './segment.ts'

export interface KeyRing {
  readonly keys: RingKeys
  /** Signs with the first key. */
  sign (claims: object): string
  /**
   * Returns the keys to try, in order; none if no key of the ring produces such a header.
   *
   * @param header the first segment of a token
   * @throws SyntaxError when it is not JSON
   */
  keysFor (header: string): readonly Key[]
}

/** A ring of keys with a `kid`, which can be replaced. */
export interface NamedKeyRing extends KeyRing {
  readonly canSign: boolean
  /** Replaces all keys in one step; when one of the new keys is unusable, nothing changes. */
  replace (keys: RingKeys): void
}

/** Header members that change how a token is verified; the plugin refuses them all (RFC 7515 section 4.1, RFC 7797). */
const FORBIDDEN = /^(?:crit|b64|jwk|jku|x5.*)$/s
const NONE: readonly Key[] = Object.freeze([])

/** A ring of HS256 secrets: the first signs, all verify, and no `kid` is needed. */
export function createKeyRing (secrets: readonly Buffer[], createKey: CreateKey): KeyRing {
  const ringKeys: RingKeys = Object.freeze(secrets.map(secret => ({ algorithm: 'HS256' as const, kid: undefined, secret })))
  const keys = Object.freeze(ringKeys.map(createKey))
  const current = keys[0]!
  const ownHeader = headerOf(current)

  return {
    keys: ringKeys,
    sign: claims => current.sign(claims),
    keysFor (segment) {
      if (segment === ownHeader) return keys
      const header = parseSegment(segment)
      if (header === null || header.alg !== current.algorithm) return NONE
      return asksForMore(header) ? NONE : keys
    }
  }
}

/**
 * A ring of named keys: the first signs, and a token is verified by the one key that its `kid` names.
 *
 * @param noticeUnknown called for each token that names a key which is not in the ring; anybody can write such tokens
 */
export function createNamedKeyRing (keys: RingKeys, createKey: CreateKey, noticeUnknown?: () => void): NamedKeyRing {
  let current = putToWork(keys, createKey)

  return {
    get keys () { return current.keys },
    get canSign () { return canSign(current.keys) },
    sign (claims) {
      if (!canSign(current.keys)) throw createFault('OPTION_INVALID', 'Option keys must begin with a private key for tokens to be issued.')
      return current.first!.sign(claims)
    },
    keysFor (segment) {
      const own = current.byOwnHeader.get(segment)
      if (own !== undefined) return own
      const header = parseSegment(segment)
      if (header === null || typeof header.kid !== 'string') return NONE
      const named = current.byKid.get(header.kid)
      if (named === undefined) noticeUnknown?.()
      // The key determines the algorithm; the header must agree.
      if (named === undefined || header.alg !== named[0].algorithm) return NONE
      return asksForMore(header) ? NONE : named
    },
    replace (keys) {
      current = putToWork(keys, createKey)
    }
  }
}

function putToWork (keys: RingKeys, createKey: CreateKey) {
  const alone = keys.map(key => Object.freeze([createKey(key)] as const))
  return {
    keys,
    first: alone[0]?.[0],
    byKid: new Map(alone.map(named => [named[0].kid!, named])),
    byOwnHeader: new Map(alone.map(named => [headerOf(named[0]), named]))
  }
}

/** The header that a key writes, as the engine spells it. */
function headerOf ({ algorithm, kid }: Key): string {
  return Buffer.from(JSON.stringify({ alg: algorithm, typ: 'JWT', kid })).toString('base64url')
}

function asksForMore (header: Readonly<Record<string, unknown>>): boolean {
  return Object.keys(header).some(name => FORBIDDEN.test(name))
}
