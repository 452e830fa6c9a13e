// docs/migration.md: the server by hand and the one with the plugin, as they stand there, under one and the same test.
import { test } from 'tap'
import { bearer, createApp, createClock } from '../support/app.ts'
import { readPage } from '../support/markdown.ts'
import { blocksOf, follow } from '../support/recipe.ts'
import { mint, NOW } from '../support/tokens.ts'

const PAGE = 'docs/migration.md'
const SERVERS = { 'by hand': blocksOf(PAGE, 'By hand', 'ts')[0]!, 'with fastify-dual-token': blocksOf(PAGE, 'With fastify-dual-token', 'ts')[0]! }

for (const [name, block] of Object.entries(SERVERS)) {
  test(`${name}: a pair, guards, rotation, logout and races`, async t => {
    const clock = createClock(Math.floor(Date.now() / 1000))
    const fastify = await follow(t, block, { now: clock.now })
    const ask = (method: 'GET' | 'POST' | 'PUT' | 'DELETE', token?: string) => fastify.inject({
      method, url: method === 'GET' ? '/me' : '/authorizations', ...(token !== undefined && { headers: bearer(token) })
    })
    const signIn = async (password = 'good') => await fastify.inject({ method: 'POST', url: '/authorizations', payload: { username: 'ann', password } })
    const pairOf = async (): Promise<{ token: string, refresh_token: string }> => (await signIn()).json()

    await t.test('a sign-in gives a pair, wrong credentials give 401', async t => {
      const reply = await signIn()
      t.equal(reply.statusCode, 201)
      t.equal(reply.headers['cache-control'], 'no-store')
      t.strictSame(Object.keys(reply.json()).sort(), ['expires_in', 'refresh_token', 'token', 'token_type'])
      t.equal((await signIn('bad')).statusCode, 401)
    })

    await t.test('the guard lets the access token pass, and no other', async t => {
      const { token, refresh_token: refreshToken } = await pairOf()
      const reply = await ask('GET', token)
      t.strictSame([reply.statusCode, reply.json()], [200, { user_id: 'ann' }])
      t.equal((await ask('GET', refreshToken)).statusCode, 403)
      for (const bad of [undefined, 'not.a.token', `${token}x`, mint({ user_id: 'ann', refresh: false, exp: NOW * 2 }), mint([])]) {
        const refusal = await ask('GET', bad)
        t.equal(refusal.statusCode, 401, bad ?? 'no token')
        t.match(refusal.headers['www-authenticate'], /^Bearer/)
      }
    })

    await t.test('a refresh gives a new pair, and an access token does not refresh', async t => {
      const first = await pairOf()
      const second = (await ask('PUT', first.refresh_token)).json()
      t.not(second.refresh_token, first.refresh_token)
      t.equal((await ask('GET', second.token)).statusCode, 200)
      clock.advance(11)
      t.equal((await ask('PUT', second.refresh_token)).statusCode, 201)
      t.equal((await ask('PUT', first.token)).statusCode, 403)
      t.equal((await ask('PUT')).statusCode, 403)
    })

    await t.test('50 refreshes at once all get the same successor, which refreshes next', async t => {
      const { refresh_token: refreshToken } = await pairOf()
      const replies = await Promise.all(Array.from({ length: 50 }, () => ask('PUT', refreshToken)))
      t.strictSame(new Set(replies.map(reply => reply.statusCode)), new Set([201]))
      const successors = new Set(replies.map(reply => reply.json<{ refresh_token: string }>().refresh_token))
      t.equal(successors.size, 1)
      clock.advance(11)
      t.equal((await ask('PUT', [...successors][0])).statusCode, 201)
    })

    await t.test('a used-up refresh token ends the session, for its thief and its owner', async t => {
      const first = await pairOf()
      const second = (await ask('PUT', first.refresh_token)).json()
      clock.advance(11)
      const third = (await ask('PUT', second.refresh_token)).json()
      t.equal((await ask('PUT', first.refresh_token)).statusCode, 403)
      t.equal((await ask('PUT', third.refresh_token)).statusCode, 403)
      t.equal((await ask('GET', third.token)).statusCode, 401)
    })

    await t.test('a logout counts at once, for both tokens', async t => {
      const { token, refresh_token: refreshToken } = await pairOf()
      t.equal((await ask('DELETE', token)).statusCode, 204)
      t.equal((await ask('GET', token)).statusCode, 401)
      t.equal((await ask('PUT', refreshToken)).statusCode, 403)
      t.equal((await ask('DELETE')).statusCode, 401)
    })

    await t.test('no refresh survives a logout beside it', async t => {
      for (let round = 0; round < 20; round++) {
        const { refresh_token: refreshToken } = await pairOf()
        const replies = await Promise.all([ask('PUT', refreshToken), ask('DELETE', refreshToken), ask('PUT', refreshToken)])
        for (const reply of replies.filter(reply => reply.statusCode === 201)) {
          t.equal((await ask('PUT', reply.json().refresh_token)).statusCode, 403)
        }
      }
    })
  })
}

test('the lines of code are as many as the page says', async t => {
  const counted = Object.values(SERVERS).map(block => String(block.split('\n').filter(line => line.trim() !== '').length))
  const [row] = readPage(PAGE).rows('From @fastify/jwt by hand', 'feature').filter(([name]) => name === 'lines of code')
  t.strictSame(row?.slice(1), counted)
})

test('a client whose reply was lost, and that retries after the grace, is logged out by hand and goes on with the plugin', async t => {
  const statuses: number[] = []
  for (const block of Object.values(SERVERS)) {
    const clock = createClock(Math.floor(Date.now() / 1000))
    const fastify = await follow(t, block, { now: clock.now })
    const pair = (await fastify.inject({ method: 'POST', url: '/authorizations', payload: { username: 'ann', password: 'good' } })).json()
    const renew = () => fastify.inject({ method: 'PUT', url: '/authorizations', headers: bearer(pair.refresh_token) })
    await renew()
    clock.advance(11)
    statuses.push((await renew()).statusCode)
  }
  t.strictSame(statuses, [403, 201])
})

test('flask-jwt-extended: its tokens are accepted when they say their kind by the claim refresh', async t => {
  const { app } = await createApp(t)
  // As version 4.7 makes them, with JWT_IDENTITY_CLAIM = 'user_id'.
  const made = (type: string, lifetime: number) => ({
    fresh: false, iat: NOW, jti: '0b6e1d3a-6d0d-4f0e-8c5b-1f2f3a4b5c6d', type, user_id: 7, nbf: NOW, csrf: 'c5a6', exp: NOW + lifetime
  })
  const statusOf = async (url: string, claims: object) => (await app.inject({ url, headers: bearer(mint(claims)) })).statusCode

  t.equal(await statusOf('/me', { ...made('access', 900), refresh: false }), 200)
  t.equal(await statusOf('/renewal', { ...made('refresh', 86_400), refresh: true }), 200)
  t.equal(await statusOf('/me', { ...made('refresh', 86_400), refresh: true }), 403)
  t.equal(await statusOf('/me', made('access', 900)), 401, 'without the claim it is nobody')
})
