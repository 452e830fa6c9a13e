// What does it cost to verify a token: one never seen before, and the same one again?
import { strictEqual } from 'node:assert'
import Fastify from 'fastify'
// The engine of @fastify/jwt itself, at the same version: the least that a library of its kind has to do.
import { createVerifier } from 'fast-jwt'
import dualToken from '../lib/index.ts'
import { compare, inProcess, report, type Size } from './measure.ts'

const SECRET = 'bench-only-secret-f3b1c9d27e5a4860'
const USER = { user_id: 42, name: 'Ada Lovelace', role: 'member' }

/** Three times as many as are remembered: when its turn comes again, a token is long forgotten. */
const REMEMBERED = 1_000
const TOKENS = 3 * REMEMBERED

export async function benchVerify (size: Size): Promise<string> {
  const fastify = Fastify()
  await fastify.register(dualToken, { secret: SECRET, cache: REMEMBERED })
  const { issueTokens, verifyToken } = fastify.dualToken
  const tokens: string[] = []
  for (let id = 1; id <= TOKENS; id++) tokens.push((await issueTokens({ ...USER, user_id: id }, { needRefreshToken: false })).token)
  // As on the wire: a new string each time, whose hash is not known yet.
  const header = `Bearer ${tokens[0]}`
  const hot = () => header.slice('Bearer '.length)

  const engine = createVerifier({ key: SECRET, algorithms: ['HS256'], cache: false })
  const engineWithCache = createVerifier({ key: SECRET, algorithms: ['HS256'], cache: true })

  const samples = await compare({
    'first seen': inProcess(index => {
      strictEqual(verifyToken(tokens[index % TOKENS]!).user_id, index % TOKENS + 1)
    }),
    'first seen, fast-jwt': inProcess(index => {
      strictEqual(engine(tokens[index % TOKENS]!).user_id, index % TOKENS + 1)
    }),
    hot: inProcess(() => {
      strictEqual(verifyToken(hot()).user_id, 1)
    }),
    'hot, fast-jwt with its cache': inProcess(() => {
      strictEqual(engineWithCache(hot()).user_id, 1)
    })
  }, size)
  await fastify.close()

  return report('Verify one token', samples, {
    'first seen: ours ÷ fast-jwt': ['first seen', 'first seen, fast-jwt'],
    'hot: fast-jwt ÷ ours': ['hot, fast-jwt with its cache', 'hot']
  })
}
