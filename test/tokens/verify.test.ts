import Fastify from 'fastify'
import { test } from 'tap'
import { createValidateClaims } from '../../lib/tokens/claims.ts'
import { createKeyFactory } from '../../lib/keys/sign.ts'
import { createKeyRing, type KeyRing } from '../../lib/keys/ring.ts'
import { resolveOptions } from '../../lib/options/resolve.ts'
import type { Verdict } from '../../lib/tokens/verdict.ts'
import { createVerify, type Verify } from '../../lib/tokens/verify.ts'
import { createClock, type Clock } from '../support/app.ts'
import { ACCESS_LIFETIME, accessClaims, accessToken, encode, forge, mint, NOW, OTHER_SECRET, refreshClaims, SECRET } from '../support/tokens.ts'

interface Bench {
  readonly verify: Verify
  readonly clock: Clock
  /** How often keys were asked for: how often a token was verified anew. */
  lookUps (): number
}

function createBench (options: Record<string, unknown> = {}): Bench {
  const clock = createClock()
  const settings = resolveOptions({ secret: SECRET, now: clock.now, ...options })
  const ring = createKeyRing(settings.secrets, createKeyFactory(Fastify()))
  let lookUps = 0
  const counted: KeyRing = {
    keys: ring.keys,
    sign: ring.sign,
    keysFor (header) {
      lookUps++
      return ring.keysFor(header)
    }
  }
  return { verify: createVerify(settings, counted, createValidateClaims(settings)), clock, lookUps: () => lookUps }
}

function outcome ({ claims, refusal }: Verdict): string {
  return claims === null ? `${refusal.kind} ${refusal.reason}` : 'good'
}

test('a good token of either kind gives its claims', async t => {
  const { verify } = createBench()
  t.match(verify(mint(accessClaims({ role: 'member' }))), { claims: accessClaims({ role: 'member' }), refusal: null })
  t.match(verify(mint(refreshClaims())), { claims: refreshClaims(), refusal: null })
})

test('a token of PyJWT, without iat and in its own order, is good', async t => {
  const { verify } = createBench()
  const payload = `{"exp": ${NOW + ACCESS_LIFETIME}, "user_id": 7, "refresh": false}`
  t.equal(outcome(verify(forge('{"alg":"HS256","typ":"JWT"}', payload))), 'good')
  t.equal(outcome(verify(forge('{"typ":"JWT","alg":"HS256"}', payload))), 'good')
})

test('an invalid token gives the first reason for its refusal', async t => {
  const header = '{"alg":"HS256","typ":"JWT"}'
  const good = accessToken()
  const [head, payload, signature] = good.split('.') as [string, string, string]
  const flipped = (signature.startsWith('A') ? 'B' : 'A') + signature.slice(1)
  const cases: Array<[string, unknown, string]> = [
    ['no string', undefined, 'INVALID not a compact JWS'],
    ['an object that looks like one', { length: 10, toString: () => good }, 'INVALID not a compact JWS'],
    ['4097 characters', `${good}${'A'.repeat(4097 - good.length)}`, 'INVALID too long'],
    ['4096 characters of garbage', 'A'.repeat(4096), 'INVALID not a compact JWS'],
    ['nothing', '', 'INVALID not a compact JWS'],
    ['padding', `${good}=`, 'INVALID not a compact JWS'],
    ['a fourth segment', `${good}.AAAA`, 'INVALID not a compact JWS'],
    ['another spelling of the signature', `${good.slice(0, -1)}${String.fromCharCode(good.charCodeAt(good.length - 1) + 1)}`, 'INVALID not a compact JWS'],
    ['a header that is no JSON', forge('{', '{}'), 'INVALID not JSON'],
    ['a header that is a list', forge('["HS256"]', '{}'), 'INVALID signature'],
    ['no algorithm', forge('{"alg":"none"}', JSON.stringify(accessClaims())), 'INVALID signature'],
    ['a critical extension', forge('{"alg":"HS256","crit":["exp"]}', JSON.stringify(accessClaims())), 'INVALID signature'],
    ['another secret', mint(accessClaims(), OTHER_SECRET), 'INVALID signature'],
    ['a changed signature', `${head}.${payload}.${flipped}`, 'INVALID signature'],
    ['a changed payload', `${head}.${encode(JSON.stringify(accessClaims({ user_id: 8 })))}.${signature}`, 'INVALID signature'],
    ['a payload that is no JSON', forge(header, 'user_id=7'), 'INVALID not JSON'],
    ['an empty payload', forge(header, ' '), 'INVALID not JSON'],
    ['a payload that is no JSON, of another secret', forge(header, 'user_id=7', OTHER_SECRET), 'INVALID signature'],
    ['a payload that is a list', forge(header, '[]'), 'INVALID payload is not an object in UTF-8'],
    ['a payload that is not UTF-8', forge(header, Buffer.from(`{"exp":${NOW + 60},"user_id":"\xff","refresh":false}`, 'latin1')), 'INVALID payload is not an object in UTF-8'],
    ['an expired token of another secret', accessToken({ exp: NOW - 1 }, OTHER_SECRET), 'INVALID signature'],
    ['an expired token', accessToken({ exp: NOW - 1 }), 'EXPIRED expired'],
    ['a token without exp', accessToken({ exp: undefined }), 'INVALID exp']
  ]
  for (const cache of [0, 10]) {
    const { verify } = createBench({ cache })
    for (const [name, token, expected] of cases) {
      t.equal(outcome(verify(token as string)), expected, name)
      t.equal(outcome(verify(token as string)), expected, `${name}, again`)
    }
  }
})

test('each of several secrets is tried', async t => {
  const { verify } = createBench({ secret: [OTHER_SECRET, SECRET] })
  t.equal(outcome(verify(accessToken({}, SECRET))), 'good')
  t.equal(outcome(verify(accessToken({}, OTHER_SECRET))), 'good')
  t.equal(outcome(verify(accessToken({}, `${SECRET}!`))), 'INVALID signature')
})

test('a valid token is cached, an invalid one is not', async t => {
  const { verify, lookUps } = createBench()
  const verdict = verify(accessToken())
  t.equal(verify(accessToken()), verdict, 'the same claims, not equal ones')
  t.equal(lookUps(), 1)

  verify(accessToken({}, OTHER_SECRET))
  verify(accessToken({}, OTHER_SECRET))
  verify(accessToken({ refresh: undefined }))
  verify(accessToken({ refresh: undefined }))
  t.equal(lookUps(), 5)
})

test('a token is cached by its exact text', async t => {
  const { verify } = createBench()
  const token = accessToken()
  t.equal(outcome(verify(token)), 'good')
  for (const other of [`${token} `, ` ${token}`, `${token}=`, token.toLowerCase(), token.slice(0, -1), `${token}A`]) {
    t.not(outcome(verify(other)), 'good', JSON.stringify(other))
  }
})

test('a cached token is dropped outside of its validity', async t => {
  const { verify, clock } = createBench({ clockTolerance: 10 })
  const token = accessToken({ nbf: NOW })
  t.equal(outcome(verify(token)), 'good')

  for (const [moment, expected] of [
    [NOW - 10, 'good'],
    [NOW - 11, 'INVALID not valid yet, or for too long'],
    [NOW + ACCESS_LIFETIME + 9, 'good'],
    [NOW + ACCESS_LIFETIME + 10, 'EXPIRED expired'],
    [NOW, 'good']
  ] as const) {
    clock.set(moment)
    t.equal(outcome(verify(token)), expected, `at ${moment - NOW} seconds`)
  }
})

test('the cache holds no more tokens than configured, and evicts the least recently used first', async t => {
  const { verify, lookUps } = createBench({ cache: 2 })
  const [a, b, c] = [accessToken({ user_id: 1 }), accessToken({ user_id: 2 }), accessToken({ user_id: 3 })]
  for (const token of [a, b, a, c]) verify(token)
  t.equal(lookUps(), 3)
  for (const token of [a, c]) verify(token)
  t.equal(lookUps(), 3)
  verify(b)
  t.equal(lookUps(), 4)
})

test('with cache 0, no token is cached', async t => {
  const { verify, lookUps } = createBench({ cache: 0 })
  const first = verify(accessToken())
  const second = verify(accessToken())
  t.equal(lookUps(), 2)
  t.not(first, second)
  t.strictSame(first, second)
})
