// The client in an application for browsers, that has no types of Node.js.
import { AuthorizationError, createCookieClient, createTokenClient, type CookieClient, type ProofKeyStorage, type TokenClient, type Tokens } from '../../../lib/client/index.ts'

const client: TokenClient = createTokenClient({
  baseUrl: new URL(location.href),
  storage: {
    get: () => JSON.parse(localStorage.getItem('tokens') ?? 'null') as Tokens | null,
    set: tokens => localStorage.setItem('tokens', JSON.stringify(tokens))
  },
  onSignInRequired: ({ status, code, signInRequired }) => [status.toFixed(), code.length, signInRequired],
  fetch: window.fetch,
  locks: navigator.locks
})

const asGlobal: typeof window.fetch = client.fetch
const reply: Response = await asGlobal(new Request('/me'), { signal: new AbortController().signal })
const done: undefined | void = await client.signIn({ username: 'demo' })
const error = new AuthorizationError(403)
const code: string = error.code

const cookies: CookieClient = createCookieClient({
  baseUrl: location.origin,
  access: true,
  locks: navigator.locks,
  channel: new BroadcastChannel('sign-in'),
  onSignInRequired: ({ code }) => location.assign(`/sign-in?because=${code}`)
})
const isSignedIn: boolean = await cookies.refresh()
const withCookies: typeof window.fetch = cookies.fetch
createCookieClient({ baseUrl: '/', locks: null, channel: null })

declare const kept: { get (): Promise<CryptoKeyPair | null>, set (pair: CryptoKeyPair): Promise<void> }
const keys: ProofKeyStorage = {
  get: async () => await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']),
  async set ({ privateKey, publicKey }) {
    await kept.set({ privateKey, publicKey })
  }
}
for (const dpop of [true, false, undefined, keys, kept]) createCookieClient({ baseUrl: '/', dpop })
createTokenClient({ baseUrl: '/', storage: { get: () => null, set () {} }, dpop: kept })
// @ts-expect-error: a key is no storage
createCookieClient({ baseUrl: '/', dpop: await keys.get() })

// @ts-expect-error: a client for cookies has no storage
createCookieClient({ baseUrl: '/', storage: localStorage })
// @ts-expect-error: a storage is required
createTokenClient({ baseUrl: '/' })
// @ts-expect-error: credentials are an object
await client.signIn('demo')

export { code, done, isSignedIn, reply, withCookies }
