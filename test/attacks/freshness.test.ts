// A thief with an access token, who wants it to look as if the user had just signed in; and one with a token of too little scope.
import type { FastifyInstance } from 'fastify'
import { test, type Test } from 'tap'
import { memoryStore, type DualTokenRoutes } from '../../lib/index.ts'
import { bearer } from '../support/app.ts'
import { ACCESS, carry, cookiesOf, OWN_PAGE } from '../support/cookies.ts'
import { createSessionApp, createToldStore, outcomeOf, PATH, type SessionApp, type SessionAppOptions } from '../support/session-app.ts'
import { claimsIn, forge, mint, NOW, OTHER_SECRET } from '../support/tokens.ts'

const URL = `${PATH}/reauthentication`

/** Users 7 and 8, whose passwords are theirs alone; `DELETE /account` asks for a sign-in of the last ten minutes. */
const login: DualTokenRoutes['login'] = ({ user, password }) => password === `secret of ${user}` ? { user_id: user as number } : null

interface Victim extends SessionApp {
  /** The stolen access token, of an hour ago. */
  readonly stolen: string
  readonly refreshed: string
  attack (token: string): Promise<string>
}

async function createVictim (t: Test, options: SessionAppOptions = {}): Promise<Victim> {
  const prepare = (app: FastifyInstance) => app.delete('/account', { preHandler: app.dualToken.guard({ maxAge: '10m' }) }, async () => 'gone')
  const made = await createSessionApp(t, { prepare, ...options, routes: { login, ...options.routes } })
  const { token, refresh_token: refreshed } = (await made.app.inject({ method: 'POST', url: PATH, payload: { user: 7, password: 'secret of 7' } })).json()
  made.clock.advance(3600)
  const attack = async (token: string) => outcomeOf(await made.app.inject({ method: 'DELETE', url: '/account', headers: bearer(token) }))
  return { ...made, stolen: token, refreshed, attack }
}

test('a stolen access token is not fresh, and cannot make itself fresh without the credentials', async t => {
  const { app, stolen, attack, renew, refreshed } = await createVictim(t)
  t.equal(await attack(stolen), 'ACCESS_NOT_FRESH')
  const tries: object[] = [
    {}, { user: 7 }, { user: 7, password: '' }, { user: 7, password: 'guess' }, { user: 7, password: 'secret of 8' },
    // The thief has an account of their own.
    { user: 8, password: 'secret of 8' }, { user: '7', password: 'secret of 7 ' }, { user: [7], password: 'guess' },
    { token: stolen }, { auth_time: NOW + 3600 }, { refresh_token: stolen, grant_type: 'refresh_token' }
  ]
  for (const payload of tries) {
    const reply = await app.inject({ method: 'POST', url: URL, headers: bearer(stolen), payload })
    t.equal(outcomeOf(reply), 'LOGIN_REFUSED', JSON.stringify(payload))
    t.equal(reply.json().token, undefined)
  }
  // Nor does what else the thief can do with it: every ready route, with every method.
  for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const) {
    for (const url of [PATH, URL, `${PATH}/sessions/x`]) {
      if (method === 'DELETE' && url === PATH) continue
      const reply = await app.inject({ method, url, headers: bearer(stolen), ...(method !== 'GET' && { payload: {} }) })
      t.ok(reply.statusCode >= 400 && reply.statusCode < 500, `${method} ${url}: ${reply.statusCode}`)
    }
  }
  t.equal(await attack(stolen), 'ACCESS_NOT_FRESH')
  const own = (await renew(refreshed)).json()
  t.equal(claimsIn(own.token).auth_time, NOW, 'the session of the victim is as it was')
  t.equal(await attack(own.token), 'ACCESS_NOT_FRESH')
})

test('a thief of the refresh token gets no fresh token by it, however often it is refreshed', async t => {
  const { refreshed, renew, attack, clock } = await createVictim(t)
  let current = refreshed
  for (let round = 0; round < 5; round++) {
    clock.advance(60)
    const { token, refresh_token: next } = (await renew(current)).json()
    t.equal(await attack(token), 'ACCESS_NOT_FRESH')
    current = next
  }
})

test('the fresh token of one user makes nothing fresh for another, nor in another session of the same user', async t => {
  const { app, stolen, attack } = await createVictim(t)
  const again = (await app.inject({ method: 'POST', url: PATH, payload: { user: 7, password: 'secret of 7' } })).json()
  t.equal(await attack(again.token), '200')
  t.equal(await attack(stolen), 'ACCESS_NOT_FRESH', 'the session that was stolen is another one')
  await t.rejects(app.dualToken.issueTokens({ user_id: 8 }, { session: String(claimsIn(again.token).sid) }), { code: 'FST_DUAL_TOKEN_SESSION_UNKNOWN' })
})

test('auth_time cannot be written by whoever has no key', async t => {
  const { stolen, attack } = await createVictim(t)
  const claims = { ...claimsIn(stolen), auth_time: NOW + 3600 }
  const [header, , signature] = stolen.split('.')
  const changed = `${header}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.${signature}`
  for (const token of [changed, mint(claims, OTHER_SECRET), forge('{"alg":"none"}', JSON.stringify(claims))]) t.equal(await attack(token), 'ACCESS_INVALID')
})

test('a page of another origin makes nobody fresh by cookie', async t => {
  const { app } = await createVictim(t, { cookies: { access: true } })
  const payload = { user: 7, password: 'secret of 7' }
  const cookies = cookiesOf(await app.inject({ method: 'POST', url: PATH, payload, headers: OWN_PAGE }))
  for (const proof of [{}, { 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site', origin: 'https://evil.example' }, { origin: 'null' }]) {
    const reply = await app.inject({ method: 'POST', url: URL, payload, headers: { ...carry({ [ACCESS]: cookies[ACCESS]! }), ...proof } })
    t.equal(outcomeOf(reply), 'CROSS_ORIGIN')
    t.equal(reply.headers['set-cookie'], undefined)
  }
})

test('with each defence off, the thief succeeds', async t => {
  await t.test('a login that believes anybody', async t => {
    let isOff = false
    const { app, stolen, attack } = await createVictim(t, { routes: { login: (body, request) => isOff ? { user_id: 7 } : login(body, request) } })
    isOff = true
    const { token } = (await app.inject({ method: 'POST', url: URL, headers: bearer(stolen), payload: {} })).json()
    t.equal(await attack(token), '200')
  })

  await t.test('a store that does not look whose session it is, nor whether it lives', async t => {
    const inner = memoryStore()
    const told = createToldStore({ ...inner, reauthenticate: async () => true })
    const { app, stolen, clock } = await createVictim(t, { told })
    clock.advance(60)
    const { token } = await app.dualToken.issueTokens({ user_id: 8 }, { session: String(claimsIn(stolen).sid) })
    t.match(claimsIn(token), { user_id: 8, sid: claimsIn(stolen).sid })
  })

  await t.test('a key that is known', async t => {
    const { stolen, attack } = await createVictim(t)
    t.equal(await attack(mint({ ...claimsIn(stolen), auth_time: NOW + 3600 })), '200')
  })

  await t.test('a route that asks for an access token alone', async t => {
    const { me, stolen } = await createVictim(t)
    t.equal(await me(stolen), '200')
  })
})
