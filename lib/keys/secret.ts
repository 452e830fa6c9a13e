// A configured secret → its bytes, or the reason why it is too weak (RFC 7518 section 3.2, RFC 8725 section 3.5).
import { createPrivateKey, createPublicKey } from 'node:crypto'
import { isPlaceholder, repeats, runs } from './guessable.ts'
import { isLeaked } from './leaked.ts'

const MIN_BYTES = 32

/** Random secrets have more different characters than this, in any encoding. */
const MIN_DIFFERENT = 8

/** Copies the bytes of a secret; a string is UTF-8. */
export function readSecret (secret: string | Uint8Array): Buffer {
  return Buffer.from(secret)
}

/** Returns what is wrong with a secret, as the end of a sentence that begins with its name; null when it is strong enough. */
export function secretFlaw (secret: string | Uint8Array): string | null {
  const bytes = readSecret(secret)
  const text = typeof secret === 'string' ? secret : bytes.toString('latin1')
  if (text.trim() === '') return 'must not be blank'
  if (bytes.length < MIN_BYTES) return `must be at least ${MIN_BYTES} bytes long`
  if (new Set(text).size === 1) return 'must not be one character repeated'
  const decoded = Buffer.from(text, 'base64')
  if (looksLikeKey(text) || looksLikeKey(decoded.toString('latin1')) || isDer(bytes) || isDer(decoded)) {
    return 'must be a secret, not a PEM or a JWK'
  }
  if (new Set(text).size < MIN_DIFFERENT) return `must have at least ${MIN_DIFFERENT} different characters`
  if (repeats(text)) return 'must not repeat a shorter text'
  if (runs(text)) return 'must not run along the alphabet, the digits or the keyboard'
  if (isPlaceholder(text)) return 'must not be a well-known placeholder'
  if (isLeaked(bytes.toString())) return 'must not be one that was published'
  return null
}

const DER_TYPES = ['spki', 'pkcs1', 'pkcs8', 'sec1'] as const

/** Whether the bytes are a key in DER, the content of a PEM. */
function isDer (bytes: Buffer): boolean {
  return bytes[0] === 0x30 && DER_TYPES.some(type => {
    const key = { key: bytes, format: 'der' as const }
    try {
      if (type === 'spki' || type === 'pkcs1') return createPublicKey({ ...key, type })
      return createPrivateKey({ ...key, type })
    } catch {
      return false
    }
  })
}

/** Everybody knows a public key: used as an HMAC secret, it would let anybody sign. */
function looksLikeKey (text: string): boolean {
  return text.includes('-----BEGIN ') || /^\s*\{[^]*"(?:kty|keys)"\s*:/.test(text)
}
