// The whole table of decisions: what a request carries, how it changes something, and who says that they sent it.
// Once more with the proof switched off, so that the attack is seen to succeed.
import Fastify, { type FastifyInstance } from 'fastify'
import { test, type Test } from 'tap'
import { createAuthentication } from '../../lib/access/authenticate.ts'
import { createCookieJar } from '../../lib/access/cookie-jar.ts'
import { createGuards } from '../../lib/access/guards.ts'
import { createLocate } from '../../lib/access/locate.ts'
import { createRefusals } from '../../lib/errors.ts'
import { dualToken, memoryStore, type DualTokenOptions, type PairReply } from '../../lib/index.ts'
import { readCookies } from '../../lib/options/cookies.ts'
import type { Accepted } from '../../lib/tokens/verdict.ts'
import { createClock } from '../support/app.ts'
import { ACCESS, OWN_PAGE, REFRESH } from '../support/cookies.ts'
import { outcomeOf, PATH } from '../support/session-app.ts'
import { ACCESS_LIFETIME, accessClaims, NOW, OTHER_SECRET, REFRESH_LIFETIME, refreshClaims, SECRET } from '../support/tokens.ts'
import { listen, request as ask } from '../support/wire.ts'

type Kind = 'access' | 'refresh'
const HOST = 'api.example'
const LISTED = 'https://app.example'
const EVIL = 'https://evil.example'

interface Tokens {
  readonly good: string
  readonly expired: string
  readonly foreign: string
}

/** A server, and its tokens of both kinds: good ones, expired ones and ones of another secret. */
async function createServer (t: Test, sessions: boolean): Promise<{ app: FastifyInstance, tokens: Record<Kind, Tokens> }> {
  const clock = createClock(NOW - REFRESH_LIFETIME - ACCESS_LIFETIME)
  const options = (secret: string): DualTokenOptions => ({
    secret,
    now: clock.now,
    routes: { login: () => ({ user_id: 7 }) },
    cookies: { access: true, origins: [LISTED] },
    // Not stale, though the clock leaps.
    ...(sessions && { sessions: { store: memoryStore(), onStale: 'allow' as const } })
  })
  const app = Fastify()
  const other = Fastify()
  t.teardown(() => Promise.all([app.close(), other.close()]))
  await app.register(dualToken, options(SECRET))
  await other.register(dualToken, options(OTHER_SECRET))
  const seen = async (request: { user: { user_id?: unknown } | null }) => ({ user: request.user?.user_id ?? null })
  for (const [url, guard] of [['/access', app.loginRequired], ['/refresh', app.refreshRequired]] as const) {
    app.route({ method: ['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE'], url, preHandler: guard, handler: seen })
  }
  app.route({ method: ['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE'], url: '/open', handler: seen })
  await app.ready()
  await other.ready()

  const expired = await app.dualToken.issueTokens({ user_id: 7 })
  clock.set(NOW)
  const good = await app.dualToken.issueTokens({ user_id: 7 })
  const foreign = await other.dualToken.issueTokens({ user_id: 7 })
  const of = (name: keyof PairReply): Tokens => ({ good: String(good[name]), expired: String(expired[name]), foreign: String(foreign[name]) })
  return { app, tokens: { access: of('token'), refresh: of('refresh_token') } }
}

interface Case {
  readonly authorization: string
  readonly cookie: string
  readonly way: string
  readonly site: string | undefined
  readonly origin: string | undefined
}

const AUTHORIZATIONS = ['none', 'good', 'expired', 'foreign', 'bare', 'basic']
const COOKIES = ['none', 'good', 'expired', 'foreign', 'twice', 'empty', 'other case', 'a0']
const WAYS = ['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE', 'GET, upgrade']
const SITES = [undefined, 'same-origin', 'none', 'same-site', 'cross-site', 'same-origin, same-origin']
const ORIGINS = [undefined, 'null', `https://${HOST}`, LISTED, EVIL]

function * cases (): Generator<Case> {
  for (const authorization of AUTHORIZATIONS) {
    for (const cookie of COOKIES) {
      for (const way of WAYS) {
        for (const site of SITES) for (const origin of ORIGINS) yield { authorization, cookie, way, site, origin }
      }
    }
  }
}

/** Written from the tables of the design, row by row, and from nothing else. */
function expected (kind: Kind, { authorization, cookie, way, site, origin }: Case): { outcome: string, user: boolean } {
  const refused = (reason: string) => ({ outcome: `${kind === 'access' ? 'ACCESS' : 'REFRESH'}_${reason}`, user: false })
  switch (authorization) {
    case 'good': return { outcome: '200', user: true }
    case 'expired': return refused('EXPIRED')
    case 'foreign': return refused('INVALID')
  }
  if (cookie === 'none' || cookie === 'empty' || cookie === 'other case' || cookie === 'a0') return refused('MISSING')
  if (cookie === 'twice') return refused('INVALID')
  const safe = way === 'GET' || way === 'HEAD' || way === 'OPTIONS'
  let proof: boolean
  if (site === 'same-origin' || site === 'none') proof = true
  else if (site !== undefined) proof = origin === LISTED
  else proof = origin === LISTED || origin === `https://${HOST}`
  if (!safe && !proof) return { outcome: 'CROSS_ORIGIN', user: false }
  if (cookie === 'good') return { outcome: '200', user: true }
  return refused(cookie === 'expired' ? 'EXPIRED' : 'INVALID')
}

function headersOf (kind: Kind, tokens: Tokens, { authorization, cookie, way, site, origin }: Case): Record<string, string> {
  const name = kind === 'access' ? ACCESS : REFRESH
  const cookies: Record<string, string> = {
    good: `${name}=${tokens.good}`,
    expired: `${name}=${tokens.expired}`,
    foreign: `${name}=${tokens.foreign}`,
    twice: `${name}=${tokens.good}; ${name}=${tokens.good}`,
    empty: `${name}=`,
    'other case': `${name.toLowerCase()}=${tokens.good}`,
    a0: `\u00a0${name}=${tokens.good}`
  }
  const authorizations: Record<string, string> = { bare: 'Bearer', basic: 'Basic ZGVtbzpkZW1v' }
  return {
    host: HOST,
    ...(cookie !== 'none' && { cookie: `theme=dark; ${cookies[cookie]!}` }),
    ...(authorization !== 'none' && { authorization: authorizations[authorization] ?? `Bearer ${tokens[authorization as keyof Tokens]}` }),
    ...(way.endsWith('upgrade') && { upgrade: 'websocket' }),
    ...(site !== undefined && { 'sec-fetch-site': site }),
    ...(origin !== undefined && { origin })
  }
}

for (const sessions of [false, true]) {
  for (const kind of ['access', 'refresh'] as const) {
    test(`every combination is decided as the table says: ${kind} tokens, ${sessions ? 'with' : 'without'} sessions`, async t => {
      const { app, tokens } = await createServer(t, sessions)
      const wrong: unknown[] = []
      const outcomes: Record<string, number> = {}
      let count = 0
      for (const one of cases()) {
        count++
        const method = one.way.replace(', upgrade', '') as 'GET' | 'HEAD'
        const headers = headersOf(kind, tokens[kind], one)
        const { outcome, user } = expected(kind, one)
        const reply = await app.inject({ method, url: `/${kind}`, headers })
        // A reply to HEAD has no body: its status tells.
        const status = { 200: '200', CROSS_ORIGIN: '403' }[outcome] ?? (kind === 'access' ? '401' : '403')
        const got = method === 'HEAD' ? String(reply.statusCode) : outcomeOf(reply)
        if (got !== (method === 'HEAD' ? status : outcome)) wrong.push([one, got, outcome])
        if (user && method !== 'HEAD' && reply.json().user !== 7) wrong.push([one, reply.body])
        outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
        // The hook looks for an access token, and shows nobody where a guard would refuse.
        if (kind === 'access' && method !== 'HEAD') {
          const open = await app.inject({ method, url: '/open', headers })
          if (open.statusCode !== 200 || open.json().user !== (user ? 7 : null)) wrong.push([one, 'open', open.body])
        }
      }
      t.strictSame(wrong.slice(0, 3), [], `${wrong.length} wrong of ${count}`)
      t.ok(count > 5_000)
      for (const outcome of ['200', 'CROSS_ORIGIN', ...['MISSING', 'INVALID', 'EXPIRED'].map(reason => `${kind === 'access' ? 'ACCESS' : 'REFRESH'}_${reason}`)]) {
        t.ok(outcomes[outcome]! > 40, `${outcome}: ${outcomes[outcome]}`)
      }
    })
  }
}

test('two Authorization lines are INVALID, whatever the cookie says', async t => {
  const { app, tokens } = await createServer(t, false)
  const port = await listen(app)
  for (const kind of ['access', 'refresh'] as const) {
    const { good } = tokens[kind]
    const lines = [`Authorization: Bearer ${good}`, `Authorization: Bearer ${good}`, `Cookie: ${kind === 'access' ? ACCESS : REFRESH}=${good}`, 'Sec-Fetch-Site: same-origin']
    for (const method of ['GET', 'POST']) {
      t.equal(JSON.parse((await ask(port, `${method} /${kind}`, lines)).body).code, `FST_DUAL_TOKEN_${kind.toUpperCase()}_INVALID`)
    }
  }
})

test('over a real socket, two Cookie lines are one header, and two cookies of one name are INVALID', async t => {
  const { app, tokens: { access: { good } } } = await createServer(t, false)
  const port = await listen(app)
  const codeOf = async (...lines: string[]) => { const reply = await ask(port, 'GET /access', lines); return reply.status === 200 ? '200' : JSON.parse(reply.body).code }
  t.equal(await codeOf('Cookie: theme=dark', `Cookie: ${ACCESS}=${good}`), '200')
  t.equal(await codeOf(`Cookie: ${ACCESS}=${good}`, `Cookie: ${ACCESS}=${good}`), 'FST_DUAL_TOKEN_ACCESS_INVALID')
  t.equal(await codeOf(`Cookie: \xa0${ACCESS}=evil`, `Cookie: ${ACCESS}=${good}`), '200', 'a planted name takes nothing away')
  t.equal(await codeOf(`Cookie: \xa0${ACCESS}=${good}`), 'FST_DUAL_TOKEN_ACCESS_MISSING')
})

test('a WebSocket handshake of another origin, or of none, is nobody', async t => {
  const { app, tokens: { access: { good } } } = await createServer(t, false)
  const port = await listen(app)
  // Without `Connection: upgrade` Node.js takes it for a request; Chromium sends no Sec-Fetch headers here.
  const shake = async (...lines: string[]) => (await ask(port, 'GET /open', [`Cookie: ${ACCESS}=${good}`, 'Upgrade: websocket', ...lines])).body
  t.equal(await shake(`Origin: ${EVIL}`), '{"user":null}')
  t.equal(await shake('Origin: null'), '{"user":null}')
  t.equal(await shake(), '{"user":null}')
  t.equal(await shake('Origin: http://localhost'), '{"user":7}')
  t.equal(await shake(`Origin: ${LISTED}`), '{"user":7}')
})

test('login CSRF: no foreign page signs its visitor in', async t => {
  const { app } = await createServer(t, true)
  for (const headers of [{ origin: EVIL }, { origin: 'null' }, { origin: EVIL, 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }]) {
    const reply = await app.inject({ method: 'POST', url: PATH, headers: { host: HOST, ...headers }, payload: {} })
    t.equal(outcomeOf(reply), 'CROSS_ORIGIN')
    t.equal(reply.headers['set-cookie'], undefined)
  }
  const forms = ['application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'text/plain']
  for (const type of forms) {
    const reply = await app.inject({ method: 'POST', url: PATH, headers: { host: HOST, ...OWN_PAGE, 'content-type': type }, payload: '{"password":"good"}' })
    t.equal(reply.statusCode, 415, 'and a form never gets there')
  }
})

/** The steps as the plugin puts them together, with another proof. */
async function createWithProof (t: Test, proves: boolean | undefined): Promise<FastifyInstance> {
  const jar = createCookieJar(readCookies({ access: true }), createClock().now)
  const accept = (token: string): Accepted => {
    const claims = token === 'refresh' ? refreshClaims() : accessClaims()
    return { claims: claims as unknown as Accepted['claims'], refusal: null, from: 0, until: Infinity, token }
  }
  const authentication = createAuthentication(accept, createLocate(null, proves === undefined ? jar : { ...jar, isOwnPage: () => proves }))
  const { slot, hook } = authentication
  const guards = createGuards(authentication, createRefusals(undefined), { sessions: null, cookies: null })
  const app = Fastify()
  t.teardown(() => app.close())
  app.decorateRequest('user', null)
  app.decorateRequest(slot, null)
  app.addHook('onRequest', hook)
  app.post('/transfer', { preHandler: guards.loginRequired }, async () => 'transferred')
  app.post('/renew', { preHandler: guards.refreshRequired }, async () => 'renewed')
  return app
}

test('the attack succeeds once the proof is switched off', async t => {
  const attack = { host: HOST, origin: EVIL, 'sec-fetch-site': 'cross-site', cookie: `${ACCESS}=access; ${REFRESH}=refresh` }
  for (const [proof, outcome] of [[undefined, 'CROSS_ORIGIN'], [false, 'CROSS_ORIGIN'], [true, '200']] as const) {
    const app = await createWithProof(t, proof)
    for (const url of ['/transfer', '/renew']) {
      t.equal(outcomeOf(await app.inject({ method: 'POST', url, headers: attack })), outcome, `${url}, proof ${String(proof)}`)
    }
  }
})
