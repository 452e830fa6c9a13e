// A fetch → a fetch that sends the access token of a sign-in and refreshes it: `fastify-dual-token/client`, for browsers and Node.js.
import type { AuthorizationFailure, StoredTokens, TokenClient, TokenClientOptions, TokenLocks, Tokens } from './types.ts'
export type * from './types.ts'

/** How many times the client sends a request, in total, while the server answers 503. */
const MOST_TRIES = 3
/** The longest `Retry-After` that the client waits for, in seconds. */
const LONGEST_PAUSE = 30
/** Methods that a client may repeat (RFC 9110 section 9.2.2). */
const IDEMPOTENT = /^(GET|OPTIONS|PUT|DELETE)$/i

type Fetch = typeof globalThis.fetch
type Signal = AbortSignal | null | undefined

interface Answer {
  readonly reply: Response
  /** The `code` of the server's error. */
  readonly code: string | undefined
}

/** The server refused to sign in, refresh or sign out, or has ended the session. */
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

/**
 * Makes a client for one sign-in.
 *
 * @example
 * ```ts
 * const { fetch, signIn, signOut } = createTokenClient({ baseUrl: 'https://api.example.com', storage })
 * ```
 */
export function createTokenClient (options: TokenClientOptions): TokenClient {
  const { storage, onSignInRequired, fetch = globalThis.fetch, timeout = 10_000, wait = pause, locks = locksOfBrowser() } = options
  const base = new URL(options.baseUrl)
  const authorizations = new URL(options.path ?? '/authorizations', base)
  let refreshing: Promise<StoredTokens> | undefined
  let storing: Promise<StoredTokens> = Promise.resolve(null)

  async function fetchWithToken (...[input, init]: Parameters<Fetch>): Promise<Response> {
    const request = typeof input === 'object' && 'url' in input ? input : null
    const url = new URL(request?.url ?? String(input), base)
    const headers = new Headers(init?.headers ?? request?.headers)
    const isOwnOrigin = url.protocol === base.protocol && url.host === base.host
    const tokens = isOwnOrigin ? await storage.get() : null
    if (!tokens || headers.has('authorization')) return await fetch(request ?? url, init)

    const signal = init?.signal === undefined ? request?.signal : init.signal
    const isStream = hasStream(init)
    const mayRepeat = !isStream && IDEMPOTENT.test(init?.method ?? request?.method ?? 'GET')

    function sendAs ({ token }: Tokens): Promise<Answer> {
      const sendOnce = (): Promise<Response> => {
        headers.set('authorization', `Bearer ${token}`)
        return fetch(request?.clone() ?? url, { ...init, headers })
      }
      return send(sendOnce, code => mayRepeat && code === 'FST_DUAL_TOKEN_STORE_UNAVAILABLE', signal)
    }

    const { reply, code } = await sendAs(tokens)
    if (code === 'FST_DUAL_TOKEN_ACCESS_REVOKED') return await giveUp(tokens, new AuthorizationError(reply.status, code))
    if (code !== 'FST_DUAL_TOKEN_ACCESS_EXPIRED') return reply

    const renewed = await unlessAborted(refresh(tokens), signal)
    const isSameSignIn = renewed && renewed.sign_in === tokens.sign_in
    if (isStream || !isSameSignIn) return reply
    return (await sendAs(renewed)).reply
  }

  async function signIn (credentials: object): Promise<void> {
    const { reply, code } = await authorize('POST', { 'content-type': 'application/json' }, JSON.stringify(credentials))
    if (reply.status !== 201) throw new AuthorizationError(reply.status, code)
    await store({ ...await reply.json() as Tokens, sign_in: Math.random() })
  }

  async function signOut (): Promise<void> {
    const tokens = await store(null)
    if (!tokens) return
    const { reply, code } = await authorize('DELETE', { authorization: `Bearer ${tokens.token}` })
    if (![204, 401, 404].includes(reply.status)) throw new AuthorizationError(reply.status, code)
  }

  /** Refreshes once, however many requests ask for it. Resolves to the tokens in the storage afterwards. */
  function refresh (expired: Tokens): Promise<StoredTokens> {
    refreshing ??= withLock('refresh', () => renew(expired)).finally(() => { refreshing = undefined })
    return refreshing
  }

  /** Exchanges the refresh token, unless another tab or another sign-in has replaced the expired tokens. */
  async function renew (expired: Tokens): Promise<StoredTokens> {
    const current = await storage.get()
    if (current?.token !== expired.token) return current

    const { reply, code } = await authorize('PUT', { authorization: `Bearer ${current.refresh_token}` })
    const renewed = reply.status === 201 ? { ...current, ...await reply.json() as Partial<Tokens> } : null
    const found = renewed ? await store(renewed, expired) : await storage.get()
    if (found?.token !== expired.token) return found
    return renewed ?? await giveUp(expired, new AuthorizationError(reply.status, code))
  }

  /** Drops tokens that the server no longer accepts, and reports it once. */
  async function giveUp (tokens: Tokens, error: AuthorizationError): Promise<never> {
    if (error.signInRequired) {
      const found = await store(null, tokens)
      if (found?.token === tokens.token) onSignInRequired?.(error)
    }
    throw error
  }

  /**
   * Stores tokens, one change at a time; with `old`, only if the storage still holds these. Resolves to the previous tokens. Never waits
   * for a server.
   */
  function store (tokens: Tokens | null, old?: Tokens): Promise<StoredTokens> {
    const change = async (): Promise<StoredTokens> => {
      const found = await storage.get()
      if (!old || found?.token === old.token) await storage.set(tokens)
      return found
    }
    storing = storing.catch(() => null).then(() => withLock('tokens', change))
    return storing
  }

  /** Calls one of the ready routes. */
  function authorize (method: string, headers: Record<string, string>, body: string | null = null): Promise<Answer> {
    const sendOnce = () => fetch(authorizations, { method, headers, body, redirect: 'error', signal: AbortSignal.timeout(timeout) })
    return send(sendOnce, () => true)
  }

  /** Sends a request, and repeats it while the server answers 503 and the request may be repeated. */
  async function send (sendOnce: () => Promise<Response>, mayRepeat: (code?: string) => boolean, signal?: Signal, tries = 1): Promise<Answer> {
    const reply = await sendOnce()
    const code = await codeOf(reply)
    const seconds = (Number(reply.headers.get('retry-after')) || 1) * 2 ** (tries - 1)
    if (reply.status !== 503 || tries === MOST_TRIES || seconds > LONGEST_PAUSE || !mayRepeat(code)) return { reply, code }
    await unlessAborted(wait(seconds * 1000 * (1 + Math.random())), signal)
    return await send(sendOnce, mayRepeat, signal, tries + 1)
  }

  function withLock (name: string, step: () => Promise<StoredTokens>): Promise<StoredTokens> {
    return locks?.request(`fastify-dual-token ${name} ${authorizations}`, step) ?? step()
  }

  return { fetch: fetchWithToken, signIn, signOut }
}

async function codeOf (reply: Response): Promise<string | undefined> {
  if (![401, 403, 503].includes(reply.status)) return undefined
  const body = await reply.clone().json().catch(() => null) as { code?: string } | null
  return body?.code
}

/** Whether the body is a stream, which can be sent only once. */
function hasStream (init: RequestInit | undefined): boolean {
  return ['getReader', Symbol.asyncIterator].some(key => key in Object(init?.body))
}

function pause (milliseconds: number): Promise<unknown> {
  return new Promise(resolve => setTimeout(resolve, milliseconds))
}

/** Settles like the outcome, or rejects as soon as the signal aborts. */
function unlessAborted<T> (outcome: Promise<T>, signal?: Signal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => reject(signal?.reason)
    if (signal?.aborted) abort()
    signal?.addEventListener('abort', abort)
    outcome.then(resolve, reject).finally(() => signal?.removeEventListener('abort', abort))
  })
}

/**
 * Pages and workers of one origin share a storage. In Node.js and Deno, which also have locks, all clients of a process would wait
 * for each other.
 */
function locksOfBrowser (): TokenLocks | undefined {
  const scope = globalThis as { isSecureContext?: boolean, navigator?: { locks?: TokenLocks } }
  // Only browsers define it, in pages and workers, and they offer locks only where it is true.
  return scope.isSecureContext ? scope.navigator?.locks : undefined
}
