import { setImmediate as nextTurn } from 'node:timers/promises'
import { test } from 'tap'
import { memoryStore } from '../../lib/index.ts'
import { linesOf, OWN_PAGE } from '../support/cookies.ts'
import { createSessionApp, createToldStore, FAILURES, outcomeOf, PATH } from '../support/session-app.ts'
import { ACCESS_LIFETIME, claimsIn, NOW, REFRESH_LIFETIME } from '../support/tokens.ts'

const good = { method: 'POST', url: PATH, payload: { password: 'good' } } as const

test('a sign-in keeps a record, of the nonce its hash alone', async t => {
  const told = createToldStore()
  const { app } = await createSessionApp(t, { told })
  const { refresh_token: refreshed } = (await app.inject({ ...good, headers: { 'user-agent': 'phone' } })).json()
  const { sid, n } = claimsIn(refreshed)
  const record = told.calls.find(([method]) => method === 'create')![1]
  t.strictSame(record, {
    id: sid,
    userId: 7,
    generation: 0,
    parentGeneration: -1,
    confirmed: false,
    rotatedAt: 0,
    displacedAt: 0,
    issuedAt: NOW * 1000,
    nonceHash: record.nonceHash,
    createdAt: NOW * 1000,
    expiresAt: (NOW + REFRESH_LIFETIME) * 1000,
    lastUsedAt: NOW * 1000,
    ip: '127.0.0.1',
    userAgent: 'phone'
  })
  t.notOk(JSON.stringify(record).includes(String(n)))
})

test('a sign-in that was refused asks the store for nothing', async t => {
  const { app, asked } = await createSessionApp(t)
  t.equal(outcomeOf(await app.inject({ ...good, payload: { password: 'bad' } })), 'LOGIN_REFUSED')
  t.strictSame(asked(), [])
})

test('a user who does not fit a token leaves no session behind', async t => {
  for (const user of [{ user_id: 7, text: 'x'.repeat(5000) }, { user_id: 0 }, { user_id: 7, n: 1 }]) {
    const { app, asked } = await createSessionApp(t, { routes: { login: () => user } })
    t.equal(outcomeOf(await app.inject(good)), 'USER_INVALID')
    t.strictSame(asked(), [])
  }
})

test('claims that do not fit a cookie leave no session behind', async t => {
  // 4091 characters fit a token, but no cookie beside its name.
  for (const [access, outcome] of [[false, '201'], [true, 'USER_INVALID']] as const) {
    const { app, asked } = await createSessionApp(t, { cookies: { access }, routes: { login: () => ({ user_id: 7, text: 'x'.repeat(2895) }) } })
    for (const headers of [OWN_PAGE, {}]) {
      const reply = await app.inject({ ...good, headers })
      t.equal(outcomeOf(reply), outcome)
      t.strictSame(asked(), outcome === '201' ? ['create'] : [])
      if (outcome !== '201') t.strictSame([linesOf(reply), reply.json().message], [[], "A user's claims must fit a token of 4071 characters."])
    }
  }
})

test('a slow sign-in that began before revokeUser is refused; one that begins after it is not, at once', async t => {
  const waiting: Array<() => void> = []
  let slow = true
  const { app, events } = await createSessionApp(t, {
    routes: {
      login: async () => {
        if (slow) await new Promise<void>(resolve => { waiting.push(resolve) })
        return { user_id: 7 }
      }
    }
  })
  const began = app.inject(good)
  // The request is on its way as soon as somebody asks for it.
  began.catch(() => {})
  while (waiting.length === 0) await nextTurn()
  await app.dualToken.revokeUser(7)
  slow = false
  const other = app.inject(good)
  waiting[0]!()

  const refused = await began
  t.equal(refused.statusCode, 401)
  t.equal(outcomeOf(refused), 'LOGIN_REFUSED')
  t.match(refused.headers, { 'www-authenticate': 'Bearer', 'cache-control': 'no-store' })
  t.notMatch(refused.body, 'token"')
  t.equal(outcomeOf(await other), '201')
  t.match(events.find(({ type }) => type === 'refused'), { userId: 7, ip: '127.0.0.1', reason: 'user_revoked' })
})

test('revokeUser of one user refuses the sign-in of no other', async t => {
  let revoke = async () => {}
  const { app } = await createSessionApp(t, {
    routes: {
      login: async () => {
        await revoke()
        return { user_id: 7 }
      }
    }
  })
  revoke = async () => { await app.dualToken.revokeUser('7') }
  t.equal(outcomeOf(await app.inject(good)), '201')
  revoke = async () => { await app.dualToken.revokeUser(7) }
  t.equal(outcomeOf(await app.inject(good)), 'LOGIN_REFUSED')
})

test('while the store fails, nobody signs in, and everybody does afterwards', async t => {
  const { app, instead, me } = await createSessionApp(t)
  for (const [name, fail] of Object.entries(FAILURES)) {
    instead.set('create', fail)
    const reply = await app.inject(good)
    t.strictSame(reply.json(), { statusCode: 503, code: 'FST_DUAL_TOKEN_STORE_UNAVAILABLE', error: 'Service Unavailable', message: 'Try again later.' }, name)
    t.match(reply.headers, { 'retry-after': '1', 'cache-control': 'no-store' })
    instead.clear()
    t.equal(await me((await app.inject(good)).json().token), '200', name)
  }
})

test('when the store is full, sign-in answers 503 and nobody is evicted', async t => {
  const { app, signIn, me, clock } = await createSessionApp(t, { told: createToldStore(memoryStore({ maxSessions: 2 })) })
  const pairs = [await signIn(), await signIn()]
  t.equal(outcomeOf(await app.inject(good)), 'STORE_UNAVAILABLE')
  for (const { token } of pairs) t.equal(await me(token), '200')
  await app.dualToken.revokeSession(String(claimsIn(pairs[0]!.token).sid))
  t.equal(outcomeOf(await app.inject(good)), '201')
  clock.advance(REFRESH_LIFETIME + ACCESS_LIFETIME + 60)
  t.equal(outcomeOf(await app.inject(good)), '201', 'a session that is over makes room')
})

test('an access token issued alone has a session that ends with it, and can be ended', async t => {
  const { app, asked, calls, me } = await createSessionApp(t)
  const reply = await app.dualToken.issueTokens({ user_id: 7 }, { needRefreshToken: false })
  t.strictSame(Object.keys(reply), ['token', 'token_type', 'expires_in'])
  t.equal(calls[0]![1].expiresAt, (NOW + ACCESS_LIFETIME) * 1000)
  t.strictSame(asked(), ['create'])
  const { sid, gen, n } = claimsIn(reply.token)
  t.strictSame([gen, n], [0, undefined])
  t.equal(await me(reply.token), '200')
  t.equal(await app.dualToken.revokeSession(String(sid)), true)
  t.equal(await me(reply.token), 'ACCESS_REVOKED')
})
