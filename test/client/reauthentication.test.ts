// Both clients against a server that listens: a route that asks for a recent sign-in, and credentials that are given again.
import { test, type Test } from 'tap'
import { AuthorizationError, createCookieClient, createTokenClient, type ClientOptions, type CookieClient, type TokenClient } from '../../lib/client/index.ts'
import { createGate, createStorage, startClientApp, type ClientApp, type ClientAppOptions } from '../support/client-app.ts'
import { createJar } from '../support/tabs.ts'
import { ACCESS_LIFETIME } from '../support/tokens.ts'

const GOOD = { password: 'good' }
const KINDS = ['in a storage', 'in the page', 'in cookies'] as const
const REAUTHENTICATION = 'POST /authorizations/reauthentication'

interface Setting extends ClientApp {
  readonly client: TokenClient | CookieClient
  /** What the callback was told. */
  readonly asked: Array<number | undefined>
}

/** A server whose `/danger` asks for a sign-in of the last ten minutes, and a client that signed in an hour ago. */
async function open (t: Test, kind: typeof KINDS[number], options: Partial<ClientOptions> = {}, routes: ClientAppOptions['routes'] = {}): Promise<Setting> {
  const server = await startClientApp(t, {
    kind: 'with sessions',
    routes,
    ...(kind !== 'in a storage' && { cookies: { access: kind === 'in cookies' } }),
    prepare (app) {
      const preHandler = app.dualToken.guard({ maxAge: '10m' })
      app.route({ method: ['GET', 'POST'], url: '/danger', preHandler, handler: async request => ({ body: request.body ?? null }) })
    }
  })
  const asked: Setting['asked'] = []
  const given = {
    baseUrl: server.origin,
    wait: async () => {},
    ...options,
    onReauthenticationRequired: (maxAge: number | undefined) => {
      asked.push(maxAge)
      return options.onReauthenticationRequired?.(maxAge)
    }
  }
  const client = kind === 'in a storage'
    ? createTokenClient({ storage: createStorage(), ...given })
    : createCookieClient({ access: kind === 'in cookies', fetch: createJar().fetch, ...given })
  await client.signIn(GOOD)
  server.clock.advance(3600)
  server.forget()
  return { ...server, client, asked }
}

async function failureOf (outcome: Promise<unknown>): Promise<AuthorizationError> {
  return await outcome.then(() => { throw new Error('was not rejected') }, (error: AuthorizationError) => error)
}

for (const kind of KINDS) {
  test(`tokens ${kind}: credentials that the application gives are sent, and the request once more, body and all`, async t => {
    const { client, asked, requests, clock } = await open(t, kind, { onReauthenticationRequired: async () => GOOD })
    const reply = await client.fetch('/danger', { method: 'POST', body: '{"n":1}', headers: { 'content-type': 'application/json' } })
    t.equal(reply.status, 200)
    t.strictSame(await reply.json(), { body: { n: 1 } })
    t.strictSame(asked, [600])
    t.strictSame(requests, ['POST /danger', REAUTHENTICATION, 'POST /danger'])
    t.equal((await client.fetch('/danger')).status, 200, 'it stays fresh')
    clock.advance(ACCESS_LIFETIME - 1)
    t.equal((await client.fetch('/me')).status, 200)
  })

  test(`tokens ${kind}: whoever comes back after hours is refreshed and asked, each once`, async t => {
    const { client, asked, requests, clock } = await open(t, kind, { onReauthenticationRequired: () => GOOD })
    clock.advance(ACCESS_LIFETIME)
    t.equal((await client.fetch('/danger')).status, 200)
    t.strictSame(requests, ['GET /danger', 'PUT /authorizations', 'GET /danger', REAUTHENTICATION, 'GET /danger'])
    t.strictSame(asked, [600])
  })

  test(`tokens ${kind}: requests in parallel ask once`, async t => {
    const { client, asked, requests } = await open(t, kind, { onReauthenticationRequired: async () => GOOD })
    const replies = await Promise.all(Array.from({ length: 20 }, () => client.fetch('/danger')))
    t.strictSame(new Set(replies.map(({ status }) => status)), new Set([200]))
    t.equal(asked.length, 1)
    t.equal(requests.filter(line => line === REAUTHENTICATION).length, 1)
  })

  test(`tokens ${kind}: without an answer the request gets the 401; true means that the application has reauthenticated`, async t => {
    for (const answer of [undefined, null, false] as const) {
      const { client, requests } = await open(t, kind, { onReauthenticationRequired: () => answer })
      const reply = await client.fetch('/danger')
      t.equal(reply.status, 401)
      t.equal((await reply.json() as { code: string }).code, 'FST_DUAL_TOKEN_ACCESS_NOT_FRESH')
      t.strictSame(requests, ['GET /danger'])
    }
    const { client, requests } = await open(t, kind, { onReauthenticationRequired: async () => { await client.reauthenticate(GOOD); return true } })
    t.equal((await client.fetch('/danger')).status, 200)
    t.strictSame(requests, ['GET /danger', REAUTHENTICATION, 'GET /danger'])
    const { client: other, requests: others } = await open(t, kind, { onReauthenticationRequired: () => true })
    t.equal((await other.fetch('/danger')).status, 401, 'and is asked once')
    t.strictSame(others, ['GET /danger', 'GET /danger'])
  })

  test(`tokens ${kind}: credentials that are refused, or another user's, change nothing`, async t => {
    for (const credentials of [{ password: 'bad' }, { password: 'good', user_id: 8 }]) {
      const { client, ...server } = await open(t, kind, { onReauthenticationRequired: () => credentials })
      t.match(await failureOf(client.fetch('/danger')), { status: 401, code: 'FST_DUAL_TOKEN_LOGIN_REFUSED', signInRequired: false })
      t.match(await failureOf(client.reauthenticate(credentials)), { status: 401, code: 'FST_DUAL_TOKEN_LOGIN_REFUSED' })
      t.equal((await client.fetch('/me')).status, 200)
      await client.reauthenticate(GOOD)
      t.equal((await client.fetch('/danger')).status, 200)
      server.clock.advance(ACCESS_LIFETIME)
      t.equal((await client.fetch('/me')).status, 200, 'it still refreshes')
    }
  })

  test(`tokens ${kind}: an access token that has expired is refreshed first`, async t => {
    const { client, clock, requests } = await open(t, kind)
    clock.advance(ACCESS_LIFETIME)
    await client.reauthenticate(GOOD)
    t.strictSame(requests, [REAUTHENTICATION, 'PUT /authorizations', REAUTHENTICATION])
    t.equal((await client.fetch('/danger')).status, 200)
  })

  test(`tokens ${kind}: a session that has ended asks for a new sign-in`, async t => {
    const ends: unknown[] = []
    const { client, app } = await open(t, kind, { onSignInRequired: error => { ends.push(error) } })
    await app.dualToken.revokeUser(7)
    t.match(await failureOf(client.reauthenticate(GOOD)), { code: 'FST_DUAL_TOKEN_ACCESS_REVOKED', signInRequired: true })
    t.equal(ends.length, 1)
    t.match(await failureOf(client.reauthenticate(GOOD)), { code: kind === 'in a storage' ? 'FST_DUAL_TOKEN_ACCESS_MISSING' : /REFRESH_REVOKED|ACCESS_REVOKED|ACCESS_MISSING/ })
  })

  test(`tokens ${kind}: a server that is busy is asked again, and nothing is lost`, async t => {
    const { client, told, requests } = await open(t, kind)
    let tries = 0
    told.instead.set('reauthenticate', async value => {
      if (++tries === 1) throw new Error('busy')
      return await told.inner.reauthenticate!(value)
    })
    await client.reauthenticate(GOOD)
    t.strictSame(requests, [REAUTHENTICATION, REAUTHENTICATION])
    t.equal((await client.fetch('/danger')).status, 200)
  })

  test(`tokens ${kind}: a body that is a stream is sent once, and nobody is asked`, async t => {
    const { client, asked } = await open(t, kind, { onReauthenticationRequired: () => GOOD })
    const body = new Blob(['{"n":1}']).stream()
    const reply = await client.fetch('/danger', { method: 'POST', body, duplex: 'half', headers: { 'content-type': 'application/json' } } as RequestInit)
    t.equal(reply.status, 401)
    t.strictSame(asked, [])
  })
}

for (const fails of [false, true]) {
  test(`a refresh that is under way comes first, ${fails ? 'even when it fails' : 'and the new token stays'}`, async t => {
    const gate = createGate()
    let isDown = fails
    const { client, clock, requests } = await open(t, 'in a storage', {}, {
      async loadUser (id, request) {
        await gate.loadUser(id, request)
        if (isDown) {
          isDown = false
          throw new Error('the database is down')
        }
        return { user_id: id }
      }
    })
    clock.advance(ACCESS_LIFETIME)
    const first = client.fetch('/me')
    await gate.reached
    const proof = client.reauthenticate(GOOD)
    gate.open()
    if (fails) t.match(await failureOf(first), { status: 500 })
    else t.equal((await first).status, 200)
    await proof
    t.ok(requests.indexOf(REAUTHENTICATION) > requests.indexOf('PUT /authorizations'))
    t.equal((await client.fetch('/danger')).status, 200)
    clock.advance(ACCESS_LIFETIME)
    t.equal((await client.fetch('/me')).status, 200, 'it still refreshes')
  })
}

test('where the page cannot read the challenge, the callback is not told how recent', async t => {
  const { client, asked } = await open(t, 'in a storage', {
    fetch: async (...request) => {
      const reply = await fetch(...request)
      return new Response(reply.body, { status: reply.status })
    },
    onReauthenticationRequired: () => GOOD
  })
  t.equal((await client.fetch('/danger')).status, 200)
  t.strictSame(asked, [undefined])
})

test('a sign-in of another user meanwhile is not sent the request of the first one', async t => {
  const { client, requests } = await open(t, 'in a storage', { onReauthenticationRequired: async () => { await client.signIn({ password: 'good', user_id: 8 }); return true } })
  t.equal((await client.fetch('/danger')).status, 401)
  t.strictSame(requests, ['GET /danger', 'POST /authorizations'])
})
