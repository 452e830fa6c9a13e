// New keys → the key ring of a running server, checked as at boot and then replaced in one step.
import { createFault } from '../errors.ts'
import { canSign, isSymmetric, readKeys } from './check.ts'
import type { NamedKeyRing } from './ring.ts'

/** Throws `FST_DUAL_TOKEN_OPTION_INVALID` and then changes nothing. */
export type SetKeys = (keys: unknown) => void

export interface SetKeysParts {
  /** Null with a `secret`. */
  readonly ring: NamedKeyRing | null
  /** Whether the ring follows a key set. */
  readonly isFollowing: boolean
  /** Whether the first key must be able to sign, because there are ready routes. */
  readonly mustSign: boolean
  /** Empties the cache of verified tokens: some may be signed by a removed key. */
  readonly forget: () => void
}

export function createSetKeys ({ ring, isFollowing, mustSign, forget }: SetKeysParts): SetKeys {
  return function setKeys (list) {
    if (ring === null) throw createFault('OPTION_INVALID', 'Option keys is required for setKeys.')
    if (isFollowing) throw createFault('OPTION_INVALID', 'Option keys must be a list of keys for setKeys: this service follows a key set.')
    const keys = readKeys(list)
    // A change between secrets and key pairs needs a restart: other services hold the public keys of this ring, or share its secret.
    if (isSymmetric(keys[0]) !== ring.keys.some(isSymmetric)) {
      throw createFault('OPTION_INVALID', 'Option keys must stay symmetric or asymmetric, as it was at boot.')
    }
    if (mustSign && !canSign(keys)) throw createFault('OPTION_INVALID', 'Option routes needs keys that begin with a private one: these can only verify.')
    ring.replace(keys)
    forget()
  }
}
