// Without the option nothing of sessions is there: the same claims and replies as ever.
import type { InjectOptions } from 'fastify'
import { test } from 'tap'
import { bearer, createApp } from '../support/app.ts'
import { createToldStore, outcomeOf, PATH } from '../support/session-app.ts'
import { ACCESS_LIFETIME, accessClaims, accessToken, claimsIn, NOW, REFRESH_LIFETIME, refreshToken } from '../support/tokens.ts'

test('the routes of sessions do not exist', async t => {
  const { app } = await createApp(t)
  const targets: InjectOptions[] = [
    { method: 'DELETE', url: PATH }, { url: `${PATH}/sessions` }, { method: 'HEAD', url: `${PATH}/sessions` },
    { method: 'DELETE', url: `${PATH}/sessions` }, { method: 'DELETE', url: `${PATH}/sessions/${'A'.repeat(22)}` }
  ]
  for (const target of targets) {
    for (const headers of [{}, bearer(accessToken()), bearer(refreshToken())]) {
      t.equal((await app.inject({ ...target, headers })).statusCode, 404, `${target.method} ${target.url}`)
    }
  }
})

test('tokens have the claims of the default profile, and PUT answers an access token alone', async t => {
  const { app } = await createApp(t)
  const pair = (await app.inject({ method: 'POST', url: PATH, payload: { password: 'good' } })).json()
  const claims = { user_id: 7, role: 'member', iat: NOW }
  t.strictSame(claimsIn(pair.token), { ...claims, refresh: false, exp: NOW + ACCESS_LIFETIME })
  t.strictSame(claimsIn(pair.refresh_token), { ...claims, refresh: true, exp: NOW + REFRESH_LIFETIME })

  for (let i = 0; i < 3; i++) {
    const reply = await app.inject({ method: 'PUT', url: PATH, headers: bearer(pair.refresh_token) })
    t.strictSame(reply.json(), { token: accessToken(), token_type: 'Bearer', expires_in: ACCESS_LIFETIME })
  }
})

test('session claims are ignored', async t => {
  const { app } = await createApp(t)
  const claims = accessClaims({ sid: 7, gen: 'x', n: null })
  const reply = await app.inject({ url: '/me', headers: bearer(accessToken(claims)) })
  t.strictSame(reply.json(), { user: claims })
})

test('methods that need sessions reject with OPTION_INVALID', async t => {
  const { app } = await createApp(t)
  const { refreshTokens, listSessions, revokeSession, revokeUser } = app.dualToken
  const calls: Record<string, () => Promise<unknown>> = {
    refreshTokens: () => refreshTokens(refreshToken()),
    listSessions: () => listSessions(7),
    revokeSession: () => revokeSession('A'.repeat(22)),
    revokeUser: () => revokeUser(7)
  }
  for (const [name, call] of Object.entries(calls)) {
    await t.rejects(call(), { code: 'FST_DUAL_TOKEN_OPTION_INVALID', message: `Option sessions is required for ${name}.` })
  }
})

test('turning sessions on refuses earlier tokens, and without the option no store is called', async t => {
  const { store, calls } = createToldStore()
  const { app: without } = await createApp(t)
  await without.inject({ method: 'POST', url: PATH, payload: { password: 'good' } })
  t.strictSame(calls, [])

  const { app } = await createApp(t, { sessions: { store } })
  t.equal(outcomeOf(await app.inject({ url: '/me', headers: bearer(accessToken()) })), 'ACCESS_INVALID')
  t.equal(outcomeOf(await app.inject({ method: 'PUT', url: PATH, headers: bearer(refreshToken()) })), 'REFRESH_INVALID')
})
