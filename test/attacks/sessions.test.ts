// Tokens swapped, altered, or forged with what has leaked, on every route of sessions.
import type { InjectOptions } from 'fastify'
import { test } from 'tap'
import { bearer } from '../support/app.ts'
import { backgroundDone, createSessionApp, createToldStore, outcomeOf, PATH, type SessionApp } from '../support/session-app.ts'
import { claimsIn, encode, mint, NOW, OTHER_SECRET, type Payload } from '../support/tokens.ts'

const SESSIONS = `${PATH}/sessions`

const routesFor = (sid: unknown): InjectOptions[] => [
  { method: 'PUT', url: PATH }, { method: 'DELETE', url: PATH },
  { url: SESSIONS }, { method: 'DELETE', url: SESSIONS }, { method: 'DELETE', url: `${SESSIONS}/${sid}` },
  { url: '/me' }, { url: '/renewal' }
]

async function outcomesOf ({ app }: SessionApp, sid: unknown, token: string): Promise<string[]> {
  const outcomes: string[] = []
  for (const route of routesFor(sid)) outcomes.push(outcomeOf(await app.inject({ ...route, headers: bearer(token) })))
  return outcomes
}

/** The same token, its payload changed and its signature as it was. */
function altered (token: string, change: Payload): string {
  const [header, , signature] = token.split('.')
  return `${header}.${encode(JSON.stringify({ ...claimsIn(token), ...change }))}.${signature}`
}

test('a token of one kind cannot do the work of the other, except sign out', async t => {
  const made = await createSessionApp(t)
  const victim = await made.signIn()
  const { sid } = claimsIn(victim.token)
  const other = await made.signIn()
  const refused = ['ACCESS_IS_REFRESH', 'ACCESS_IS_REFRESH', 'ACCESS_IS_REFRESH', 'ACCESS_IS_REFRESH']
  const targets = routesFor(sid)
  const outcome = async (target: InjectOptions, token: string) => outcomeOf(await made.app.inject({ ...target, headers: bearer(token) }))

  const asRefresh: string[] = []
  for (const target of [targets[0]!, targets[6]!]) asRefresh.push(await outcome(target, victim.token))
  t.strictSame(asRefresh, ['REFRESH_IS_ACCESS', 'REFRESH_IS_ACCESS'])
  const asAccess: string[] = []
  for (const target of targets.slice(2, 6)) asAccess.push(await outcome(target, other.refresh_token))
  t.strictSame(asAccess, refused)
  t.equal(await made.me(victim.token), '200')
  await t.rejects(made.app.dualToken.refreshTokens(victim.token), { code: 'FST_DUAL_TOKEN_REFRESH_IS_ACCESS' })
})

test('no claim of a token can be changed without the secret', async t => {
  const made = await createSessionApp(t)
  const [own, victim] = [await made.signIn(), await made.signIn()]
  const { sid, n } = claimsIn(victim.refresh_token)
  const changes: Payload[] = [
    { sid }, { n }, { sid, n }, { gen: 1 }, { user_id: 8 }, { refresh: false }, { refresh: true, n }, { exp: NOW + 9e6 }, { iat: NOW - 1 }
  ]
  for (const [name, token] of Object.entries({ access: own.token, refresh: own.refresh_token })) {
    for (const change of changes.filter(change => Object.entries(change).some(([claim, value]) => claimsIn(token)[claim] !== value))) {
      for (const bad of [altered(token, change), mint({ ...claimsIn(token), ...change }, OTHER_SECRET)]) {
        t.strictSame(await outcomesOf(made, sid, bad), [
          'REFRESH_INVALID', 'ACCESS_INVALID', 'ACCESS_INVALID', 'ACCESS_INVALID', 'ACCESS_INVALID', 'ACCESS_INVALID', 'REFRESH_INVALID'
        ], `${name} ${JSON.stringify(change)}`)
      }
    }
  }
  for (const { token, refresh_token: refreshed } of [own, victim]) {
    t.equal(await made.me(token), '200')
    t.equal(outcomeOf(await made.renew(refreshed)), '201')
  }
})

test('a leaked signing key makes no valid refresh token: the attempt ends the session and issues nothing', async t => {
  const cases: Array<[string, Payload]> = [
    ['another nonce', { n: 'A'.repeat(22) }],
    ['another nonce, of a later generation', { n: 'A'.repeat(22), gen: 5 }],
    ['another user', { user_id: 8 }],
    ['another user, of an id that looks the same', { user_id: '7' }]
  ]
  for (const [name, change] of cases) {
    const made = await createSessionApp(t)
    const { token, refresh_token: refreshed } = await made.signIn()
    const other = await made.signIn()
    const reply = await made.renew(mint({ ...claimsIn(refreshed), ...change }))
    t.equal(outcomeOf(reply), 'REFRESH_REUSED', name)
    t.notMatch(reply.body, 'token"')
    t.equal(await made.me(token), 'ACCESS_REVOKED', name)
    t.equal(outcomeOf(await made.renew(refreshed)), 'REFRESH_REVOKED', name)
    t.equal(await made.me(other.token), '200', name)
  }
})

test('a leaked signing key and a leaked store together make no refresh token', async t => {
  const told = createToldStore()
  const made = await createSessionApp(t, { told })
  const { refresh_token: refreshed } = await made.signIn()
  const [record] = await told.inner.list({ userId: 7, now: NOW * 1000, revocationTtl: 0 })
  for (const n of [record!.nonceHash, record!.nonceHash.slice(0, 22), record!.id]) {
    const reply = await made.renew(mint({ ...claimsIn(refreshed), n }))
    t.match(outcomeOf(reply), /^REFRESH_(?:INVALID|REUSED|REVOKED)$/)
  }
})

test('a refresh token without a session, or of an unknown one, is refused', async t => {
  const made = await createSessionApp(t)
  const { refresh_token: refreshed } = await made.signIn()
  const claims = claimsIn(refreshed)
  t.equal(outcomeOf(await made.renew(mint({ ...claims, sid: 'A'.repeat(22) }))), 'REFRESH_REVOKED')
  t.equal(outcomeOf(await made.renew(mint({ ...claims, sid: undefined }))), 'REFRESH_INVALID')
  t.equal(outcomeOf(await made.renew(refreshed)), '201')
})

test('a sign-out with a forged user id does not end the session of its owner', async t => {
  const made = await createSessionApp(t)
  const { token } = await made.signIn()
  const { sid } = claimsIn(token)
  const forged = mint({ ...claimsIn(token), user_id: 8 })
  t.equal(outcomeOf(await made.app.inject({ method: 'DELETE', url: PATH, headers: bearer(forged) })), '204')
  t.equal(outcomeOf(await made.app.inject({ method: 'DELETE', url: `${SESSIONS}/${sid}`, headers: bearer(forged) })), 'SESSION_UNKNOWN')
  t.equal(outcomeOf(await made.app.inject({ method: 'DELETE', url: SESSIONS, headers: bearer(forged) })), '204')
  t.equal(await made.me(token), '200')
})

test('an ended session stays ended, whatever its tokens are used for', async t => {
  const made = await createSessionApp(t)
  const { app, clock, signIn, renew } = made
  const first = await signIn()
  const second = (await renew(first.refresh_token)).json()
  clock.advance(11)
  const third = (await renew(second.refresh_token)).json()
  await app.inject({ method: 'DELETE', url: PATH, headers: bearer(first.token) })
  for (const advance of [0, 5, 11, 3600, 86_400]) {
    clock.advance(advance)
    for (const pair of [first, second, third]) {
      t.match(outcomeOf(await renew(pair.refresh_token)), 'REFRESH_REVOKED')
      t.match(await made.me(pair.token), /^ACCESS_(?:REVOKED|EXPIRED)$/)
    }
    await backgroundDone()
  }
})

test('no bit of a token can be turned, and no such token is a fault of the server', async t => {
  const made = await createSessionApp(t)
  const { token, refresh_token: refreshed } = await made.signIn()
  const { sid } = claimsIn(token)
  const routes = routesFor(sid)
  made.asked()
  let seed = 7
  const random = (below: number) => {
    seed = (seed * 48_271) % 2_147_483_647
    return seed % below
  }
  for (let i = 0; i < 400; i++) {
    const good = i % 2 === 0 ? token : refreshed
    const bytes = Buffer.from(good)
    const at = random(bytes.length)
    const mutants = [
      () => { bytes[at]! ^= 1 << random(7) },
      () => { bytes[at] = 33 + random(94) },
      () => { bytes.copyWithin(at, random(bytes.length)) },
      () => { bytes.subarray(at, at + 1 + random(9)).fill(0x41) }
    ]
    mutants[random(4)]!()
    const bad = bytes.toString('latin1')
    if (bad === good) continue
    const { statusCode } = await made.app.inject({ ...routes[i % routes.length]!, headers: bearer(bad) })
    t.ok(statusCode === 401 || statusCode === 403, `${statusCode} to ${routes[i % routes.length]!.method} ${routes[i % routes.length]!.url} with ${bad}`)
  }
  t.strictSame(made.asked(), [], 'and the store hears of none')
  t.equal(await made.me(token), '200')
})

test('no id in the path is a fault of the server, nor reaches the store unless it can be one', async t => {
  const made = await createSessionApp(t)
  const { token } = await made.signIn()
  made.asked()
  const ids = [
    '%', '%zz', '%00', '..', '.', '%2e%2e%2f', '..%2f..', 'a%2fb', '*', '__proto__', 'constructor', '%F0%9F%92%A9', '%E0%A4%A', 'x'.repeat(99), 'x'.repeat(500),
    `${'A'.repeat(22)}%0A`, `${'A'.repeat(21)}+`, "';--", '{"a":1}', 'null', '0'
  ]
  for (const id of ids) {
    const { statusCode } = await made.app.inject({ method: 'DELETE', url: `${SESSIONS}/${id}`, headers: bearer(token) })
    t.ok(statusCode >= 400 && statusCode < 500, `${statusCode} to ${id}`)
  }
  t.strictSame(made.asked(), [])
})
