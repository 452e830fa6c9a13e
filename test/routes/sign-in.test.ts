import { setImmediate as nextTurn } from 'node:timers/promises'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { test } from 'tap'
import { memoryStore, type DualTokenUser, type PairReply, type SessionStore } from '../../lib/index.ts'
import { createApp, type Clock } from '../support/app.ts'
import { linesOf, OWN_PAGE } from '../support/cookies.ts'
import { createSessionApp, createToldStore, FAILURES, lacking, outcomeOf, PATH } from '../support/session-app.ts'
import { ACCESS_LIFETIME, claimsIn, NOW, REFRESH_LIFETIME } from '../support/tokens.ts'

const good = { method: 'POST', url: PATH, payload: { password: 'good' } } as const

test('a sign-in stores a record, with only the hash of the nonce', async t => {
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
    authenticatedAt: NOW * 1000,
    expiresAt: (NOW + REFRESH_LIFETIME) * 1000,
    lastUsedAt: NOW * 1000,
    ip: '127.0.0.1',
    userAgent: 'phone',
    label: null,
    lifetime: null,
    jkt: null
  })
  t.notOk(JSON.stringify(record).includes(String(n)))
})

test('a refused sign-in does not call the store', async t => {
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
    const { app, asked } = await createSessionApp(t, { cookies: { access }, routes: { login: () => ({ user_id: 7, text: 'x'.repeat(2872) }) } })
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

test('revokeUser refuses no sign-in of another user', async t => {
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

/** As many sign-ins as there are names, a second after one another; their tokens by name. */
async function signInAll (app: FastifyInstance, clock: Clock, names: readonly string[]): Promise<Record<string, PairReply>> {
  const pairs: Record<string, PairReply> = {}
  for (const name of names) {
    pairs[name] = await app.dualToken.issueTokens({ user_id: 7 }, { label: name })
    clock.advance(1)
  }
  return pairs
}

test('a sign-in beyond maxPerUser ends the least recently used session, here and now, and says so', async t => {
  const { app, clock, events, signIn, renew, me } = await createSessionApp(t, { sessions: { maxPerUser: 3 } })
  const pairs = await signInAll(app, clock, ['first', 'second', 'third'])
  t.equal(outcomeOf(await renew(pairs.first!.refresh_token)), '201')
  events.length = 0
  const { token } = await signIn()
  t.equal(await me(token), '200')
  t.equal(await me(pairs.second!.token), 'ACCESS_REVOKED')
  t.equal(outcomeOf(await renew(pairs.second!.refresh_token)), 'REFRESH_REVOKED')
  for (const name of ['first', 'third']) t.equal(await me(pairs[name]!.token), '200', name)
  const { sid } = claimsIn(pairs.second!.token)
  t.match(events, [
    { type: 'revoked', sid, userId: 7, ip: '127.0.0.1', reason: 'limit' },
    { type: 'created', sid: claimsIn(token).sid, userId: 7, reason: null },
    { type: 'refused', sid, reason: 'revoked' }
  ])
  t.equal((await app.dualToken.listSessions(7)).length, 3)
})

test('where whenFull refuses, a sign-in beyond maxPerUser is a 403, by the route and from code, until a session ends', async t => {
  const { app, clock, events } = await createSessionApp(t, { sessions: { maxPerUser: 2, whenFull: 'refuse' } })
  const { first } = await signInAll(app, clock, ['first', 'second'])
  events.length = 0
  const reply = await app.inject(good)
  t.strictSame(reply.json(), { statusCode: 403, code: 'FST_DUAL_TOKEN_SESSION_LIMIT', error: 'Forbidden', message: 'Too many sessions.' })
  t.match(reply.headers, { 'cache-control': 'no-store', 'www-authenticate': undefined })
  await t.rejects(app.dualToken.issueTokens({ user_id: 7 }), { code: 'FST_DUAL_TOKEN_SESSION_LIMIT', statusCode: 403 })
  t.match(events, [{ type: 'refused', userId: 7, ip: '127.0.0.1', reason: 'limit' }, { type: 'refused', userId: 7, ip: null, reason: 'limit' }])
  t.ok(await app.dualToken.issueTokens({ user_id: 8 }), 'another user has room')
  t.ok(await app.dualToken.issueTokens({ user_id: '7' }), 'so has another kind of id')
  await app.dualToken.revokeSession(String(claimsIn(first!.token).sid))
  t.equal(outcomeOf(await app.inject(good)), '201')
})

test('50 sign-ins at once with a limit of 3 leave 3', async t => {
  for (const [whenFull, statuses] of [['end_oldest', { 201: 50 }], ['refuse', { 201: 3, SESSION_LIMIT: 47 }]] as const) {
    const { app, me } = await createSessionApp(t, { sessions: { maxPerUser: 3, whenFull, storeTimeout: 5 } })
    const replies = await Promise.all(Array.from({ length: 50 }, async () => await app.inject(good)))
    t.strictSame(countOf(replies.map(outcomeOf)), statuses, whenFull)
    const tokens = replies.filter(({ statusCode }) => statusCode === 201).map(reply => String(reply.json().token))
    t.equal((await Promise.all(tokens.map(me))).filter(status => status === '200').length, 3)
    t.equal((await app.dualToken.listSessions(7)).length, 3)
  }
})

function countOf (names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1
  return counts
}

test('the label of a sign-in is what routes.label makes of the credentials, cleaned and cut', async t => {
  const { app, signIn } = await createSessionApp(t, {
    routes: { login: () => ({ user_id: 7 }), label: async (body, request) => body.device as string ?? request.headers['x-device'] }
  })
  const labelOf = async (payload: object, headers = {}): Promise<unknown> => {
    const { token } = (await app.inject({ method: 'POST', url: PATH, payload, headers })).json()
    return (await app.dualToken.listSessions(7)).find(({ id }) => id === claimsIn(token).sid)!.label
  }
  t.equal(await labelOf({ device: "Ada's phone" }), "Ada's phone")
  t.equal(await labelOf({}, { 'x-device': 'desk' }), 'desk')
  t.equal(await labelOf({ device: 'a\0b\r\n' }), 'a b')
  t.equal(await labelOf({ device: '\ud83e' }), '\ufffd')
  t.equal(await labelOf({ device: 'x'.repeat(5000) }), 'x'.repeat(64))
  for (const device of [null, 7, true, {}, ['phone'], '', ' ']) t.equal(await labelOf({ device }), null, JSON.stringify(device))
  const { token } = await signIn()
  const listed = (await app.inject({ url: `${PATH}/sessions`, headers: { authorization: `Bearer ${token}` } })).json().sessions
  t.ok(listed.some(({ label }: { label: unknown }) => label === 'desk'))
})

test('issueTokens takes a label, and a refresh keeps it', async t => {
  const { app } = await createSessionApp(t)
  const { issueTokens, listSessions, refreshTokens } = app.dualToken
  const { refresh_token: refreshed } = await issueTokens({ user_id: 7 }, { label: 'kitchen\n'.repeat(20) })
  await refreshTokens(refreshed)
  t.match(await listSessions(7), [{ label: 'kitchen '.repeat(8).trim() }])
  for (const label of [null, 7, {}, ['phone']]) {
    await t.rejects(issueTokens({ user_id: 7 }, { label: label as string }), { code: 'FST_DUAL_TOKEN_OPTION_INVALID', message: 'Option label must be a string.' })
  }
  t.equal((await listSessions(7)).length, 1)
})

test('a label needs sessions, and a store that keeps it; a blank one needs nothing', async t => {
  const { app } = await createApp(t)
  await t.rejects(app.dualToken.issueTokens({ user_id: 7 }, { label: 'desk' }), { message: 'Option sessions is required for the label of issueTokens.' })
  const made = await createSessionApp(t, { told: createToldStore(lacking('label')) })
  await t.rejects(made.app.dualToken.issueTokens({ user_id: 7 }, { label: 'desk' }), {
    code: 'FST_DUAL_TOKEN_OPTION_INVALID', message: "Option label needs a session store with the duty 'label', which this one does not name."
  })
  t.strictSame(made.asked(), [])
  await made.app.dualToken.issueTokens({ user_id: 7 }, { label: '' })
  made.instead.set('list', async user => (await made.inner.list(user)).map(({ label, ...record }) => record))
  t.match(await made.app.dualToken.listSessions(7), [{ label: null }], 'a store that has no labels lists none')
})

test('a sign-in may have a lifetime of its own, by the route and from code, with sessions and without', async t => {
  const routes = { login: () => ({ user_id: 7 }), refreshExpiresIn: (user: DualTokenUser, request: FastifyRequest) => request.headers['x-remember'] === undefined ? '1d' : null }
  for (const { app } of [await createApp(t, { routes }), await createSessionApp(t, { routes })]) {
    const lifetimeOf = (token: string) => Number(claimsIn(token).exp) - NOW
    const byRoute = async (headers = {}) => lifetimeOf((await app.inject({ ...good, headers })).json().refresh_token)
    t.equal(await byRoute(), 86_400)
    t.equal(await byRoute({ 'x-remember': '1' }), REFRESH_LIFETIME)
    const { issueTokens } = app.dualToken
    t.equal(lifetimeOf((await issueTokens({ user_id: 7 }, { refreshExpiresIn: '3h' })).refresh_token), 10_800)
    t.equal(lifetimeOf((await issueTokens({ user_id: 7 })).refresh_token), REFRESH_LIFETIME)
    t.equal(lifetimeOf((await issueTokens({ user_id: 7 }, { refreshExpiresIn: '3h', needRefreshToken: false })).token), ACCESS_LIFETIME)
    for (const refreshExpiresIn of ['2h', '15d', 0, 'soon']) {
      await t.rejects(issueTokens({ user_id: 7 }, { refreshExpiresIn }), { code: 'FST_DUAL_TOKEN_OPTION_INVALID', message: /^The refreshExpiresIn of a sign-in must / })
    }
  }
})

test('a token of a shorter lifetime is refused when that is over, and not before', async t => {
  for (const sessions of [true, false]) {
    const { app, clock } = sessions ? await createSessionApp(t) : await createApp(t)
    const { refresh_token: refreshed } = await app.dualToken.issueTokens({ user_id: 7 }, { refreshExpiresIn: '1d' })
    const renewed = async () => outcomeOf(await app.inject({ method: 'PUT', url: PATH, headers: { authorization: `Bearer ${refreshed}` } }))
    clock.advance(86_399)
    t.equal(await renewed(), '201')
    clock.advance(1)
    t.equal(await renewed(), 'REFRESH_EXPIRED')
  }
})

test('a sliding session is renewed by the lifetime of its own sign-in', async t => {
  const { app, clock } = await createSessionApp(t, { sessions: { sliding: true } })
  let token = (await app.dualToken.issueTokens({ user_id: 7 }, { refreshExpiresIn: '1d' })).refresh_token
  for (let day = 0; day < 5; day++) {
    clock.advance(80_000)
    token = (await app.dualToken.refreshTokens(token) as PairReply).refresh_token
    t.equal(claimsIn(token).exp, clock.now() / 1000 + 86_400)
  }
})

test('with sliding sessions a lifetime needs a store that keeps it', async t => {
  for (const [sliding, outcome] of [[true, 'rejects'], [false, 'resolves']] as const) {
    const { app } = await createSessionApp(t, { told: createToldStore(lacking('lifetime')), sessions: { sliding } })
    const issued = app.dualToken.issueTokens({ user_id: 7 }, { refreshExpiresIn: '1d' })
    if (outcome === 'resolves') await t.resolves(issued)
    else await t.rejects(issued, { message: "Option refreshExpiresIn of a sign-in needs a session store with the duty 'lifetime', which this one does not name." })
  }
})

test('an error that label or refreshExpiresIn throws goes to the error handler, and no session begins', async t => {
  for (const name of ['label', 'refreshExpiresIn'] as const) {
    const { app, asked } = await createSessionApp(t, {
      routes: { login: ({ password }) => password === 'good' && { user_id: 7 }, [name]: async () => { throw Object.assign(new Error('closed'), { statusCode: 418 }) } }
    })
    const reply = await app.inject(good)
    t.match([reply.statusCode, reply.json().message, reply.headers['cache-control']], [418, 'closed', 'no-store'], name)
    t.equal(outcomeOf(await app.inject({ ...good, payload: { password: 'bad' } })), 'LOGIN_REFUSED', 'who is refused is not asked')
    t.strictSame(asked(), [])
  }
})

test('a store that names sessions itself is asked for the name of each', async t => {
  const users: unknown[] = []
  const inner = memoryStore()
  const store: SessionStore = {
    ...inner,
    newSessionId (userId) {
      users.push(userId)
      return `shard-${'x'.repeat(14)}${String(users.length).padStart(2, '0')}`
    }
  }
  const { app } = await createSessionApp(t, { told: createToldStore(store) })
  const { token } = await app.dualToken.issueTokens({ user_id: 7 })
  t.equal(claimsIn(token).sid, 'shard-xxxxxxxxxxxxxx01')
  t.match(await app.dualToken.listSessions(7), [{ id: 'shard-xxxxxxxxxxxxxx01' }])
  t.strictSame(users, [7])
})
