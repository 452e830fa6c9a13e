// The client in an application for browsers, that has no types of Node.js.
import { AuthorizationError, createCookieClient, createTokenClient, type CookieClient, type TokenClient, type Tokens } from '../../../lib/client/index.ts'

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

// @ts-expect-error: a client for cookies has no storage
createCookieClient({ baseUrl: '/', storage: localStorage })
// @ts-expect-error: a storage is required
createTokenClient({ baseUrl: '/' })
// @ts-expect-error: credentials are an object
await client.signIn('demo')

export { code, done, isSignedIn, reply, withCookies }
