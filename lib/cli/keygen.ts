// The arguments of `fastify-dual-token` → the text to print: a new key, help, or an error.
import { createHash, generateKeyPairSync, randomBytes, type JsonWebKey, type KeyObject } from 'node:crypto'
import { parseArgs } from 'node:util'
import type { AsymmetricAlgorithm } from '../keys/types.ts'

export interface Printed {
  /** Lines for standard output. */
  readonly output: readonly string[]
  /** Lines for standard error. */
  readonly errors: readonly string[]
  readonly exitCode: number
}

const HELP = [
  'Usage: fastify-dual-token keygen [--alg EdDSA|ES256|RS256|PS256|HS256] [--kid <name>]',
  '       fastify-dual-token schema postgres [--table-prefix <prefix>] [--schema <schema>]',
  '       fastify-dual-token schema sqlite [--table-prefix <prefix>]',
  '',
  'keygen prints a new key as a JWK, then the same key as lines for the environment. Keep everything secret except JWT_PUBLIC_KEY.',
  'schema prints the SQL that creates the tables of a session store.',
  '',
  '  --alg   the algorithm; default EdDSA. RSA keys have 2048 bits',
  '  --kid   the name of the key: letters, digits and . _ ~ -; default: its thumbprint (RFC 7638), or a random name for HS256',
  '  --table-prefix, --schema   as in the options of the store',
  '  --help  prints this help'
]

const KID = /^[\w.~-]{1,256}$/

const generators = {
  EdDSA: () => generateKeyPairSync('ed25519'),
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  PS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 })
} satisfies Partial<Record<AsymmetricAlgorithm, () => { privateKey: KeyObject, publicKey: KeyObject }>>

type Generated = 'HS256' | keyof typeof generators

/** Never throws. */
export function runCommand (args: readonly string[]): Printed {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { alg: { type: 'string', default: 'EdDSA' }, kid: { type: 'string' }, help: { type: 'boolean', short: 'h', default: false } }
    })
    if (values.help) return printed(HELP)
    if (positionals.length !== 1 || positionals[0] !== 'keygen') return wrong('The commands are keygen and schema')
    if (!isAlgorithm(values.alg)) return wrong('--alg must be EdDSA, ES256, RS256, PS256 or HS256')
    if (values.kid !== undefined && !KID.test(values.kid)) return wrong('--kid must be 1 to 256 letters, digits and . _ ~ -')
    return printed(generateKey(values.alg, values.kid))
  } catch (error) {
    return wrong((error as Error).message.split(/\.\s/, 1)[0]!)
  }
}

function generateKey (algorithm: Generated, kid: string | undefined): string[] {
  if (algorithm === 'HS256') return generateSecret(kid ?? randomBytes(16).toString('base64url'))
  const { privateKey, publicKey } = generators[algorithm]()
  const publicMembers = publicKey.export({ format: 'jwk' })
  const named = { kid: kid ?? thumbprintOf(publicMembers), alg: algorithm, use: 'sig' }
  const privateJwk = JSON.stringify({ ...named, ...privateKey.export({ format: 'jwk' }) })
  const publicJwk = JSON.stringify({ ...named, ...publicMembers })
  return [privateJwk, `JWT_PRIVATE_KEY='${privateJwk}'`, `JWT_PUBLIC_KEY='${publicJwk}'`]
}

/** Makes the secret from the bytes of a text, because environment variables hold text: so the JWK and the variables mean the same key. */
function generateSecret (kid: string): string[] {
  const secret = randomBytes(32).toString('base64url')
  const jwk = { kid, alg: 'HS256', use: 'sig', kty: 'oct', k: Buffer.from(secret).toString('base64url') }
  return [JSON.stringify(jwk), `JWT_KID='${kid}'`, `JWT_SECRET='${secret}'`]
}

/** RFC 7638, RFC 8037 section 2. */
export function thumbprintOf ({ crv, e, kty, n, x, y }: JsonWebKey): string {
  return createHash('sha256').update(JSON.stringify({ crv, e, kty, n, x, y })).digest('base64url')
}

function isAlgorithm (alg: string): alg is Generated {
  return alg === 'HS256' || Object.hasOwn(generators, alg)
}

function printed (output: readonly string[]): Printed {
  return { output, errors: [], exitCode: 0 }
}

function wrong (sentence: string): Printed {
  return { output: [], errors: [`fastify-dual-token: ${sentence}. See --help.`], exitCode: 1 }
}
