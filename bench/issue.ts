// What does it cost to issue a pair, and an access token alone?
import { strictEqual } from 'node:assert'
import fastifyJwt from '@fastify/jwt'
import Fastify from 'fastify'
import dualToken from '../lib/index.ts'
import { compare, inProcess, report, type Size } from './measure.ts'

const SECRET = 'bench-only-secret-f3b1c9d27e5a4860'
const USER = { user_id: 42, name: 'Ada Lovelace', role: 'member' }

export async function benchIssue (size: Size): Promise<string> {
  const ours = Fastify()
  await ours.register(dualToken, { secret: SECRET })
  const { issueTokens, verifyToken } = ours.dualToken

  const theirs = Fastify()
  await theirs.register(fastifyJwt, { secret: SECRET })
  const { sign } = theirs.jwt
  const signAccess = () => sign({ ...USER, refresh: false }, { expiresIn: '2h' })
  const signRefresh = () => sign({ ...USER, refresh: true }, { expiresIn: '14d' })

  // What theirs signs is a token of ours: the two do the same work.
  for (const { token, refresh_token: refreshToken } of [
    await issueTokens(USER),
    { token: signAccess(), refresh_token: signRefresh() }
  ]) {
    strictEqual(verifyToken(token).refresh, false)
    strictEqual(verifyToken(refreshToken).refresh, true)
  }

  const samples = await compare({
    pair: inProcess(() => issueTokens(USER)),
    'pair, @fastify/jwt': inProcess(() => [signAccess(), signRefresh()]),
    'access token': inProcess(() => issueTokens(USER, { needRefreshToken: false })),
    'access token, @fastify/jwt': inProcess(() => signAccess())
  }, size)
  await Promise.all([ours.close(), theirs.close()])

  return report('Issue tokens', samples, {
    'pair: @fastify/jwt ÷ ours': ['pair, @fastify/jwt', 'pair'],
    'access token: @fastify/jwt ÷ ours': ['access token, @fastify/jwt', 'access token']
  })
}
