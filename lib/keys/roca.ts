// The modulus of an RSA key → whether it can be factored because of a flawed chip (ROCA, CVE-2017-15361).

const PRIMES = [
  3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139,
  149, 151, 157, 163, 167
]

/** Such primes, and their product, are powers of 65537 modulo many small primes. Of 200 million sound keys, one looks like this. */
const RESIDUES = PRIMES.map(prime => {
  const powers = new Set<bigint>()
  for (let power = 1; !powers.has(BigInt(power)); power = power * 65_537 % prime) powers.add(BigInt(power))
  return { prime: BigInt(prime), powers }
})

/** @param modulus base64url */
export function isRocaModulus (modulus: string): boolean {
  const n = BigInt(`0x${Buffer.from(modulus, 'base64url').toString('hex')}`)
  return RESIDUES.every(({ prime, powers }) => powers.has(n % prime))
}
