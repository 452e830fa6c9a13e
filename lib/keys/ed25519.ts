// The bytes of an Ed25519 public key → whether they are a sound point (RFC 8032 section 5.1.3), which OpenSSL does not check.

const P = 2n ** 255n - 19n
const D = 37095705934669439343138083508754565189542113879843219016388785533085940283555n
const SIGN_BIT = 2n ** 255n

/**
 * Whether the bytes are the canonical encoding of a point on the curve that is not one of the eight of small order: with
 * such a point, some signatures are valid for any message.
 */
export function isSoundPoint (bytes: Uint8Array): boolean {
  return hasSoundOrder(bytes) && isOnCurve(yOf(bytes))
}

/** The part of `isSoundPoint` that takes no time: all but whether the point is on the curve. */
export function hasSoundOrder (bytes: Uint8Array): boolean {
  const y = yOf(bytes)
  if (y >= P) return false
  const { yy, u, v } = squaresOf(y)
  // Orders 1 and 2 are y = ±1, order 4 is y = 0, order 8 doubles to y = 0: x² = -y².
  return u !== 0n && y !== 0n && modulo(u + v * yy) !== 0n
}

function isOnCurve (y: bigint): boolean {
  const { u, v } = squaresOf(y)
  return isSquare(modulo(u * v))
}

function yOf (bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`) % SIGN_BIT
}

/** y², and x² as the fraction u / v. */
function squaresOf (y: bigint): { yy: bigint, u: bigint, v: bigint } {
  const yy = y * y % P
  return { yy, u: modulo(yy - 1n), v: modulo(D * yy + 1n) }
}

function modulo (value: bigint): bigint {
  return (value % P + P) % P
}

/** Euler's criterion. */
function isSquare (base: bigint): boolean {
  let result = 1n
  for (let exponent = (P - 1n) / 2n; exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) result = result * base % P
    base = base * base % P
  }
  return result === 1n
}
