// What does each algorithm cost: to sign, to verify a token never seen before, and to verify one that is remembered?
import { strictEqual } from 'node:assert'
import Fastify from 'fastify'
import dualToken, { type DualTokenKey } from '../lib/index.ts'
import { runCommand } from '../lib/cli/keygen.ts'
import { type Case, compare, inProcess, report, type Size } from './measure.ts'

const ALGORITHMS = ['HS256', 'EdDSA', 'ES256', 'RS256', 'PS256'] as const
const USER = { user_id: 42, name: 'Ada Lovelace', role: 'member' }

/** Three times as many as are remembered: when its turn comes again, a token is long forgotten. */
const REMEMBERED = 100
const TOKENS = 3 * REMEMBERED

export async function benchKeys (size: Size): Promise<string> {
  const rows = await Promise.all(ALGORITHMS.map(casesOf))
  const samples = await compare(Object.fromEntries(rows.flat()), size)
  return report('Sign and verify by algorithm (RSA of 2048 bits)', samples, Object.fromEntries(['sign', 'first seen', 'hot'].flatMap(step =>
    ALGORITHMS.slice(1).map(algorithm => [`${step}: ${algorithm} ÷ HS256`, [`${algorithm}, ${step}`, `HS256, ${step}`]]))))
}

async function casesOf (algorithm: typeof ALGORITHMS[number]): Promise<Array<[string, Case]>> {
  const fastify = Fastify()
  await fastify.register(dualToken, { keys: [createKey(algorithm)], cache: REMEMBERED })
  const { issueTokens, verifyToken } = fastify.dualToken
  const tokens: string[] = []
  for (let id = 1; id <= TOKENS; id++) tokens.push((await issueTokens({ ...USER, user_id: id }, { needRefreshToken: false })).token)
  // As on the wire: a new string each time, whose hash is not known yet.
  const header = `Bearer ${tokens[0]}`

  return [
    [`${algorithm}, sign`, inProcess(() => issueTokens(USER, { needRefreshToken: false }))],
    [`${algorithm}, first seen`, inProcess(index => {
      strictEqual(verifyToken(tokens[index % TOKENS]!).user_id, index % TOKENS + 1)
    })],
    [`${algorithm}, hot`, inProcess(() => {
      strictEqual(verifyToken(header.slice('Bearer '.length)).user_id, 1)
    })]
  ]
}

function createKey (algorithm: typeof ALGORITHMS[number]): DualTokenKey {
  const jwk = JSON.parse(runCommand(['keygen', '--alg', algorithm]).output[0]!)
  return algorithm === 'HS256' ? { algorithm, secret: jwk } : { algorithm, privateKey: jwk }
}
