// The ready routes by cookie, row by row, and other cookies on the same replies.
import { setImmediate as nextTurn } from 'node:timers/promises'
import fastifyCookie from '@fastify/cookie'
import Fastify, { type InjectOptions, type LightMyRequestResponse } from 'fastify'
import { test, type Test } from 'tap'
import { dualToken, memoryStore, type DualTokenOptions } from '../../lib/index.ts'
import { bearer, createApp, createClock, type App } from '../support/app.ts'
import { ACCESS, carry, CLEARED, cookiesOf, linesOf, OWN_PAGE, REFRESH } from '../support/cookies.ts'
import { createSessionApp, createToldStore, FAILURES, outcomeOf, PATH, type SessionApp } from '../support/session-app.ts'
import { ACCESS_LIFETIME, accessToken, claimsIn, NOW, OTHER_SECRET, REFRESH_LIFETIME, refreshToken, SECRET } from '../support/tokens.ts'
import { listen, sendBytes } from '../support/wire.ts'

const CROSS_SITE = { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }
const POST: InjectOptions & { url: string } = { method: 'POST', url: PATH, payload: { password: 'good' } }
const PUT: InjectOptions & { url: string } = { method: 'PUT', url: PATH }
const DELETE: InjectOptions & { url: string } = { method: 'DELETE', url: PATH }

const lineOf = (name: string, value: string, maxAge: number): string =>
  `${name}=${value}; Max-Age=${maxAge}; Path=/; Secure; HttpOnly; SameSite=${name === REFRESH ? 'Strict' : 'Lax'}`

for (const sessions of [false, true]) {
  const how = sessions ? 'with sessions' : 'without sessions'
  const create = async (t: Test, options: Partial<DualTokenOptions> = {}): Promise<App & Partial<SessionApp>> =>
    await (sessions ? createSessionApp(t, options as object) : createApp(t, options as object))

  test(`POST of a page of ours answers by cookie, ${how}`, async t => {
    for (const access of [false, true]) {
      const { app } = await create(t, { cookies: { access, origins: ['https://app.example'] } })
      for (const headers of [OWN_PAGE, { origin: 'http://localhost:80' }, { 'sec-fetch-site': 'same-site', origin: 'https://app.example' }]) {
        const reply = await app.inject({ ...POST, headers })
        t.equal(reply.statusCode, 201)
        const cookies = cookiesOf(reply)
        t.strictSame(linesOf(reply), [
          lineOf(REFRESH, cookies[REFRESH]!, REFRESH_LIFETIME),
          ...access ? [lineOf(ACCESS, cookies[ACCESS]!, REFRESH_LIFETIME)] : []
        ])
        const body = reply.json()
        t.strictSame(Object.keys(body), [...access ? [] : ['token'], 'token_type', 'expires_in'])
        t.strictSame([body.token_type, body.expires_in], ['Bearer', ACCESS_LIFETIME])
        t.equal(reply.headers['cache-control'], 'no-store')
        t.equal((await app.inject({ url: '/me', headers: access ? carry(cookies) : bearer(body.token) })).statusCode, 200)
      }
    }
  })

  test(`POST of anything but a browser answers JSON as before, ${how}`, async t => {
    const { app } = await create(t, { cookies: { access: true } })
    const reply = await app.inject({ ...POST, headers: { cookie: `${REFRESH}=x`, 'user-agent': 'Mozilla/5.0', referer: 'https://evil.example/' } })
    t.equal(reply.statusCode, 201)
    t.strictSame(linesOf(reply), [])
    t.strictSame(Object.keys(reply.json()), ['token', 'refresh_token', 'token_type', 'expires_in'])
  })

  test(`POST of a foreign page is refused before login runs, ${how}`, async t => {
    let logins = 0
    const { app } = await create(t, { cookies: true, routes: { login: () => { logins++; return { user_id: 7 } } } })
    for (const headers of [CROSS_SITE, { origin: 'null' }, { origin: 'https://localhost:8080' }, { 'sec-fetch-site': 'same-site' }]) {
      const reply = await app.inject({ ...POST, headers })
      t.strictSame(reply.json(), { statusCode: 403, code: 'FST_DUAL_TOKEN_CROSS_ORIGIN', error: 'Forbidden', message: 'Not allowed from this origin.' })
      t.equal(reply.headers['www-authenticate'], undefined)
      t.equal(reply.headers['cache-control'], 'no-store')
      t.strictSame(linesOf(reply), [])
    }
    t.equal(logins, 0)
  })

  test(`POST that is refused sets no cookie, ${how}`, async t => {
    const { app } = await create(t, { cookies: { access: true } })
    const reply = await app.inject({ ...POST, payload: { password: 'bad' }, headers: OWN_PAGE })
    t.equal(outcomeOf(reply), 'LOGIN_REFUSED')
    t.strictSame(linesOf(reply), [])
  })

  test(`PUT answers the way it was asked, ${how}`, async t => {
    for (const access of [false, true]) {
      const { app, clock } = await create(t, { cookies: { access } })
      const cookies = cookiesOf(await app.inject({ ...POST, headers: OWN_PAGE }))
      clock.advance(100)
      const renewed = await app.inject({ ...PUT, headers: { ...OWN_PAGE, ...carry(cookies) } })
      t.equal(renewed.statusCode, 201)
      const now = cookiesOf(renewed)
      t.strictSame(linesOf(renewed), [
        ...sessions ? [lineOf(REFRESH, now[REFRESH]!, REFRESH_LIFETIME - 100)] : [],
        ...access ? [lineOf(ACCESS, now[ACCESS]!, REFRESH_LIFETIME - 100)] : []
      ], 'the refresh line only when it rotated, both for the life that is left')
      t.strictSame(Object.keys(renewed.json()), [...access ? [] : ['token'], 'token_type', 'expires_in'])
      const token = access ? now[ACCESS]! : renewed.json().token
      t.equal((await app.inject({ url: '/me', headers: bearer(token) })).statusCode, 200)

      const pair = (await app.inject(POST)).json()
      for (const headers of [OWN_PAGE, CROSS_SITE, {}]) {
        const reply = await app.inject({ ...PUT, headers: { ...headers, ...carry(cookies), ...bearer(pair.refresh_token) } })
        t.equal(reply.statusCode, 201)
        t.strictSame(linesOf(reply), [], 'a Bearer token comes first')
        t.strictSame(Object.keys(reply.json()), sessions ? ['token', 'refresh_token', 'token_type', 'expires_in'] : ['token', 'token_type', 'expires_in'])
      }
    }
  })

  test(`PUT that is refused leaves the cookies alone, ${how}`, async t => {
    const { app, clock } = await create(t, { cookies: { access: true } })
    const cookies = cookiesOf(await app.inject({ ...POST, headers: OWN_PAGE }))
    const put = async (headers: Record<string, string>): Promise<string> => {
      const reply = await app.inject({ ...PUT, headers })
      t.strictSame(linesOf(reply), [])
      return outcomeOf(reply)
    }
    t.equal(await put(carry(cookies)), 'CROSS_ORIGIN')
    t.equal(await put({ ...CROSS_SITE, ...carry(cookies) }), 'CROSS_ORIGIN')
    t.equal(await put({ ...OWN_PAGE }), 'REFRESH_MISSING')
    t.equal(await put(CROSS_SITE), 'REFRESH_MISSING')
    t.equal(await put({ ...OWN_PAGE, ...carry({ [ACCESS]: cookies[ACCESS]! }) }), 'REFRESH_MISSING')
    t.equal(await put({ ...OWN_PAGE, ...carry({ [REFRESH]: 'x' }) }), 'REFRESH_INVALID')
    t.equal(await put({ ...OWN_PAGE, ...carry({ [REFRESH]: cookies[ACCESS]! }) }), 'REFRESH_IS_ACCESS')
    t.equal(await put({ ...OWN_PAGE, cookie: `${REFRESH}=a; ${REFRESH}=b` }), 'REFRESH_INVALID')
    t.equal(await put({ ...OWN_PAGE, ...carry(cookies), ...bearer('x') }), 'REFRESH_INVALID')
    clock.advance(REFRESH_LIFETIME + 1)
    t.equal(await put({ ...OWN_PAGE, ...carry(cookies) }), 'REFRESH_EXPIRED')
  })

  test(`claims of the application are in the access token alone, ${how}`, async t => {
    const { app } = await create(t, { cookies: true })
    for (const headers of [OWN_PAGE, {}]) {
      const reply = await app.inject({ ...POST, headers })
      const { token, refresh_token: refreshed = cookiesOf(reply)[REFRESH] } = reply.json()
      t.equal(claimsIn(token).role, 'member')
      const { user_id: userId, refresh, iat, exp, sid, gen, n, ...rest } = claimsIn(refreshed)
      t.strictSame([userId, refresh, iat, exp, rest], [7, true, NOW, NOW + REFRESH_LIFETIME, {}])
      t.equal([sid, gen, n].every(claim => claim === undefined), !sessions)
    }
  })

  test(`routes.reply gives the body its shape and never sees what went into a cookie, ${how}`, async t => {
    const seen: string[][] = []
    const { app } = await create(t, {
      cookies: true,
      routes: {
        login: () => ({ user_id: 7 }),
        reply: async (tokens, request) => {
          seen.push(Object.keys(tokens))
          return { accessToken: tokens.token, refreshToken: tokens.refresh_token ?? null, method: request.method }
        }
      }
    })
    const byCookie = await app.inject({ ...POST, headers: OWN_PAGE })
    t.match(byCookie.json(), { accessToken: /^eyJ/, refreshToken: null, method: 'POST' })
    t.strictSame(Object.keys(cookiesOf(byCookie)), [REFRESH])
    t.match((await app.inject({ ...PUT, headers: { ...OWN_PAGE, ...carry(cookiesOf(byCookie)) } })).json(), { accessToken: /^eyJ/, refreshToken: null, method: 'PUT' })
    const inJson = (await app.inject(POST)).json()
    t.match(inJson, { accessToken: /^eyJ/, refreshToken: /^eyJ/, method: 'POST' })
    t.match((await app.inject({ ...PUT, headers: bearer(inJson.refreshToken) })).json(), { accessToken: /^eyJ/, method: 'PUT' })
    t.strictSame(seen.slice(0, 3), [
      ['token', 'token_type', 'expires_in'], ['token', 'token_type', 'expires_in'], ['token', 'refresh_token', 'token_type', 'expires_in']
    ])
  })

  test(`a reply to a user known by cookie is private unless something else was said, ${how}`, async t => {
    const { app } = await createApp(t, { cookies: { access: true }, ...(sessions && { sessions: { store: memoryStore() } }) })
    app.get('/public', async (_request, reply) => reply.header('cache-control', 'public, max-age=60').send('in'))
    app.get('/renewals', { preHandler: app.refreshRequired }, async () => 'in')
    const cookies = cookiesOf(await app.inject({ ...POST, headers: OWN_PAGE }))
    const cached = async (url: string, headers: Record<string, string>) => (await app.inject({ url, headers })).headers['cache-control']
    for (const url of ['/me', '/open', '/missing', '/renewals']) t.equal(await cached(url, carry(cookies)), 'private', url)
    t.equal(await cached('/public', carry(cookies)), 'public, max-age=60')
    for (const headers of [bearer(cookies[ACCESS]!), {}, carry({ [ACCESS]: 'x' })] as Array<Record<string, string>>) t.equal(await cached('/open', headers), undefined)
    t.equal(await cached('/open', carry({ [REFRESH]: cookies[REFRESH]! })), undefined, 'an open route does not look at the refresh cookie')
  })

  test(`the handler behind refreshRequired sees the claims of the cookie, ${how}`, async t => {
    for (const access of [false, true]) {
      const { app } = await create(t, { cookies: { access } })
      const cookies = cookiesOf(await app.inject({ ...POST, headers: OWN_PAGE }))
      t.match((await app.inject({ url: '/renewal', headers: carry(cookies) })).json(), { user: { user_id: 7, refresh: true } })
    }
  })
}

test('sessions that do not rotate keep the refresh cookie as it is', async t => {
  const { app, clock } = await createSessionApp(t, { cookies: { access: true }, sessions: { rotate: false } })
  const cookies = cookiesOf(await app.inject({ ...POST, headers: OWN_PAGE }))
  clock.advance(1000)
  const reply = await app.inject({ ...PUT, headers: { ...OWN_PAGE, ...carry(cookies) } })
  t.strictSame(linesOf(reply), [lineOf(ACCESS, cookiesOf(reply)[ACCESS]!, REFRESH_LIFETIME - 1000)])
})

test('a store that is down keeps the cookies, and the same cookies work afterwards', async t => {
  const { app, instead } = await createSessionApp(t, { cookies: { access: true } })
  const cookies = cookiesOf(await app.inject({ ...POST, headers: OWN_PAGE }))
  const headers = { ...OWN_PAGE, ...carry(cookies) }
  for (const fail of Object.values(FAILURES)) {
    for (const method of ['create', 'rotate', 'revoke', 'revokeUser'] as const) instead.set(method, fail)
    for (const request of [POST, PUT, DELETE, { ...DELETE, url: `${PATH}/sessions` }]) {
      const reply = await app.inject({ ...request, headers })
      t.equal(outcomeOf(reply), 'STORE_UNAVAILABLE')
      t.strictSame(linesOf(reply), [])
    }
    instead.clear()
  }
  t.equal((await app.inject({ ...PUT, headers })).statusCode, 201)
})

test('DELETE by cookie ends the session and clears both cookies, twice too', async t => {
  for (const access of [false, true]) {
    const { app, me, events } = await createSessionApp(t, { cookies: { access } })
    const signedIn = await app.inject({ ...POST, headers: OWN_PAGE })
    const cookies = cookiesOf(signedIn)
    const token = cookies[ACCESS] ?? signedIn.json().token
    for (let i = 0; i < 2; i++) {
      const reply = await app.inject({ ...DELETE, headers: { ...OWN_PAGE, ...carry(cookies) } })
      t.equal(reply.statusCode, 204)
      t.strictSame(linesOf(reply), CLEARED)
      t.equal(reply.headers['cache-control'], 'no-store')
    }
    t.equal(await me(token), 'ACCESS_REVOKED')
    t.match(events.find(({ type }) => type === 'revoked'), { userId: 7, reason: 'logout' })
    t.equal(outcomeOf(await app.inject({ ...PUT, headers: { ...OWN_PAGE, ...carry(cookies) } })), 'REFRESH_REVOKED')
  }
})

test('DELETE looks at the refresh cookie, then at the access cookie', async t => {
  const { app, me } = await createSessionApp(t, { cookies: { access: true } })
  const one = cookiesOf(await app.inject({ ...POST, headers: OWN_PAGE }))
  const other = cookiesOf(await app.inject({ ...POST, headers: OWN_PAGE }))
  await app.inject({ ...DELETE, headers: { ...OWN_PAGE, ...carry({ [ACCESS]: one[ACCESS]!, [REFRESH]: other[REFRESH]! }) } })
  t.strictSame([await me(one[ACCESS]!), await me(other[ACCESS]!)], ['200', 'ACCESS_REVOKED'])
  const reply = await app.inject({ ...DELETE, headers: { ...OWN_PAGE, ...carry({ [ACCESS]: one[ACCESS]! }) } })
  t.equal(reply.statusCode, 204)
  t.equal(await me(one[ACCESS]!), 'ACCESS_REVOKED')
})

test('DELETE with an invalid token still clears both cookies; without proof it does nothing', async t => {
  const { app, clock } = await createSessionApp(t, { cookies: { access: true } })
  const remove = async (headers: Record<string, string>): Promise<[string, string[]]> => {
    const reply = await app.inject({ ...DELETE, headers })
    return [outcomeOf(reply), linesOf(reply)]
  }
  const foreign = refreshToken({ sid: 'A'.repeat(22), gen: 0, n: 'A'.repeat(22) }, OTHER_SECRET)
  for (const cookie of [`${REFRESH}=x`, `${REFRESH}=${foreign}`, `${ACCESS}=x`, `${REFRESH}=a; ${REFRESH}=b`]) {
    t.strictSame(await remove({ ...OWN_PAGE, cookie }), ['ACCESS_INVALID', CLEARED], cookie)
  }
  t.strictSame(await remove(OWN_PAGE), ['ACCESS_MISSING', CLEARED])
  t.strictSame(await remove({}), ['ACCESS_MISSING', []])
  t.strictSame(await remove(CROSS_SITE), ['ACCESS_MISSING', []])
  const cookies = cookiesOf(await app.inject({ ...POST, headers: OWN_PAGE }))
  t.strictSame(await remove(carry(cookies)), ['CROSS_ORIGIN', []])
  t.strictSame(await remove({ ...CROSS_SITE, ...carry(cookies) }), ['CROSS_ORIGIN', []])
  t.equal((await app.inject({ url: '/me', headers: carry(cookies) })).statusCode, 200)
  clock.advance(REFRESH_LIFETIME + 1)
  t.strictSame(await remove({ ...OWN_PAGE, ...carry(cookies) }), ['204', CLEARED], 'an expired token signs out too')
})

test('DELETE with a Bearer token works as before, and clears cookies when a page of ours has sent it', async t => {
  const { app, me } = await createSessionApp(t, { cookies: true })
  for (const [headers, lines] of [[OWN_PAGE, CLEARED], [{}, []], [CROSS_SITE, []]] as Array<[Record<string, string>, string[]]>) {
    const { token } = (await app.inject(POST)).json()
    const reply = await app.inject({ ...DELETE, headers: { ...headers, ...bearer(token), cookie: `${REFRESH}=x` } })
    t.equal(reply.statusCode, 204)
    t.strictSame(linesOf(reply), lines)
    t.equal(await me(token), 'ACCESS_REVOKED')
  }
})

test('DELETE without sessions clears the cookies of a page of ours, whatever is in them', async t => {
  const { app } = await createApp(t, { cookies: true })
  for (const headers of [{}, carry({ [REFRESH]: 'x' }), bearer(accessToken())] as Array<Record<string, string>>) {
    const cleared = await app.inject({ ...DELETE, headers: { ...OWN_PAGE, ...headers }, payload: 'anything' })
    t.equal(cleared.statusCode, 204)
    t.strictSame(linesOf(cleared), CLEARED)
    for (const origin of [{}, CROSS_SITE]) {
      const refused = await app.inject({ ...DELETE, headers: { ...origin, ...headers } })
      t.equal(outcomeOf(refused), 'CROSS_ORIGIN')
      t.strictSame(linesOf(refused), [])
    }
  }
})

test("ending one's own session in the list clears the cookies, ending another one does not", async t => {
  const { app } = await createSessionApp(t, { cookies: { access: true } })
  const [own, other] = [cookiesOf(await app.inject({ ...POST, headers: OWN_PAGE })), cookiesOf(await app.inject({ ...POST, headers: OWN_PAGE }))]
  const headers = { ...OWN_PAGE, ...carry(own) }
  const url = (cookies: Record<string, string>): string => `${PATH}/sessions/${String(claimsIn(cookies[ACCESS]!).sid)}`
  const outcome = async (request: InjectOptions): Promise<[string, string[]]> => {
    const reply = await app.inject({ method: 'DELETE', headers, ...request })
    return [outcomeOf(reply), linesOf(reply)]
  }
  t.equal((await app.inject({ url: `${PATH}/sessions`, headers: carry(own) })).json().sessions.length, 2)
  t.strictSame(await outcome({ url: url(own), headers: carry(own) }), ['CROSS_ORIGIN', []])
  t.strictSame(await outcome({ url: `${PATH}/sessions`, headers: { ...CROSS_SITE, ...carry(own) } }), ['CROSS_ORIGIN', []])
  t.strictSame(await outcome({ url: url(other) }), ['204', []])
  t.strictSame(await outcome({ url: url(other) }), ['SESSION_UNKNOWN', []])
  t.strictSame(await outcome({ url: url(own), headers: bearer(own[ACCESS]!) }), ['204', []], 'no browser, no cookies')
  const third = cookiesOf(await app.inject({ ...POST, headers: OWN_PAGE }))
  t.strictSame(await outcome({ url: url(third), headers: { ...OWN_PAGE, ...carry(third) } }), ['204', CLEARED])
  const fourth = cookiesOf(await app.inject({ ...POST, headers: OWN_PAGE }))
  t.strictSame(await outcome({ url: `${PATH}/sessions`, headers: { ...OWN_PAGE, ...carry(fourth) } }), ['204', CLEARED])
})

test('concurrent refreshes of one cookie end with the same cookie', async t => {
  const { app } = await createSessionApp(t, { cookies: true })
  const headers = { ...OWN_PAGE, ...carry(cookiesOf(await app.inject({ ...POST, headers: OWN_PAGE }))) }
  const replies = await Promise.all(Array.from({ length: 20 }, async () => await app.inject({ ...PUT, headers })))
  t.equal(new Set(replies.map(reply => cookiesOf(reply)[REFRESH])).size, 1)
})

test('two registrations of different names on one host share no cookie', async t => {
  const app = Fastify()
  t.teardown(() => app.close())
  const names = ['admin', 'shop']
  for (const name of names) {
    await app.register(async context => {
      await context.register(dualToken, { secret: SECRET, routes: { login: () => ({ user_id: name }) }, cookies: { access: true, name } })
      context.get('/me', { preHandler: context.loginRequired }, async request => request.user)
    }, { prefix: `/${name}` })
  }
  const jars = await Promise.all(names.map(async name => cookiesOf(await app.inject({ ...POST, url: `/${name}${PATH}`, headers: OWN_PAGE }))))
  t.strictSame(Object.keys(jars[0]!), ['__Host-Http-admin_refresh_token', '__Host-Http-admin_access_token'])
  const both = carry({ ...jars[0], ...jars[1] })
  for (const name of names) t.equal((await app.inject({ url: `/${name}/me`, headers: both })).json().user_id, name)
  t.equal(outcomeOf(await app.inject({ url: '/shop/me', headers: carry(jars[0]!) })), 'ACCESS_MISSING')
})

test('without Secure the cookies have plain names', async t => {
  const { app } = await createApp(t, { cookies: { secure: false } })
  const reply = await app.inject({ ...POST, headers: OWN_PAGE })
  const value = cookiesOf(reply).refresh_token!
  t.strictSame(linesOf(reply), [`refresh_token=${value}; Max-Age=${REFRESH_LIFETIME}; Path=/; HttpOnly; SameSite=Strict`])
  t.equal((await app.inject({ ...PUT, headers: { ...OWN_PAGE, cookie: `refresh_token=${value}` } })).statusCode, 201)
  t.equal(outcomeOf(await app.inject({ ...PUT, headers: { ...OWN_PAGE, cookie: `${REFRESH}=${value}` } })), 'REFRESH_MISSING')
})

test('setCookies and clearCookies serve sign-ins of the application', async t => {
  const { app } = await createApp(t, { routes: false, cookies: { access: true } })
  app.get('/callback', async (_request, reply) => {
    const left = app.dualToken.setCookies(reply, await app.dualToken.issueTokens({ user_id: 7 }))
    t.strictSame(left, { token_type: 'Bearer', expires_in: ACCESS_LIFETIME })
    return reply.redirect('/')
  })
  app.get('/goodbye', async (_request, reply) => {
    app.dualToken.clearCookies(reply)
    return reply.redirect('/')
  })
  const reply = await app.inject('/callback')
  t.equal(reply.statusCode, 302)
  t.equal((await app.inject({ url: '/me', headers: carry(cookiesOf(reply)) })).statusCode, 200)
  t.strictSame(linesOf(await app.inject('/goodbye')), CLEARED)
})

test('an access token alone lives in its cookie as long as the sign-in whose refresh cookie came along', async t => {
  const { app, clock } = await createApp(t, { cookies: { access: true }, sessions: { store: memoryStore() } })
  app.post('/second-factor', { preHandler: app.loginRequired }, async (request, reply) => {
    const { user_id: userId, sid } = request.user!
    return app.dualToken.setCookies(reply, await app.dualToken.issueTokens({ user_id: userId }, { session: sid! }))
  })
  const cookies = cookiesOf(await app.inject({ ...POST, headers: OWN_PAGE }))
  clock.advance(3600)
  const prove = async (carried: Record<string, string>) => {
    const reply = await app.inject({ method: 'POST', url: '/second-factor', headers: { ...OWN_PAGE, ...carry(carried) } })
    return linesOf(reply).map(line => line.replace(/=[^;]+/, ''))
  }
  const lineFor = (maxAge: number): string => `${ACCESS}; Max-Age=${maxAge}; Path=/; Secure; HttpOnly; SameSite=Lax`
  t.strictSame(await prove(cookies), [lineFor(REFRESH_LIFETIME - 3600)])
  for (const refresh of ['', 'x', cookies[ACCESS]!]) t.strictSame(await prove({ ...cookies, [REFRESH]: refresh }), [lineFor(ACCESS_LIFETIME)])
})

test('no cache keeps a reply on which setCookies writes, unless something else was said', async t => {
  const { app } = await createApp(t, { cookies: { access: true } })
  const control = ['cache-control', 'private, max-age=1'] as const
  app.get('/after', async (_request, reply) => {
    app.dualToken.setCookies(reply, await app.dualToken.issueTokens({ user_id: 7 }))
    return 'in'
  })
  app.get('/before', async (_request, reply) => {
    app.dualToken.setCookies(reply.header(...control), await app.dualToken.issueTokens({ user_id: 7 }))
    return 'in'
  })
  const signedIn = await app.inject('/after')
  t.equal(signedIn.headers['cache-control'], 'no-store')
  t.equal((await app.inject('/before')).headers['cache-control'], control[1])
  t.equal((await app.inject({ url: '/after', headers: carry(cookiesOf(signedIn)) })).headers['cache-control'], 'private')
})

test('only tokens are written', async t => {
  const { app } = await createApp(t, { cookies: { access: true } })
  app.get('/', async (_request, reply) => {
    for (const tokens of [undefined, null, {}, 'token', { token: 7 }, { token: 'x' }]) {
      t.throws(() => app.dualToken.setCookies(reply, tokens as never), {
        code: 'FST_DUAL_TOKEN_OPTION_INVALID', message: 'Option tokens of setCookies must be tokens as issueTokens makes them.'
      })
    }
    return 'in'
  })
  t.strictSame(linesOf(await app.inject('/')), [])
})

test('setCookies and clearCookies need the option', async t => {
  const { app } = await createApp(t)
  app.get('/', async (_request, reply) => {
    const { setCookies, clearCookies } = app.dualToken
    const tokens = await app.dualToken.issueTokens({ user_id: 7 })
    t.throws(() => setCookies(reply, tokens), { code: 'FST_DUAL_TOKEN_OPTION_INVALID', message: 'Option cookies is required for setCookies.' })
    t.throws(() => clearCookies(reply), { code: 'FST_DUAL_TOKEN_OPTION_INVALID', message: 'Option cookies is required for clearCookies.' })
    return 'in'
  })
  t.strictSame(linesOf(await app.inject('/')), [])
})

// 4 × 2: how many cookies the application sets itself and how, and who is registered first.
for (const first of ['ours', '@fastify/cookie'] as const) {
  const own: Record<string, (reply: { setCookie: (name: string, value: string) => unknown, header: (name: string, value: unknown) => unknown }) => void> = {
    'no cookie': () => {},
    'one cookie': reply => { reply.setCookie('theme', 'dark') },
    'two cookies': reply => { reply.setCookie('theme', 'dark'); reply.setCookie('lang', 'en') },
    'a line and a cookie': reply => { reply.header('set-cookie', 'theme=dark'); reply.setCookie('lang', 'en') }
  }
  for (const [name, setOwn] of Object.entries(own)) {
    test(`with @fastify/cookie beside us, ${first} first, and ${name} of the application, every line is there`, async t => {
      const app = Fastify()
      t.teardown(() => app.close())
      const ours: DualTokenOptions = {
        secret: SECRET,
        now: createClock().now,
        cookies: { access: true },
        routes: { login: () => ({ user_id: 7 }), onRequest: async (_request, reply) => setOwn(reply as never) }
      }
      if (first === '@fastify/cookie') await app.register(fastifyCookie)
      await app.register(dualToken, ours)
      if (first === 'ours') await app.register(fastifyCookie)
      app.get('/me', { preHandler: app.loginRequired }, async request => request.cookies)

      const names = { 'no cookie': [], 'one cookie': ['theme'], 'two cookies': ['theme', 'lang'], 'a line and a cookie': ['theme', 'lang'] }[name]!
      for (let i = 0; i < 2; i++) {
        const reply = await app.inject({ ...POST, headers: OWN_PAGE })
        t.strictSame(Object.keys(cookiesOf(reply)).sort(), [ACCESS, REFRESH, ...names].sort())
        t.equal(linesOf(reply).length, 2 + names.length)
        t.strictSame((await app.inject({ url: '/me', headers: carry(cookiesOf(reply)) })).json(), cookiesOf(reply))
        const cleared = await app.inject({ ...DELETE, headers: OWN_PAGE })
        t.equal(cleared.statusCode, 204)
        t.strictSame(linesOf(cleared).filter(line => CLEARED.includes(line)), CLEARED)
      }
    })
  }
}

test('without the option nothing of cookies is on the wire: the same bytes, whatever a browser sends', async t => {
  const signed: Record<string, string> = { [REFRESH]: refreshToken(), [ACCESS]: accessToken() }
  const browser = ['Origin: https://evil.example', 'Sec-Fetch-Site: cross-site', `Cookie: ${carry(signed).cookie}; refresh_token=${refreshToken()}`]
  const { app: absent } = await createApp(t)
  const { app: off } = await createApp(t, { cookies: false, extract: undefined })
  const ports = [await listen(absent), await listen(off)]
  const body = '{"password":"good"}'
  const requests: Array<[string, string[], string]> = [
    [`POST ${PATH}`, ['Content-Type: application/json'], body],
    [`POST ${PATH}`, ['Content-Type: application/json'], '{"password":"bad"}'],
    ...[[], [`Authorization: Bearer ${accessToken()}`], [`Authorization: Bearer ${refreshToken()}`], ['Authorization: Bearer x']].flatMap(authorization =>
      [`PUT ${PATH}`, `DELETE ${PATH}`, 'GET /me', 'GET /open', 'GET /renewal', 'POST /me'].map((target): [string, string[], string] => [target, authorization, '']))
  ]
  const answer = async (port: number, target: string, lines: string[], payload: string): Promise<string> => {
    const head = [`${target} HTTP/1.1`, 'Host: localhost', 'Connection: close', `Content-Length: ${payload.length}`, ...lines].join('\r\n')
    return (await sendBytes(port, `${head}\r\n\r\n${payload}`)).replace(/^Date: .*\r\n/m, '')
  }
  for (const [target, lines, payload] of requests) {
    const plain = await answer(ports[0]!, target, lines, payload)
    t.equal(await answer(ports[1]!, target, [...browser, ...lines], payload), plain, `${target} ${lines.join()}`)
    t.equal(await answer(ports[0]!, target, [...browser, ...lines], payload), plain)
    t.notMatch(plain, /set-cookie|cross_origin|private/i)
  }
})

test('a token by header is answered with the same bytes, cookies on or off', async t => {
  const answers = await Promise.all([undefined, true, { access: true }].map(async cookies => {
    const { app } = await createApp(t, { cookies })
    await nextTurn()
    const replies: LightMyRequestResponse[] = []
    for (const headers of [bearer(accessToken()), bearer(refreshToken()), bearer('x'), {}] as Array<Record<string, string>>) {
      for (const url of ['/me', '/open', '/renewal', '/missing']) replies.push(await app.inject({ url, headers }))
      replies.push(await app.inject({ ...PUT, headers }))
    }
    return replies.map(({ statusCode, headers: { date, ...headers }, body }) => ({ statusCode, headers, body }))
  }))
  t.strictSame(answers[1], answers[0])
  t.strictSame(answers[2], answers[0])
})

test('a sign-in to a full store sets no cookie', async t => {
  const told = createToldStore()
  const { app, instead } = await createSessionApp(t, { told, cookies: true })
  instead.set('create', async () => { throw new Error('full') })
  const reply = await app.inject({ ...POST, headers: OWN_PAGE })
  t.equal(outcomeOf(reply), 'STORE_UNAVAILABLE')
  t.strictSame(linesOf(reply), [])
})
