// The axios examples of docs/clients.md, as they stand, against a server that listens.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { AxiosError, AxiosInstance } from 'axios'
import { test, type Test } from 'tap'
import ts from 'typescript'
import { createTokenClient } from '../../lib/client/index.ts'
import { createGate, createStorage, KINDS, startClientApp, type ClientApp, type ClientAppOptions, type MemoryStorage } from '../support/client-app.ts'
import { readPage } from '../support/markdown.ts'
import { ACCESS_LIFETIME, REFRESH_LIFETIME } from '../support/tokens.ts'

interface Setting extends ClientApp {
  readonly api: AxiosInstance
  readonly storage: MemoryStorage
}

/** What an example's `createApi` makes. */
async function createApi (t: Test, mark: string, values: unknown[]): Promise<AxiosInstance> {
  const { blocks } = readPage('docs/clients.md')
  const example = [...blocks('ts'), ...blocks('js')].find(block => block.includes(mark))!
  // As CommonJS: the loader of the tests takes the ES module of axios-auth-refresh, that does not say that it is one, for something else.
  const { outputText } = ts.transpileModule(`${example}export { createApi }`, {
    compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2023, esModuleInterop: true }
  })
  const file = join(t.testdir({ 'api.cjs': outputText }), 'api.cjs')
  const { createApi } = createRequire(import.meta.url)(file) as { createApi: (...values: unknown[]) => AxiosInstance }
  return createApi(...values)
}

/** The status that a request is refused with. */
async function refusalOf (outcome: Promise<unknown>): Promise<number | undefined> {
  return await outcome.then(() => undefined, (error: AxiosError) => error.response?.status)
}

const EXAMPLES: Record<string, (t: Test, server: ClientApp, storage: MemoryStorage) => Promise<AxiosInstance>> = {
  'axios by this client': async (t, { origin }, storage) =>
    await createApi(t, "adapter: 'fetch'", [createTokenClient({ baseUrl: origin, storage }), origin]),
  'axios-auth-refresh': async (t, { origin }, storage) => await createApi(t, 'createAuthRefresh', [origin, storage])
}

for (const [name, create] of Object.entries(EXAMPLES)) {
  /** A server and axios, signed in. */
  async function open (t: Test, options: ClientAppOptions): Promise<Setting> {
    const server = await startClientApp(t, options)
    const storage = createStorage()
    await createTokenClient({ baseUrl: server.origin, storage }).signIn({ password: 'good' })
    const api = await create(t, server, storage)
    server.forget()
    return { ...server, api, storage }
  }

  for (const kind of KINDS) {
    test(`${name}, ${kind}: requests in parallel refresh once, and are answered, body and all`, async t => {
      const { api, storage, clock, refreshes } = await open(t, { kind })
      const before = storage.tokens!
      for (const count of [1, 2]) {
        clock.advance(ACCESS_LIFETIME)
        const replies = await Promise.all([1, 2, 3].map(n => api.post('/echo', { n })))
        t.strictSame(replies.map(({ data }) => data), [{ n: 1 }, { n: 2 }, { n: 3 }])
        t.equal(refreshes(), count)
      }
      t.equal(storage.tokens!.refresh_token === before.refresh_token, kind === 'stateless')
    })

    test(`${name}, ${kind}: a refresh that is refused empties the storage, and rejects`, async t => {
      const { api, storage, clock, refreshes } = await open(t, { kind })
      clock.advance(REFRESH_LIFETIME)
      await t.rejects(api.get('/me'))
      t.equal(storage.tokens, null)
      t.equal(refreshes(), 1)
      t.equal(await refusalOf(api.get('/me')), 401)
      t.equal(refreshes(), 1)
    })

    test(`${name}, ${kind}: a reply to a refresh that is lost keeps the tokens, and the next request refreshes with them`, async t => {
      let isLost = true
      const { api, storage, clock } = await open(t, {
        kind,
        routes: { onSend: async ({ raw }) => { if (isLost && raw.method === 'PUT') raw.destroy() } }
      })
      const before = storage.tokens
      clock.advance(ACCESS_LIFETIME)
      await t.rejects(api.get('/me'))
      t.equal(storage.tokens, before)
      isLost = false
      clock.advance(60)
      t.equal((await api.get('/me')).status, 200)
    })
  }

  test(`${name}: who signs out during a refresh stays signed out`, async t => {
    const gate = createGate()
    const { api, storage, clock } = await open(t, { routes: { loadUser: gate.loadUser } })
    clock.advance(ACCESS_LIFETIME)
    const status = refusalOf(api.get('/me'))
    await gate.reached
    storage.tokens = null
    gate.open()
    t.equal(await status, 401)
    t.equal(storage.tokens, null)
  })

  test(`${name}: a server that always says that the token has expired is not asked for ever`, async t => {
    const { api, requests } = await open(t, {
      prepare: app => app.get('/expired', async (request, reply) => reply.code(401).send({ code: 'FST_DUAL_TOKEN_ACCESS_EXPIRED' }))
    })
    t.equal(await refusalOf(api.get('/expired')), 401)
    t.strictSame(requests, ['GET /expired', 'PUT /authorizations', 'GET /expired'])
  })

  test(`${name}: no other origin gets a token`, async t => {
    const foreign = await startClientApp(t)
    const { api } = await open(t, {})
    await t.rejects(api.get(`${foreign.origin}/me`))
    t.strictSame(foreign.headers.filter(header => header !== undefined), [])
  })
}
