// Both clients with `dpop` against a server that listens: whose key signs what, and what becomes of a lost key, a wrong clock and a thief.
import { createHash } from 'node:crypto'
import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { test, type Test } from 'tap'
import {
  AuthorizationError, createCookieClient, createTokenClient, type ClientOptions, type CookieClient, type ProofKeys, type ProofKeyStorage, type TokenClient
} from '../../lib/client/index.ts'
import { createStorage, startClientApp, type ClientApp, type ClientAppOptions, type MemoryStorage } from '../support/client-app.ts'
import { readPage } from '../support/markdown.ts'
import { createJar, createKeyDatabase, createLocks, type Jar } from '../support/tabs.ts'

const GOOD = { password: 'good' }
const KINDS = ['in a storage', 'in the page', 'in cookies'] as const
/** Shorter than the five minutes for which a proof is fresh. */
const ACCESS_LIFETIME = 60
const CODE = 'FST_DUAL_TOKEN_PROOF_'

interface Proven {
  readonly request: string
  readonly header: Record<string, unknown>
  readonly claims: Record<string, unknown>
}

interface Setting extends ClientApp {
  readonly kind: typeof KINDS[number]
  readonly client: TokenClient | CookieClient
  readonly storage: MemoryStorage
  readonly jar: Jar
  /** The proofs that reached the server, in order. */
  readonly proofs: Proven[]
  /** What `onSignInRequired` was told. */
  readonly ends: string[]
  /** Another client on the same tokens. */
  createClient (options: Partial<ClientOptions>): TokenClient | CookieClient
  /** The claims of the refresh token. */
  refreshClaims (): Record<string, unknown>
}

interface OpenOptions extends Partial<ClientOptions> {
  readonly server?: Partial<ClientAppOptions>
  /** Whether the server's clock is years behind; default false. */
  readonly wrongClock?: boolean
}

function decode (part: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>
}

async function open (t: Test, kind: typeof KINDS[number], { server: more, wrongClock = false, ...options }: OpenOptions = {}): Promise<Setting> {
  const proofs: Proven[] = []
  const ends: string[] = []
  const server = await startClientApp(t, {
    kind: 'with sessions',
    dpop: 'required',
    plugin: { accessExpiresIn: ACCESS_LIFETIME },
    ...(kind !== 'in a storage' && { cookies: { access: kind === 'in cookies' } }),
    ...more,
    prepare (app) {
      app.server.on('request', ({ method, url, headers: { dpop } }) => {
        if (dpop === undefined) return
        const [header, claims] = String(dpop).split('.')
        proofs.push({ request: `${method} ${url}`, header: decode(header!), claims: decode(claims!) })
      })
    }
  })
  if (!wrongClock) server.clock.set(Date.now() / 1000)
  const storage = createStorage()
  const jar = createJar()
  const createClient = (own: Partial<ClientOptions>) => {
    const given = { baseUrl: server.origin, wait: async () => {}, onSignInRequired: ({ code }: { code: string }) => { ends.push(code) }, ...own }
    return kind === 'in a storage'
      ? createTokenClient({ storage, ...given })
      : createCookieClient({ access: kind === 'in cookies', fetch: jar.fetch, ...given })
  }
  const refreshClaims = () => kind === 'in a storage' ? decode(storage.tokens!.refresh_token.split('.')[1]!) : jar.claimsOf('refresh')!
  return { ...server, kind, client: createClient({ dpop: true, ...options }), storage, jar, proofs, ends, createClient, refreshClaims }
}

interface KeyStorage extends ProofKeyStorage {
  keys: ProofKeys | null
  /** How many keys it was given. */
  made: number
}

function createKeys (): KeyStorage {
  const keys: KeyStorage = {
    keys: null,
    made: 0,
    get: async () => keys.keys,
    async set (pair) {
      await new Promise(setImmediate)
      keys.keys = pair
      keys.made++
    }
  }
  return keys
}

async function failureOf (outcome: Promise<unknown>): Promise<AuthorizationError> {
  return await outcome.then(() => { throw new Error('was not rejected') }, (error: AuthorizationError) => error)
}

/** The status of `GET /me`, once the access token has expired. */
async function statusAfterRefresh ({ clock, client, forget }: Pick<Setting, 'clock' | 'client' | 'forget'>): Promise<number> {
  clock.advance(ACCESS_LIFETIME)
  forget()
  return (await client.fetch('/me')).status
}

for (const kind of KINDS) {
  test(`tokens ${kind}: the sign-in is bound to a key, which proves each sign-in, refresh and sign-out, and nothing else`, async t => {
    const setting = await open(t, kind)
    const { client, proofs, origin, refreshClaims } = setting
    await client.signIn(GOOD)
    t.equal((await client.fetch('/me')).status, 200)
    await client.reauthenticate(GOOD)
    t.equal(await statusAfterRefresh(setting), 200)
    await client.fetch('/echo', { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } })
    const { cnf } = refreshClaims()
    await client.signOut()

    t.strictSame(proofs.map(({ request }) => request), ['POST /authorizations', 'PUT /authorizations', 'DELETE /authorizations'])
    t.equal(new Set(proofs.map(({ claims: { jti } }) => jti)).size, 3, 'each has an id of its own')
    for (const { request, header, claims } of proofs) {
      const { kty, crv, x, y, ...others } = header.jwk as Record<string, string>
      t.strictSame(others, {}, 'no private part')
      t.strictSame(cnf, { jkt: createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url') })
      t.match(claims, { htm: request.split(' ')[0]!, htu: `${origin}/authorizations` })
      t.strictSame(Object.keys(claims), ['jti', 'htm', 'htu', 'iat'])
    }
  })

  test(`tokens ${kind}: a device with a wrong clock is told a nonce, tries once more, and keeps it`, async t => {
    const setting = await open(t, kind, { wrongClock: true })
    const { client, proofs, requests, clock } = setting
    await client.signIn(GOOD)
    t.strictSame(requests, ['POST /authorizations', 'POST /authorizations'])
    t.strictSame(proofs.map(({ claims: { nonce } }) => typeof nonce), ['undefined', 'string'])
    t.equal(await statusAfterRefresh(setting), 200)
    t.equal(requests.filter(line => line === 'PUT /authorizations').length, 1, 'with the nonce that it has')
    clock.advance(301)
    t.equal(await statusAfterRefresh(setting), 200)
    t.equal(requests.filter(line => line === 'PUT /authorizations').length, 2, 'with another one, when that is too old')
  })

  test(`tokens ${kind}: where the page cannot read the nonce, the refusal is told, and the tokens stay`, async t => {
    const setting = await open(t, kind)
    const { createClient, clock, requests, ends, jar } = setting
    const keys = createKeys()
    const hidden: typeof fetch = async (...request) => {
      const { body, status, headers: all } = await (kind === 'in a storage' ? fetch : jar.fetch)(...request)
      const headers = new Headers(all)
      headers.delete('dpop-nonce')
      return new Response(status === 204 ? null : body, { status, headers })
    }
    const other = createClient({ dpop: keys, fetch: hidden })
    await other.signIn(GOOD)
    clock.advance(3600)
    setting.forget()
    t.match(await failureOf(other.fetch('/me')), { status: 401, code: `${CODE}NONCE`, signInRequired: false })
    t.equal(requests.filter(line => line === 'PUT /authorizations').length, 1)
    t.match(await failureOf(other.signIn(GOOD)), { status: 400, code: `${CODE}NONCE`, signInRequired: false })
    t.strictSame(ends, [])
    t.equal((await createClient({ dpop: keys }).fetch('/me')).status, 200)
  })

  test(`tokens ${kind}: a nonce that does not help is tried once`, async t => {
    const { createClient } = await open(t, kind)
    let tries = 0
    const client = createClient({
      dpop: true,
      async fetch () {
        return Response.json({ code: `${CODE}NONCE` }, { status: 400, headers: { 'dpop-nonce': String(++tries) } })
      }
    })
    t.match(await failureOf(client.signIn(GOOD)), { status: 400, code: `${CODE}NONCE` })
    t.equal(tries, 2)
  })

  test(`tokens ${kind}: a device that has lost its key asks for a new sign-in, which makes a new one`, async t => {
    const keys = createKeys()
    const setting = await open(t, kind, { dpop: keys })
    const { client, proofs, ends, storage, refreshClaims } = setting
    await client.signIn(GOOD)
    const { cnf } = refreshClaims()
    keys.keys = null
    t.match(await failureOf(statusAfterRefresh(setting)), { status: 401, code: `${CODE}INVALID`, signInRequired: true })
    t.strictSame(ends, [`${CODE}INVALID`])
    t.equal(proofs.length, 1, 'it has no proof to send')
    if (kind === 'in a storage') t.equal(storage.tokens, null)

    await client.signIn(GOOD)
    t.equal(keys.made, 2)
    t.strictNotSame(refreshClaims().cnf, cnf)
    t.equal(await statusAfterRefresh(setting), 200)
    t.equal(ends.length, 1)
  })

  test(`tokens ${kind}: a thief of the refresh token is refused, with a key or without one, and the owner goes on`, async t => {
    const setting = await open(t, kind)
    const { client, createClient, storage, clock, ends, proofs } = setting
    await client.signIn(GOOD)
    for (const dpop of [false, true]) {
      clock.advance(ACCESS_LIFETIME)
      const loot = createStorage()
      loot.tokens = kind === 'in a storage' ? { ...storage.tokens! } : null
      const thief = kind === 'in a storage' ? createTokenClient({ baseUrl: setting.origin, storage: loot, dpop }) : createClient({ dpop, onSignInRequired: () => {} })
      t.match(await failureOf(thief.fetch('/me')), { status: 401, code: `${CODE}INVALID`, signInRequired: true })
      t.equal(await statusAfterRefresh(setting), 200)
    }
    t.strictSame(ends, [])
    t.equal(proofs.filter(({ request }) => request === 'PUT /authorizations').length, 2)
  })

  test(`tokens ${kind}: on a server that binds nothing, the same thief is served`, async t => {
    const setting = await open(t, kind, { server: { dpop: false } })
    const { client, createClient, clock } = setting
    await client.signIn(GOOD)
    clock.advance(ACCESS_LIFETIME)
    t.equal((await createClient({ dpop: false }).fetch('/me')).status, 200)
  })

  test(`tokens ${kind}: a client without a key is refused where one is required, and says so`, async t => {
    const { createClient, ends } = await open(t, kind)
    t.match(await failureOf(createClient({}).signIn(GOOD)), { status: 400, code: `${CODE}REQUIRED`, signInRequired: false })
    t.strictSame(ends, [])
  })

  test(`tokens ${kind}: a sign-in from before the option goes on without a key`, async t => {
    const setting = await open(t, kind, { server: { dpop: 'optional' } })
    const { createClient, proofs, refreshClaims } = setting
    await createClient({}).signIn(GOOD)
    t.equal(await statusAfterRefresh(setting), 200)
    t.strictSame(proofs, [])
    t.equal(refreshClaims().cnf, undefined)
  })

  test(`tokens ${kind}: a proof that is refused at a sign-in ends nothing`, async t => {
    const { client, ends } = await open(t, kind, { server: { dpop: { mode: 'required', origin: 'https://elsewhere.example' } } })
    t.match(await failureOf(client.signIn(GOOD)), { status: 400, code: `${CODE}INVALID`, signInRequired: false })
    t.strictSame(ends, [])
  })

  test(`tokens ${kind}: a server that is busy, and a reply that is lost, get a new proof`, async t => {
    let isLost = false
    const keys = createKeys()
    const setting = await open(t, kind, { dpop: keys })
    const { createClient, told, proofs, requests, jar } = setting
    const client = createClient({
      dpop: keys,
      async fetch (...request) {
        const reply = await (kind === 'in a storage' ? fetch : jar.fetch)(...request)
        if (isLost && request[1]?.method === 'PUT') throw new TypeError('lost')
        return reply
      }
    })
    await client.signIn(GOOD)
    let tries = 0
    told.instead.set('rotate', async (...value) => {
      if (++tries === 1) throw new Error('busy')
      return await told.inner.rotate(...value)
    })
    t.equal(await statusAfterRefresh({ ...setting, client }), 200)
    t.equal(requests.filter(line => line === 'PUT /authorizations').length, 2)
    isLost = true
    t.match(await failureOf(statusAfterRefresh({ ...setting, client })), { name: 'TypeError', message: 'lost' })
    isLost = false
    t.equal((await client.fetch('/me')).status, 200)
    t.ok(proofs.length >= 4)
    t.equal(new Set(proofs.map(({ claims: { jti } }) => jti)).size, proofs.length)
  })

  test(`tokens ${kind}: in two tabs that sign in at once, one key is made`, async t => {
    const keys = createKeys()
    const locks = createLocks()
    const { createClient, refreshClaims, clock } = await open(t, kind)
    const tabs = [createClient({ dpop: keys, locks }), createClient({ dpop: keys, locks })]
    await Promise.all(tabs.map(tab => tab.signIn(GOOD)))
    t.equal(keys.made, 1)
    t.equal(locks.names.size, 1, 'by a lock that there is anyway')
    const { cnf } = refreshClaims()
    for (const tab of tabs) {
      clock.advance(ACCESS_LIFETIME)
      t.equal((await tab.fetch('/me')).status, 200)
      t.strictSame(refreshClaims().cnf, cnf)
    }
  })

  test(`tokens ${kind}: in IndexedDB, where there is one, the key outlives the page, and nobody can read it`, async t => {
    const database = createKeyDatabase()
    Object.defineProperty(globalThis, 'indexedDB', { value: database, configurable: true })
    t.teardown(() => Reflect.deleteProperty(globalThis, 'indexedDB'))
    const setting = await open(t, kind)
    const { client, createClient, origin, ends } = setting
    await client.signIn(GOOD)
    t.strictSame([...database.keys.keys()], [`${origin}/authorizations`])
    const [{ privateKey } = {} as never] = [...database.keys.values()]
    t.equal((privateKey as unknown as { extractable: boolean }).extractable, false)
    await t.rejects(crypto.subtle.exportKey('pkcs8', privateKey))
    await t.rejects(crypto.subtle.exportKey('jwk', privateKey))

    const reloaded = createClient({ dpop: true })
    t.equal(await statusAfterRefresh({ ...setting, client: reloaded }), 200)
    t.equal(database.connections, 0, 'no connection stays open')

    database.broken = true
    t.match(await failureOf(statusAfterRefresh({ ...setting, client: reloaded })), { message: 'broken' })
    database.broken = false
    t.equal((await reloaded.fetch('/me')).status, 200, 'a database that fails costs nothing')
    database.keys.clear()
    t.match(await failureOf(statusAfterRefresh({ ...setting, client: reloaded })), { code: `${CODE}INVALID` })
    t.strictSame(ends, [`${CODE}INVALID`])
    await reloaded.signIn(GOOD)
    t.equal(await statusAfterRefresh({ ...setting, client: reloaded }), 200)
  })
}

test('without locks, one client that signs in twice at once makes one key', async t => {
  const keys = createKeys()
  const { client } = await open(t, 'in a storage', { dpop: keys })
  await Promise.all([client.signIn(GOOD), client.signIn(GOOD)])
  t.equal(keys.made, 1)
})

test('a query in the path of the ready routes is no part of a proof', async t => {
  const setting = await open(t, 'in a storage', { path: '/authorizations?tenant=7#here' })
  await setting.client.signIn(GOOD)
  t.equal(await statusAfterRefresh(setting), 200)
  t.strictSame(setting.proofs.map(({ request }) => request), ['POST /authorizations?tenant=7', 'PUT /authorizations?tenant=7'])
})

test('a key that was handed in is used as it is', async t => {
  const keys = createKeys()
  keys.keys = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify'])
  const setting = await open(t, 'in a storage', { dpop: keys })
  await setting.client.signIn(GOOD)
  t.equal(await statusAfterRefresh(setting), 200)
  t.equal(keys.made, 0)
})

test('the key in a file of docs/clients.md outlives the process, and only its user can read it', async t => {
  const block = readPage('docs/clients.md').blocks('ts').find(block => block.includes('function keyIn'))!
  const file = join(t.testdir(), 'key-in.ts')
  const [, keyInSource] = /(async function keyIn [^]*?\n})\n/.exec(block)!
  writeFileSync(file, `
    import { readFile, writeFile } from 'node:fs/promises'
    const ES256 = { name: 'ECDSA', namedCurve: 'P-256' }
    export ${keyInSource}`)
  const { keyIn } = await import(pathToFileURL(file).href) as { keyIn (file: string): Promise<ProofKeyStorage> }
  const keyFile = join(t.testdirName, 'key.json')
  const setting = await open(t, 'in a storage', { dpop: await keyIn(keyFile) })
  await setting.client.signIn(GOOD)
  t.equal(statSync(keyFile).mode & 0o777, 0o600)
  const restarted = setting.createClient({ dpop: await keyIn(keyFile) })
  t.equal(await statusAfterRefresh({ ...setting, client: restarted }), 200)
})
