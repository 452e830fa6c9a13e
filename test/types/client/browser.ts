// The client in an application for browsers, that has no types of Node.js.
import { AuthorizationError, createTokenClient, type TokenClient, type Tokens } from '../../../lib/client/index.ts'

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

// @ts-expect-error: a storage is required
createTokenClient({ baseUrl: '/' })
// @ts-expect-error: credentials are an object
await client.signIn('demo')

export { code, done, reply }
