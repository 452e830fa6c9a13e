// A thief of a signing key who has refreshes under way while the key is replaced: they must not end in tokens of the next key.
import Fastify from 'fastify'
import { test } from 'tap'
import { createRefusals } from '../../lib/errors.ts'
import { memoryStore, type DualTokenKey } from '../../lib/index.ts'
import { createNamedKeyRing } from '../../lib/keys/ring.ts'
import { createKeyFactory } from '../../lib/keys/sign.ts'
import { resolveOptions } from '../../lib/options/resolve.ts'
import { createRefresh } from '../../lib/routes/refresh.ts'
import { createValidateClaims } from '../../lib/tokens/claims.ts'
import { createIssue } from '../../lib/tokens/issue.ts'
import type { AcceptedRefresh } from '../../lib/tokens/verdict.ts'
import { createVerify, type Verify } from '../../lib/tokens/verify.ts'
import { bearer, createApp, createClock } from '../support/app.ts'
import { claimsIn, forge, OTHER_SECRET, refreshClaims, SECRET } from '../support/tokens.ts'

const STOLEN: DualTokenKey = { kid: 'stolen', algorithm: 'HS256', secret: SECRET }
const NEXT: DualTokenKey = { kid: 'next', algorithm: 'HS256', secret: OTHER_SECRET }

function forgeRefresh (): string {
  return forge('{"alg":"HS256","typ":"JWT","kid":"stolen"}', JSON.stringify(refreshClaims()))
}

/** A `loadUser` that says when it is asked, and answers when it is told to. */
function createSlowUsers () {
  let answer = (): void => {}
  let say = (): void => {}
  const asked = new Promise<void>(resolve => { say = resolve })
  const answered = new Promise<void>(resolve => { answer = resolve })
  return {
    async loadUser (userId: unknown): Promise<{ user_id: number }> {
      say()
      await answered
      return { user_id: Number(userId) }
    },
    asked,
    answer: () => answer()
  }
}

for (const door of ['PUT', 'token', 'code'] as const) {
  test(`a refresh that is under way when its key is removed is refused: ${door}`, async t => {
    const { loadUser, asked, answer } = createSlowUsers()
    const { app } = await createApp(t, {
      keys: [STOLEN],
      routes: { login: () => null, loadUser },
      oauth: true,
      ...(door === 'code' && { sessions: { store: memoryStore() } })
    })
    const send = {
      PUT: async () => (await app.inject({ method: 'PUT', url: '/authorizations', headers: bearer(forgeRefresh()) })).json().code,
      token: async () => (await app.inject({ method: 'POST', url: '/authorizations/token', payload: { refresh_token: forgeRefresh() } })).json().error,
      // With sessions nobody can forge it, but the owner's own is refused, too.
      code: async () => await app.dualToken.refreshTokens((await app.dualToken.issueTokens({ user_id: 7 })).refresh_token).catch(error => error.code)
    }
    const sent = send[door]()
    await asked
    app.dualToken.setKeys([NEXT])
    answer()
    t.equal(await sent, door === 'token' ? 'invalid_grant' : 'FST_DUAL_TOKEN_REFRESH_INVALID')
  })
}

for (const defended of [true, false]) {
  test(`${defended ? 'the same, step by step' : 'where the token is not verified again, it becomes one of the next key'}`, async t => {
    const { loadUser, asked, answer } = createSlowUsers()
    const settings = resolveOptions({ keys: [STOLEN], now: createClock().now, routes: { login: () => null, loadUser } })
    const fastify = Fastify()
    const createKey = createKeyFactory(fastify)
    const ring = createNamedKeyRing(settings.keys!, createKey)
    const verify: Verify = createVerify({ ...settings, cache: 0 }, ring, createValidateClaims(settings))
    const presented = verify(forgeRefresh()) as AcceptedRefresh
    const refresh = createRefresh({
      settings,
      issue: createIssue(settings, ring),
      verifyToken: defended ? verify : () => presented,
      sessions: null,
      possession: null,
      createRefusal: createRefusals(undefined)
    })
    const refreshed = refresh(presented, { ip: null, userAgent: null }, {}).catch(error => error.code)
    await asked
    ring.replace(resolveOptions({ keys: [NEXT] }).keys!)
    answer()
    const outcome = await refreshed
    if (defended) return t.equal(outcome, 'FST_DUAL_TOKEN_REFRESH_INVALID')
    t.match(verify(outcome.token), { claims: claimsIn(outcome.token), refusal: null })
  })
}
