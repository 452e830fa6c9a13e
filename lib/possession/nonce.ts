// The key ring and the time → nonces that every process of the service recognizes and none stores (RFC 9449 section 8).
import { createHmac, createSecretKey, hkdfSync, timingSafeEqual, type KeyObject } from 'node:crypto'
import { isSymmetric, type RingKey, type RingKeys } from '../keys/check.ts'

export interface Nonces {
  make (): string
  /** The time at which the service made it, in epoch seconds; null when the service did not make it. */
  timeOf (nonce: string): number | null
}

const TIME_BYTES = 6
const MAC_BYTES = 16
const NONCE = /^[\w-]{30}$/
/** Separates this use of a signing key from every other. */
const PURPOSE = 'fastify-dual-token: nonces of DPoP proofs'

/** @param now the clock, in milliseconds */
export function createNonces (ring: { readonly keys: RingKeys }, now: () => number): Nonces {
  const derived = new WeakMap<RingKey, KeyObject>()

  /** Public keys are no secrets, so nonces come from the keys that can sign. */
  function keys (): KeyObject[] {
    return ring.keys.flatMap(key => {
      const known = derived.get(key)
      if (known !== undefined) return [known]
      const source = secretOf(key)
      if (source === null) return []
      const fresh = createSecretKey(Buffer.from(hkdfSync('sha256', source, '', PURPOSE, 32)))
      derived.set(key, fresh)
      return [fresh]
    })
  }

  return {
    make () {
      const [key] = keys()
      const time = Buffer.alloc(TIME_BYTES)
      time.writeUIntBE(Math.floor(now() / 1000), 0, TIME_BYTES)
      return Buffer.concat([time, macOf(key!, time)]).toString('base64url')
    },

    timeOf (nonce) {
      if (!NONCE.test(nonce)) return null
      const bytes = Buffer.from(nonce, 'base64url')
      const time = bytes.subarray(0, TIME_BYTES)
      const mac = bytes.subarray(TIME_BYTES)
      return keys().some(key => timingSafeEqual(macOf(key, time), mac)) ? time.readUIntBE(0, TIME_BYTES) : null
    }
  }
}

function macOf (key: KeyObject, time: Uint8Array): Buffer {
  return createHmac('sha256', key).update(time).digest().subarray(0, MAC_BYTES)
}

function secretOf (key: RingKey): Buffer | null {
  if (isSymmetric(key)) return key.secret
  return key.privateKey?.export({ type: 'pkcs8', format: 'der' }) ?? null
}
