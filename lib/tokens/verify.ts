// Token text → a verdict. The order is fixed: length, cache, shape, header, signature, claims.
import { LRUCache } from 'lru-cache'
import type { ClaimsVerdict, ValidateClaims } from './claims.ts'
import type { KeyRing } from '../keys/ring.ts'
import { parseSegment } from '../keys/segment.ts'
import { MAX_TOKEN_LENGTH, split } from './split.ts'
import { refused, type Accepted, type Verdict } from './verdict.ts'

const TOO_LONG = refused('INVALID', 'too long')
const MALFORMED = refused('INVALID', 'not a compact JWS')
const BAD_SIGNATURE = refused('INVALID', 'signature')
const NOT_JSON = refused('INVALID', 'not JSON')

export interface VerifySettings {
  /** How many verified tokens the cache holds; 0 turns it off. */
  readonly cache: number
  /** The clock in milliseconds. */
  readonly now: () => number
}

/** Verifies a token as of now. Never throws. It keeps the string it is given: see `copyOf`. */
export type Verify = (token: string) => Verdict

/** A verifier with a cache of verified tokens, which `forget` empties. */
export type Verifier = Verify & { forget (): void }

/**
 * Makes the verifier of one plugin instance.
 *
 * Hashing the same token for every request would be most of the plugin's cost, so the verifier caches verified tokens by their exact
 * text until they expire. It does not cache refusals, so that nobody can fill the cache with forgeries.
 */
export function createVerify (settings: VerifySettings, ring: KeyRing, validateClaims: ValidateClaims): Verifier {
  const remembered = settings.cache === 0 ? undefined : new LRUCache<string, Accepted>({ max: settings.cache })

  return Object.assign(verify, { forget: () => remembered?.clear() })

  function verify (token: string): Verdict {
    if (typeof token !== 'string') return MALFORMED
    if (token.length > MAX_TOKEN_LENGTH) return TOO_LONG
    const now = settings.now() / 1000

    const known = remembered?.get(token)
    if (known !== undefined) {
      if (now >= known.from && now < known.until) return known
      remembered!.delete(token)
    }

    const verdict = verifyAnew(token, now)
    if (verdict.claims !== null) remembered?.set(token, verdict)
    return verdict
  }

  function verifyAnew (token: string, now: number): Verdict {
    const segments = split(token)
    if (segments === null) return MALFORMED

    const { header, payload, signature, input } = segments
    try {
      for (const key of ring.keysFor(header)) {
        if (key.verifySignature(input, signature)) return verdictOn(token, validateClaims(parseSegment(payload), now))
      }
      return BAD_SIGNATURE
    } catch {
      // Drops the error, because its message quotes the token.
      return NOT_JSON
    }
  }
}

function verdictOn (token: string, verdict: ClaimsVerdict): Verdict {
  if (verdict.claims === null) return verdict
  const { claims, from, until } = verdict
  // Not a spread, which costs a sixth of a verification.
  return { claims, refusal: null, from, until, token }
}
