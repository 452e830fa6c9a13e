// Sessions that are bound to a key, as clients and applications see them.
import Fastify from 'fastify'
import { test } from 'tap'
import { dualToken, memoryStore, type DualTokenUser, type SessionRecord } from '../../lib/index.ts'
import { bearer } from '../support/app.ts'
import { createBoundApp } from '../support/bound.ts'
import { carry, cookiesOf, OWN_PAGE, REFRESH } from '../support/cookies.ts'
import { ringKey } from '../support/key-pairs.ts'
import { createClientKey, proofBy, requestWith, TARGET } from '../support/proofs.ts'
import { createToldStore, lacking, outcomeOf, PATH } from '../support/session-app.ts'
import { claimsIn, NOW, SECRET } from '../support/tokens.ts'

const key = createClientKey('ES256')
const other = createClientKey('EdDSA')
const CHALLENGE = 'DPoP error="invalid_dpop_proof", algs="ES256 EdDSA"'
const NONCE_CHALLENGE = 'DPoP error="use_dpop_nonce", algs="ES256 EdDSA"'

test('a sign-in with a proof is bound: the record and the refresh token carry the thumbprint, the access token does not', async t => {
  for (const one of [key, other]) {
    const { bind, calls } = await createBoundApp(t)
    const { token, refresh_token: refreshed } = await bind(one)
    t.strictSame(claimsIn(refreshed).cnf, { jkt: one.thumbprint })
    t.equal(claimsIn(token).cnf, undefined)
    t.equal((calls[0]![1] as unknown as SessionRecord).jkt, one.thumbprint)
  }
})

test('a sign-in without a proof is as it was before', async t => {
  const { post, renew, calls } = await createBoundApp(t)
  const reply = await post(undefined)
  const { refresh_token: refreshed } = reply.json()
  t.equal(claimsIn(refreshed).cnf, undefined)
  t.equal((calls[0]![1] as unknown as SessionRecord).jkt, null)
  t.equal((await renew(refreshed)).statusCode, 201)
})

test('a sign-in with a bad proof is refused before the credentials are checked, and nothing is issued', async t => {
  let logins = 0
  const { post, prove, asked, events } = await createBoundApp(t, { routes: { login: () => ({ user_id: ++logins }) } })
  asked()
  const reply = await post(prove(key, 'PUT'))
  t.strictSame([reply.statusCode, outcomeOf(reply), reply.headers['www-authenticate']], [400, 'PROOF_INVALID', CHALLENGE])
  t.equal(reply.headers['cache-control'], 'no-store')
  t.strictSame([logins, asked(), events], [0, [], []])
})

test('a refresh of a bound session needs a proof of the same key; without one the session lives on', async t => {
  let loads = 0
  const loadUser = (userId: unknown) => ({ user_id: userId, loads: ++loads }) as unknown as DualTokenUser
  const { bind, put, prove, asked, events, me } = await createBoundApp(t, { routes: { login: () => ({ user_id: 7 }), loadUser } })
  const { token, refresh_token: refreshed } = await bind(key)
  asked()
  events.length = 0
  for (const proof of [undefined, '', 'x', prove(other, 'PUT'), prove(key, 'POST')]) {
    const reply = await put(refreshed, proof)
    t.strictSame([reply.statusCode, outcomeOf(reply), reply.headers['www-authenticate']], [401, 'PROOF_INVALID', CHALLENGE])
    t.notMatch(reply.body, /token"/)
    t.strictSame(events.splice(0), [{ type: 'refused', sid: claimsIn(refreshed).sid, userId: 7, ip: '127.0.0.1', reason: 'proof', sinceRotation: null }])
  }
  t.strictSame([asked(), loads], [[], 0], 'neither the store nor the application was asked')
  t.equal(await me(token), '200')
  const reply = await put(refreshed, prove(key, 'PUT'))
  t.equal(reply.statusCode, 201)
  t.match(claimsIn(reply.json().refresh_token), { gen: 1, cnf: { jkt: key.thumbprint } })
})

test('the store has the last word: a key that its record does not name is refused, and the session lives on', async t => {
  const { bind, put, prove, instead, inner, events } = await createBoundApp(t)
  const { refresh_token: refreshed } = await bind(key)
  instead.set('rotate', async attempt => await inner.rotate({ ...attempt, jkt: null }))
  events.length = 0
  const reply = await put(refreshed, prove(key, 'PUT'))
  t.strictSame([reply.statusCode, outcomeOf(reply)], [401, 'PROOF_INVALID'])
  t.match(events, [{ type: 'refused', reason: 'proof' }])
  instead.clear()
  t.equal((await put(refreshed, prove(key, 'PUT'))).statusCode, 201)
})

test('with its key the owner is served however far out of step, and the session is never ended by reuse', async t => {
  const { bind, put, prove, clock, events } = await createBoundApp(t)
  const first = (await bind(key)).refresh_token
  const held = [first]
  for (let step = 0; step < 5; step++) {
    clock.advance(3600)
    held.push((await put(held.at(-1)!, prove(key, 'PUT'))).json().refresh_token)
  }
  events.length = 0
  for (const old of held) {
    clock.advance(3600)
    t.equal((await put(old, prove(key, 'PUT'))).statusCode, 201)
    t.equal((await put(first, prove(key, 'PUT'))).statusCode, 201, 'another copy, within grace')
    t.equal((await put(old, undefined)).statusCode, 401)
  }
  t.notOk(events.some(({ type }) => type === 'reused' || type === 'revoked'))
  t.ok(events.some(({ type }) => type === 'recovered') && events.some(({ type }) => type === 'repeated'))
})

test('a bound session ends by sign-out, revocation, expiry and loadUser', async t => {
  let gone = false
  const { app, bind, put, prove, clock } = await createBoundApp(t, {
    routes: { login: () => ({ user_id: 7 }), loadUser: userId => gone ? null : { user_id: userId } }
  })
  const outcome = async (token: string) => outcomeOf(await put(token, prove(key, 'PUT')))
  const [signedOut, revoked, without, expired] = [await bind(key), await bind(key), await bind(key), await bind(key)]
  await app.inject({ method: 'DELETE', url: PATH, headers: bearer(signedOut.refresh_token) })
  await app.dualToken.revokeSession(String(claimsIn(revoked.token).sid))
  t.equal(await outcome(signedOut.refresh_token), 'REFRESH_REVOKED')
  t.equal(await outcome(revoked.refresh_token), 'REFRESH_REVOKED')
  gone = true
  t.equal(await outcome(without.refresh_token), 'REFRESH_USER_GONE')
  gone = false
  clock.advance(14 * 86_400)
  t.equal(await outcome(expired.refresh_token), 'REFRESH_EXPIRED')
})

test('sign-out needs no proof, and takes one', async t => {
  const { app, bind, prove } = await createBoundApp(t)
  for (const dpop of [undefined, 'x', prove(other, 'PUT')]) {
    const { refresh_token: refreshed } = await bind(key)
    const reply = await app.inject({ method: 'DELETE', url: PATH, headers: { ...bearer(refreshed), ...(dpop && { dpop }) } })
    t.equal(reply.statusCode, 204)
  }
})

test('a proof at the refresh of an unbound session is ignored', async t => {
  const { signIn, put, prove } = await createBoundApp(t)
  for (const proof of ['x', prove(key, 'PUT'), prove(key, 'POST')]) {
    const { refresh_token: refreshed } = await signIn()
    t.equal((await put(refreshed, proof)).statusCode, 201)
  }
})

test('guarded requests ignore a proof', async t => {
  const { app, bind, asked } = await createBoundApp(t)
  const { token } = await bind(key)
  await app.inject({ url: '/me', headers: bearer(token) })
  asked()
  t.equal((await app.inject({ url: '/me', headers: { ...bearer(token), dpop: 'x' } })).statusCode, 200)
  t.strictSame(asked(), [])
})

test('a client with a wrong clock gets a nonce, and is served with it, at a sign-in and at a refresh', async t => {
  const { post, put, prove, events } = await createBoundApp(t)
  const wrong = { iat: NOW - 86_400 }
  const refused = await post(prove(key, 'POST', { claims: wrong }))
  t.strictSame([refused.statusCode, outcomeOf(refused), refused.headers['www-authenticate']], [400, 'PROOF_NONCE', NONCE_CHALLENGE])
  t.equal(refused.headers['cache-control'], 'no-store')
  const signedIn = await post(prove(key, 'POST', { claims: { ...wrong, nonce: refused.headers['dpop-nonce'] } }))
  t.equal(signedIn.statusCode, 201)
  events.length = 0

  const { refresh_token: refreshed } = signedIn.json()
  const again = await put(refreshed, prove(key, 'PUT', { claims: wrong }))
  t.strictSame([again.statusCode, outcomeOf(again), again.headers['www-authenticate']], [401, 'PROOF_NONCE', NONCE_CHALLENGE])
  t.strictSame(events, [], 'a step of the protocol is no event')
  t.equal((await put(refreshed, prove(key, 'PUT', { claims: { ...wrong, nonce: again.headers['dpop-nonce'] } }))).statusCode, 201)
})

test('only the reply that asks for a nonce carries one', async t => {
  const { post, put, prove } = await createBoundApp(t)
  const reply = await post(prove(key, 'POST'))
  t.equal(reply.headers['dpop-nonce'], undefined)
  t.equal((await put(reply.json().refresh_token, 'x')).headers['dpop-nonce'], undefined)
})

test('with required, a sign-in without a proof is refused, by the route and from code', async t => {
  let logins = 0
  const { app, post, prove, put } = await createBoundApp(t, { sessions: { dpop: 'required' }, routes: { login: () => ({ user_id: ++logins }) } })
  const reply = await post(undefined)
  t.strictSame([reply.statusCode, outcomeOf(reply), reply.headers['www-authenticate'], logins], [400, 'PROOF_REQUIRED', undefined, 0])
  await t.rejects(app.dualToken.issueTokens({ user_id: 7 }), { code: 'FST_DUAL_TOKEN_PROOF_REQUIRED', statusCode: 400 })
  await t.rejects(app.dualToken.issueTokens({ user_id: 7 }, { proof: requestWith(undefined) }), { code: 'FST_DUAL_TOKEN_PROOF_REQUIRED' })
  await t.resolves(app.dualToken.issueTokens({ user_id: 7 }, { needRefreshToken: false }), 'there is no refresh token to bind')
  const signedIn = await post(prove(key, 'POST'))
  t.equal(signedIn.statusCode, 201)
  t.equal((await put(signedIn.json().refresh_token, undefined)).statusCode, 401)
})

test('with required, sessions from before go on unbound', async t => {
  const told = createToldStore()
  const before = await createBoundApp(t, { told, sessions: { dpop: false } })
  const { refresh_token: refreshed } = await before.signIn()
  const after = await createBoundApp(t, { told, sessions: { dpop: 'required' } })
  t.equal((await after.renew(refreshed)).statusCode, 201)
})

test('with false, no sign-in is bound, whatever it brings; a bound session stays so', async t => {
  const told = createToldStore()
  const before = await createBoundApp(t, { told })
  const { refresh_token: refreshed } = await before.bind(key)
  const { post, put, prove } = await createBoundApp(t, { told, sessions: { dpop: false } })
  for (const proof of ['x', prove(key, 'POST')]) t.equal(claimsIn((await post(proof)).json().refresh_token).cnf, undefined)
  t.equal(outcomeOf(await put(refreshed, undefined)), 'PROOF_INVALID')
  t.equal((await put(refreshed, prove(key, 'PUT'))).statusCode, 201)
})

test('a store without the duty binds nothing by default, and cannot be asked to', async t => {
  const store = lacking('possession')
  const { post } = await createBoundApp(t, { sessions: { store } })
  t.equal(claimsIn((await post('x')).json().refresh_token).cnf, undefined)
  for (const dpop of ['optional', 'required', {}] as const) {
    await t.rejects(async () => await Fastify().register(dualToken, { secret: SECRET, sessions: { store, dpop } }), { message: /sessions\.dpop.*'possession'/ })
  }
})

test('the proof is for the URL that clients see: behind a proxy with trustProxy, or with the option', async t => {
  const behind = async (server: object, dpop?: { origin: string }): Promise<number> => {
    const app = Fastify(server)
    t.teardown(() => app.close())
    await app.register(dualToken, {
      secret: SECRET, now: () => NOW * 1000, sessions: { store: memoryStore(), ...(dpop && { dpop }) }, routes: { login: () => ({ user_id: 7 }) }
    })
    const proof = proofBy(key, { claims: { htm: 'POST', htu: 'https://app.example/authorizations' } })
    const forwarded = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'app.example' }
    return (await app.inject({ method: 'POST', url: `${PATH}?from=1`, payload: {}, headers: { dpop: proof, host: 'inside:3000', ...forwarded } })).statusCode
  }
  t.equal(await behind({ trustProxy: true }), 201)
  t.equal(await behind({}), 400)
  t.equal(await behind({}, { origin: 'https://app.example' }), 201)
  t.equal(await behind({ trustProxy: true }, { origin: 'https://other.example' }), 400)
  t.equal(await behind({ trustProxy: true, rewriteUrl: ({ url }: { url: string }) => url }), 201)
})

test('where Fastify rewrites a URL, the proof is for the one that the client has asked for', async t => {
  const app = Fastify({ rewriteUrl: ({ url }) => url!.replace('/api', '') })
  t.teardown(() => app.close())
  await app.register(dualToken, { secret: SECRET, now: () => NOW * 1000, sessions: { store: memoryStore() }, routes: { login: () => ({ user_id: 7 }) } })
  const dpop = proofBy(key, { claims: { htm: 'POST', htu: 'http://localhost/api/authorizations' } })
  t.equal((await app.inject({ method: 'POST', url: `/api${PATH}`, payload: {}, headers: { dpop } })).statusCode, 201)
})

test('a refresh token in a cookie is bound as well', async t => {
  const { app, prove, put, post } = await createBoundApp(t, { cookies: true })
  const signedIn = await post(prove(key, 'POST'), OWN_PAGE)
  const cookies = cookiesOf(signedIn)
  t.strictSame(claimsIn(cookies[REFRESH]!).cnf, { jkt: key.thumbprint })
  const renew = async (dpop?: string) => await app.inject({ method: 'PUT', url: PATH, headers: { ...OWN_PAGE, ...carry(cookies), ...(dpop && { dpop }) } })
  t.equal(outcomeOf(await renew()), 'PROOF_INVALID')
  const renewed = await renew(prove(key, 'PUT'))
  t.equal(renewed.statusCode, 201)
  t.strictSame(claimsIn(cookiesOf(renewed)[REFRESH]!).cnf, { jkt: key.thumbprint })
  t.equal(outcomeOf(await put(cookies[REFRESH]!, undefined)), 'PROOF_INVALID', 'nor does the header help')
})

test('without rotation a bound token is refreshed by its key alone', async t => {
  const { bind, put, prove } = await createBoundApp(t, { sessions: { rotate: false } })
  const { refresh_token: refreshed } = await bind(key)
  t.equal((await put(refreshed, undefined)).statusCode, 401)
  t.equal((await put(refreshed, prove(key, 'PUT'))).statusCode, 201)
})

test('sign-ins and refreshes from code take the request that brings the proof', async t => {
  const { app, prove } = await createBoundApp(t)
  const { issueTokens, refreshTokens } = app.dualToken
  const { refresh_token: refreshed } = await issueTokens({ user_id: 7 }, { proof: requestWith(prove(key, 'POST'), { method: 'POST' }) })
  t.strictSame(claimsIn(refreshed).cnf, { jkt: key.thumbprint })
  t.equal(claimsIn((await issueTokens({ user_id: 7 }, { proof: requestWith(undefined) })).refresh_token).cnf, undefined)
  await t.rejects(issueTokens({ user_id: 7 }, { proof: requestWith('x') }), { code: 'FST_DUAL_TOKEN_PROOF_INVALID', statusCode: 400 })
  await t.rejects(refreshTokens(refreshed), { code: 'FST_DUAL_TOKEN_PROOF_INVALID', statusCode: 401 })
  await t.rejects(refreshTokens(refreshed, { proof: requestWith('x') }), { code: 'FST_DUAL_TOKEN_PROOF_INVALID', statusCode: 401 })
  t.match(await refreshTokens(refreshed, { proof: requestWith(prove(key, 'PUT')) }), { refresh_token: String })
  for (const proof of ['x', null, {}, { headers: {} }]) {
    await t.rejects(issueTokens({ user_id: 7 }, { proof: proof as never }), { message: 'Option proof of issueTokens must be a request.' })
    await t.rejects(refreshTokens(refreshed, { proof: proof as never }), { message: 'Option proof of refreshTokens must be a request.' })
  }
  const stateless = Fastify()
  await stateless.register(dualToken, { secret: SECRET })
  await t.rejects(stateless.dualToken.issueTokens({ user_id: 7 }, { proof: requestWith(undefined) }), { message: /sessions is required/ })
})

test('every process of a service knows the nonce of another, with key pairs too', async t => {
  const keys = [ringKey('ES256', 'a')]
  const apps = await Promise.all([0, 1].map(async () => await createBoundApp(t, { keys })))
  const claims = { iat: 0, htu: TARGET }
  const { headers } = await apps[0]!.post(apps[0]!.prove(key, 'POST', { claims }))
  t.equal((await apps[1]!.post(apps[1]!.prove(key, 'POST', { claims: { ...claims, nonce: headers['dpop-nonce'] } }))).statusCode, 201)
})

test('with sessions cnf is reserved, without them it is not', async t => {
  const app = Fastify()
  await app.register(dualToken, { secret: SECRET })
  const user = { user_id: 7, cnf: { jkt: key.thumbprint } }
  t.strictSame(claimsIn((await app.dualToken.issueTokens(user)).token).cnf, user.cnf)
  const bound = await createBoundApp(t, { routes: { login: () => ({ user_id: 7 }), loadUser: () => user } })
  await t.rejects(bound.app.dualToken.issueTokens(user), { message: 'A user must not have the reserved claim cnf.' })
  const { refresh_token: refreshed } = await bound.signIn()
  t.equal((await bound.renew(refreshed)).statusCode, 500)
  await t.rejects(async () => await Fastify().register(dualToken, { secret: SECRET, sessions: { store: memoryStore() }, userIdClaim: 'cnf' }), { message: /reserved claim cnf/ })
})
