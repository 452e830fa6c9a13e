import Fastify from 'fastify'
import { test } from 'tap'
import { createIssue, type Issue } from '../../lib/tokens/issue.ts'
import { createKeyFactory } from '../../lib/keys/sign.ts'
import { createKeyRing } from '../../lib/keys/ring.ts'
import { resolveOptions } from '../../lib/options/resolve.ts'
import { createClock } from '../support/app.ts'
import { ACCESS_LIFETIME, accessClaims, accessToken, claimsIn, NOW, refreshToken, SECRET } from '../support/tokens.ts'

function issueWith (options: Record<string, unknown> = {}): Issue {
  const settings = resolveOptions({ secret: SECRET, now: createClock().now, ...options })
  return createIssue(settings, createKeyRing(settings.secrets, createKeyFactory(Fastify())))
}

test('a user becomes a pair, or an access token alone', async t => {
  const token = accessToken()
  const reply = { token, token_type: 'Bearer', expires_in: ACCESS_LIFETIME }
  t.strictSame(issueWith()({ user_id: 7 }, true), { ...reply, refresh_token: refreshToken() })
  t.strictSame(issueWith()({ user_id: 7 }, false), reply)
})

test('instants are whole seconds, rounded down, and the clock is read once', async t => {
  const readings = [NOW * 1000 + 999.9, 0]
  const { token, refresh_token: refreshed } = issueWith({ now: () => readings.shift()! })({ user_id: 7 }, true)
  t.equal(token, accessToken())
  t.equal(refreshed, refreshToken())
  t.strictSame(readings, [0])
})

test('tokens have the configured lifetimes', async t => {
  const { token, refresh_token: refreshed, expires_in: expiresIn } =
    issueWith({ accessExpiresIn: 300, refreshExpiresIn: '1h' })({ user_id: 7 }, true)
  t.match(claimsIn(token), { iat: NOW, exp: NOW + 300 })
  t.match(claimsIn(refreshed), { iat: NOW, exp: NOW + 3600 })
  t.equal(expiresIn, 300)
})

test('issuer and audience are set on both tokens when configured', async t => {
  const { token, refresh_token: refreshed } = issueWith({ issuer: 'https://id.example', audience: 'shop' })({ user_id: 7 }, true)
  for (const claims of [claimsIn(token), claimsIn(refreshed)]) {
    t.match(claims, { iss: 'https://id.example', aud: 'shop' })
  }
})

test('of a list of audiences all are set; a list of one is issued as the string', async t => {
  const { token, refresh_token: refreshed } = issueWith({ audience: ['shop', 'orders'] })({ user_id: 7 }, true)
  for (const claims of [claimsIn(token), claimsIn(refreshed)]) t.strictSame(claims.aud, ['shop', 'orders'])
  t.strictSame(issueWith({ audience: ['shop'] })({ user_id: 7 }, true), issueWith({ audience: 'shop' })({ user_id: 7 }, true))
})

test('the claims of the user are carried in both tokens and cannot widen them', async t => {
  const { token } = issueWith()({ user_id: 7, role: 'member', nested: { exp: 0 } }, false)
  t.strictSame(claimsIn(token), accessClaims({ role: 'member', nested: { exp: 0 } }))
  const widened = issueWith()({ user_id: 7, refresh: true, exp: 1e12, iat: 0 }, false)
  t.strictSame(claimsIn(widened.token), accessClaims())
})

test('claims that do not fit a token of 4096 characters are refused', async t => {
  const issue = issueWith()
  const sizeFor = (length: number) => issue({ user_id: 7, text: 'x'.repeat(length) }, false).token.length
  const room = Math.floor((4096 - sizeFor(0)) * 3 / 4)
  t.ok(sizeFor(room - 4) <= 4096)
  for (const length of [room + 4, 100_000]) {
    t.throws(() => sizeFor(length), {
      code: 'FST_DUAL_TOKEN_USER_INVALID', statusCode: 500, message: "A user's claims must fit a token of 4096 characters."
    })
  }
})
