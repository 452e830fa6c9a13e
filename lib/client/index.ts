// A fetch → one that carries the access token of a sign-in and refreshes it: `fastify-dual-token/client`, for browsers and Node.js.
import type { AuthorizationFailure, StoredTokens, TokenClient, TokenClientOptions, TokenLocks, Tokens } from './types.ts'
export type * from './types.ts'

/** The server would not sign in, refresh or sign out, or has ended the session. */
export class AuthorizationError extends Error implements AuthorizationFailure {
  override readonly name = 'AuthorizationError'
  readonly status: number
  readonly code: string
  readonly signInRequired: boolean
  constructor (status: number, code = '') {
    super(`The server answered ${status} ${code}`.trim())
    this.status = status
    this.code = code
    this.signInRequired = /^FST_DUAL_TOKEN_(REFRESH_|ACCESS_REVOKED$)/.test(code)
  }
}

const unlessAborted = <T>(outcome: Promise<T>, signal?: AbortSignal | null) => new Promise<T>((resolve, reject) => {
  const abort = () => reject(signal?.reason)
  if (signal?.aborted) abort()
  signal?.addEventListener('abort', abort)
  outcome.then(resolve, reject).finally(() => signal?.removeEventListener('abort', abort))
})

/** Pages and workers of one origin share a storage. Node.js has `navigator.locks` too, by which all clients of a process would wait for each other. */
function locksOfBrowser () {
  const scope = globalThis as { navigator?: { locks?: TokenLocks } }
  return 'document' in scope || 'WorkerGlobalScope' in scope ? scope.navigator?.locks : undefined
}

export function createTokenClient ({
  baseUrl, path = '/authorizations', storage, onSignInRequired, fetch = globalThis.fetch, timeout = 10_000,
  wait = ms => new Promise(resolve => setTimeout(resolve, ms)), locks = locksOfBrowser()
}: TokenClientOptions): TokenClient {
  const base = new URL(baseUrl)
  const authorizations = new URL(path, base)
  let refreshing: Promise<StoredTokens> | undefined
  let storing: Promise<StoredTokens> = Promise.resolve(null)

  async function send (ask: () => Promise<Response>, mayRepeat: (code?: string) => boolean, signal?: AbortSignal | null) {
    for (let tries = 1; ; tries++) { // a server that answers 503 is asked three times in all, and not waited for when it asks for over half a minute
      const reply = await ask()
      const body = [401, 403, 503].includes(reply.status) ? await reply.clone().json().catch(() => null) as { code?: string } | null : null
      const seconds = (Number(reply.headers.get('retry-after')) || 1) * 2 ** (tries - 1)
      if (reply.status !== 503 || tries === 3 || seconds > 30 || !mayRepeat(body?.code)) return { reply, code: body?.code }
      await unlessAborted(wait(seconds * 1000 * (1 + Math.random())), signal)
    }
  }
  const authorize = (method: string, headers: Record<string, string>, body: string | null = null) =>
    send(() => fetch(authorizations, { method, headers, body, redirect: 'error', signal: AbortSignal.timeout(timeout) }), () => true)
  const withLock = (name: string, step: () => Promise<StoredTokens>) => locks?.request(`fastify-dual-token ${name} ${authorizations}`, step) ?? step()
  /** Stores these, in place of `old` alone if that is given; resolves to what was there. One at a time, and none waits for a server. */
  const store = (tokens: Tokens | null, old?: Tokens) => (storing = storing.catch(() => null).then(() => withLock('tokens', async () => {
    const found = await storage.get()
    if (!old || found?.token === old.token) await storage.set(tokens)
    return found
  })))
  async function giveUp (error: AuthorizationError, used: Tokens): Promise<never> {
    if (error.signInRequired && (await store(null, used))?.token === used.token) onSignInRequired?.(error)
    throw error
  }
  /** One at a time. Resolves to the tokens that are there in place of these, be they of another tab or sign-in. */
  async function renew (old: Tokens): Promise<StoredTokens> {
    const before = await storage.get()
    if (before?.token !== old.token) return before
    const { reply, code } = await authorize('PUT', { authorization: `Bearer ${before.refresh_token}` })
    const renewed = reply.status === 201 ? { ...before, ...await reply.json() as Partial<Tokens> } : null
    const found = renewed ? await store(renewed, old) : await storage.get()
    return found?.token !== old.token ? found : renewed ?? await giveUp(new AuthorizationError(reply.status, code), old)
  }

  return {
    async fetch (input, init) {
      const request = typeof input === 'object' && 'url' in input ? input : null
      const url = new URL(request?.url ?? String(input), base)
      const headers = new Headers(init?.headers ?? request?.headers)
      const used = url.protocol === base.protocol && url.host === base.host ? await storage.get() : null
      if (!used || headers.has('authorization')) return await fetch(request ?? url, init)
      const signal = init?.signal === undefined ? request?.signal : init.signal
      const isStream = ['getReader', Symbol.asyncIterator].some(key => key in Object(init?.body))
      const mayRepeat = !isStream && /^(GET|OPTIONS|PUT|DELETE)$/i.test(init?.method ?? request?.method ?? 'GET') // RFC 9110, section 9.2.2
      const sendWith = ({ token }: Tokens) => send(() => {
        headers.set('authorization', `Bearer ${token}`)
        return fetch(request?.clone() ?? url, { ...init, headers })
      }, code => mayRepeat && code === 'FST_DUAL_TOKEN_STORE_UNAVAILABLE', signal)
      const { reply, code } = await sendWith(used)
      if (code === 'FST_DUAL_TOKEN_ACCESS_REVOKED') return await giveUp(new AuthorizationError(reply.status, code), used)
      if (code !== 'FST_DUAL_TOKEN_ACCESS_EXPIRED') return reply
      refreshing ??= withLock('refresh', () => renew(used)).finally(() => { refreshing = undefined })
      const renewed = await unlessAborted(refreshing, signal)
      return isStream || !renewed || renewed.sign_in !== used.sign_in ? reply : (await sendWith(renewed)).reply
    },
    async signIn (credentials) {
      const { reply, code } = await authorize('POST', { 'content-type': 'application/json' }, JSON.stringify(credentials))
      if (reply.status !== 201) throw new AuthorizationError(reply.status, code)
      await store({ ...await reply.json() as Tokens, sign_in: Math.random() })
    },
    async signOut () {
      const tokens = await store(null)
      if (!tokens) return
      const { reply, code } = await authorize('DELETE', { authorization: `Bearer ${tokens.token}` })
      if (![204, 401, 404].includes(reply.status)) throw new AuthorizationError(reply.status, code)
    }
  }
}
