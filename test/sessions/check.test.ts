import { test } from 'tap'
import { memoryStore } from '../../lib/index.ts'
import { bearer } from '../support/app.ts'
import { ringKey } from '../support/key-pairs.ts'
import { backgroundDone, createSessionApp, createToldStore, FAILURES, outcomeOf, PATH, type SessionApp } from '../support/session-app.ts'
import { accessToken, claimsIn, refreshToken } from '../support/tokens.ts'

const SID = 'AbCd-_0123456789abcdef'

/** A pair of generation 1. */
async function renewedPair ({ signIn, renew, asked }: SessionApp) {
  const first = await signIn()
  const pair = (await renew(first.refresh_token)).json()
  asked()
  return { ...pair, first, sid: claimsIn(pair.token).sid }
}

test('a guarded request does not call the store', async t => {
  const { signIn, me, asked } = await createSessionApp(t)
  const { token } = await signIn()
  asked()
  for (let i = 0; i < 100; i++) t.equal(await me(token), '200')
  t.strictSame(asked(), [])
})

test('a new generation is confirmed once, when it is seen in use', async t => {
  const made = await createSessionApp(t)
  const { app, me, asked, calls } = made
  const { token, sid } = await renewedPair(made)
  await me(token)
  await backgroundDone()
  t.match(calls, [['confirm', { sessionId: sid, generation: 1, revocationTtl: 7_260_000 }]])
  t.strictSame(asked(), ['confirm'])
  await me(token)
  await app.inject({ url: '/open', headers: bearer(token) })
  await backgroundDone()
  t.strictSame(asked(), [])

  const next = await renewedPair(made)
  app.dualToken.verifyToken(next.token)
  await backgroundDone()
  t.strictSame(asked(), ['confirm'], 'of another session, and by verifyToken as well')
})

test('only generations that need a confirmation get one', async t => {
  const made = await createSessionApp(t)
  const { refresh_token: refreshed, first } = await renewedPair(made)
  await made.me(first.token)
  await made.me(refreshed)
  await backgroundDone()
  t.strictSame(made.asked(), [], 'the tokens of the sign-in have no parent, and a refresh token is no proof of its successor')

  const fixed = await createSessionApp(t, { sessions: { rotate: false } })
  const { sid, gen } = claimsIn((await fixed.signIn()).token)
  fixed.asked()
  await fixed.me(accessToken({ sid, gen: Number(gen) + 1 }))
  await backgroundDone()
  t.strictSame(fixed.asked(), [], 'nothing rotates')
})

test('no request waits for a confirmation', async t => {
  const made = await createSessionApp(t, { sessions: { storeTimeout: 60 } })
  const { token } = await renewedPair(made)
  let answer: (outcome: string) => void = () => {}
  made.instead.set('confirm', () => new Promise(resolve => { answer = resolve }))
  t.equal(await made.me(token), '200')
  t.equal(await made.me(token), '200')
  t.strictSame(made.asked(), ['confirm'], 'nor is one that is under way begun again')
  answer('confirmed')
  await backgroundDone()
  await made.me(token)
  t.strictSame(made.asked(), [])
})

test('a confirmation is remembered once the store has acknowledged it', async t => {
  for (const [name, fail] of Object.entries(FAILURES)) {
    const made = await createSessionApp(t)
    const { token } = await renewedPair(made)
    made.instead.set('confirm', fail)
    while (made.asked().length === 0) {
      t.equal(await made.me(token), '200', name)
      await backgroundDone()
    }
    made.instead.clear()
    // The store is given up after a millisecond, and asked again by the next request.
    let asked = made.asked()
    while (asked.length === 0) {
      await made.me(token)
      await backgroundDone()
      asked = made.asked()
    }
    t.ok(asked.every(method => method === 'confirm'), name)
    await made.me(token)
    await backgroundDone()
    t.strictSame(made.asked(), [], name)
  }
})

test('at most sixteen confirmations run at a time', async t => {
  const made = await createSessionApp(t, { sessions: { storeTimeout: 60 } })
  const answers: Array<(outcome: string) => void> = []
  made.instead.set('confirm', () => new Promise(resolve => { answers.push(resolve) }))
  for (let i = 0; i < 20; i++) await made.me(accessToken({ sid: SID, gen: i + 1 }))
  t.equal(answers.length, 16)
  answers[0]!('confirmed')
  await backgroundDone()
  t.equal(answers.length, 17)
  for (const answer of answers) answer('confirmed')
  await backgroundDone()
  for (const answer of answers) answer('confirmed')
  await backgroundDone()
  t.equal(answers.length, 20)
})

test('an access token of a generation that a recovery displaced is a theft: the session ends for everybody', async t => {
  const made = await createSessionApp(t)
  const { clock, renew, me } = made
  const stolen = await renewedPair(made)
  clock.advance(11)
  const recovered = (await renew(stolen.first.refresh_token)).json()
  t.equal(claimsIn(recovered.refresh_token).gen, 2)

  t.equal(await me(stolen.token), '200', 'the request that shows it is answered first')
  await backgroundDone()
  for (const { token, refresh_token: refreshed } of [stolen, recovered]) {
    t.equal(await me(token), 'ACCESS_REVOKED')
    t.equal(outcomeOf(await renew(refreshed)), 'REFRESH_REVOKED')
  }
})

test('the access token that a refresh replaced is no theft', async t => {
  const made = await createSessionApp(t)
  const { first, token } = await renewedPair(made)
  for (const one of [token, first.token, token]) t.equal(await made.me(one), '200')
  await backgroundDone()
  t.equal(outcomeOf(await made.renew((await made.signIn()).refresh_token)), '201')
  t.equal(await made.me(token), '200')
})

test('a recovery is over once the successor was seen in use', async t => {
  const made = await createSessionApp(t)
  const { first, token } = await renewedPair(made)
  await made.me(token)
  await backgroundDone()
  made.clock.advance(11)
  t.equal(outcomeOf(await made.renew(first.refresh_token)), 'REFRESH_REUSED')
})

test('a refresh token of a session in the map is refused, and the session revoked in the store again', async t => {
  const made = await createSessionApp(t)
  const { app, events, calls, renew, me, asked } = made
  const { token, refresh_token: refreshed, sid } = await renewedPair(made)
  await app.inject({ method: 'DELETE', url: PATH, headers: bearer(token) })
  asked()
  events.length = 0

  t.equal(outcomeOf(await renew(refreshed)), 'REFRESH_REVOKED')
  await backgroundDone()
  t.match(calls, [['revoke', { sessionId: sid, mustExist: false, revocationTtl: 7_260_000 }]])
  t.strictSame(asked(), ['revoke'])
  t.match(events, [{ type: 'refused', sid, userId: 7, reason: 'revoked' }])

  await me(token)
  await backgroundDone()
  t.strictSame(asked(), [], 'an access token needs none of it')
})

test('a returning token makes the process write a lost sign-out again', async t => {
  const told = createToldStore()
  const { app, signIn, renew } = await createSessionApp(t, { told })
  const { refresh_token: refreshed } = await signIn()
  told.instead.set('revoke', async () => true)
  await app.inject({ method: 'DELETE', url: PATH, headers: bearer(refreshed) })
  told.instead.clear()
  t.equal((await app.dualToken.listSessions(7)).length, 1, 'the store has forgotten')
  t.equal(outcomeOf(await renew(refreshed)), 'REFRESH_REVOKED')
  await backgroundDone()
  t.equal((await app.dualToken.listSessions(7)).length, 0)
})

test('a token without the claims of a session is invalid', async t => {
  const { app, renew, me } = await createSessionApp(t)
  const good = { sid: SID, gen: 0, n: SID }
  const bad = [{ sid: undefined }, { sid: 'x' }, { sid: 7 }, { gen: undefined }, { gen: -1 }, { gen: 1.5 }, { gen: '0' }, { gen: 2 ** 31 + 1 }]
  for (const change of bad) {
    t.equal(await me(accessToken({ ...good, ...change })), 'ACCESS_INVALID', JSON.stringify(change))
    t.equal(outcomeOf(await renew(refreshToken({ ...good, ...change }))), 'REFRESH_INVALID')
    t.equal(outcomeOf(await app.inject({ method: 'DELETE', url: PATH, headers: bearer(accessToken({ ...good, ...change })) })), 'ACCESS_INVALID')
  }
  for (const n of [undefined, '', 'x', 7, null]) t.equal(outcomeOf(await renew(refreshToken({ ...good, n }))), 'REFRESH_INVALID', `n ${n}`)
  t.equal(await me(accessToken(good)), '200')
  t.equal(outcomeOf(await renew(refreshToken(good))), 'REFRESH_REVOKED')
})

test('an access token of a longer lifetime, whose revocation may be forgotten here, is refused', async t => {
  const store = memoryStore()
  const longer = await createSessionApp(t, { told: createToldStore(store) })
  const shorter = await createSessionApp(t, { told: createToldStore(store), accessExpiresIn: '5m' })
  const { token, refresh_token: refreshed } = await longer.signIn()
  for (const { clock } of [longer, shorter]) clock.advance(7000)
  t.equal(await longer.me(token), '200')
  t.equal(await shorter.me(token), 'ACCESS_EXPIRED', 'it has 200 seconds left, and is older than 5 minutes')
  t.equal((await shorter.renew(refreshed)).statusCode, 201)
})

test('access tokens are valid to their last moment', async t => {
  const { clock, signIn, me } = await createSessionApp(t, { clockTolerance: 60 })
  const { token } = await signIn()
  clock.advance(7259)
  t.equal(await me(token), '200')
  clock.advance(1)
  t.equal(await me(token), 'ACCESS_EXPIRED')
})

/** The order of the group of P-256. */
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n

test('both values of an ES256 signature are valid, and end with their session', async t => {
  const { app, signIn, me } = await createSessionApp(t, { keys: [ringKey('ES256', 'k')] })
  const { token } = await signIn()
  const [header, payload, signature] = token.split('.') as [string, string, string]
  const [r, s] = [Buffer.from(signature, 'base64url').subarray(0, 32), Buffer.from(signature, 'base64url').subarray(32)]
  const other = Buffer.from((ORDER - BigInt(`0x${s.toString('hex')}`)).toString(16).padStart(64, '0'), 'hex')
  const twin = `${header}.${payload}.${Buffer.concat([r, other]).toString('base64url')}`
  t.not(twin, token)
  for (const each of [token, twin]) t.equal(await me(each), '200')
  t.equal((await app.inject({ method: 'DELETE', url: PATH, headers: bearer(twin) })).statusCode, 204)
  for (const each of [token, twin]) t.equal(await me(each), 'ACCESS_REVOKED')
})
