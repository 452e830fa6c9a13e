// A fetch and a storage → a fetch that carries the access token of a sign-in and refreshes it, for browsers and Node.js.
import { createApi } from './api.ts'
import { locksOfBrowser } from './browser.ts'
import { AuthorizationError } from './error.ts'
import type { Answer } from './send.ts'
import type { StoredTokens, TokenClient, TokenClientOptions, Tokens } from './types.ts'

const EXPIRED = 'FST_DUAL_TOKEN_ACCESS_EXPIRED'

/**
 * Makes a client for one sign-in.
 *
 * @example
 * ```ts
 * const { fetch, signIn, signOut } = createTokenClient({ baseUrl: 'https://api.example.com', storage })
 * ```
 */
export function createTokenClient (options: TokenClientOptions): TokenClient {
  const { storage, onSignInRequired, locks = locksOfBrowser() } = options
  const { fetch, routes, prover, authorize } = createApi<StoredTokens>(options, () => storage.get(), recover, reauthenticate)
  let refreshing: Promise<StoredTokens> | undefined
  let storing: Promise<StoredTokens> = Promise.resolve(null)

  async function signIn (credentials: object): Promise<void> {
    if (prover) await withLock('tokens', prover.ensureKey)
    const { reply, code } = await authorize('POST', '', credentials)
    if (reply.status !== 201) throw new AuthorizationError(reply.status, code)
    await store({ ...await reply.json() as Tokens, sign_in: Math.random() })
  }

  /** Takes the lock of refreshes, so that none replaces the new token by an older one. */
  async function reauthenticate (credentials: object): Promise<void> {
    await refreshing?.catch(() => null)
    await withLock('refresh', async () => {
      let tokens = await storage.get()
      const ask = (): Promise<Answer> => authorize('POST', tokens?.token, credentials, 'reauthentication')
      let { reply, code } = await ask()
      if (tokens && code === EXPIRED) {
        tokens = await renew(tokens)
        ;({ reply, code } = await ask())
      }
      const error = new AuthorizationError(reply.status, code)
      if (!tokens) throw error
      if (reply.status !== 201) return await giveUp(tokens, error)
      return await store({ ...tokens, ...await reply.json() as Partial<Tokens> }, tokens)
    })
  }

  async function signOut (): Promise<void> {
    const tokens = await store(null)
    if (!tokens) return
    const { reply, code } = await authorize('DELETE', tokens.token)
    // A server without sessions has nothing to end: it has no such route or, with cookies, one that only deletes the cookies of a page.
    if (![204, 401, 404].includes(reply.status) && code !== 'FST_DUAL_TOKEN_CROSS_ORIGIN') throw new AuthorizationError(reply.status, code)
  }

  async function recover (tokens: Tokens, status: number, code: string): Promise<StoredTokens> {
    if (code === 'FST_DUAL_TOKEN_ACCESS_REVOKED') return await giveUp(tokens, new AuthorizationError(status, code))
    if (code === EXPIRED) return await refresh(tokens)
  }

  /** Refreshes once, however many requests ask for it; resolves to the tokens that are stored then. */
  function refresh (expired: Tokens): Promise<StoredTokens> {
    refreshing ??= withLock('refresh', () => renew(expired)).finally(() => { refreshing = undefined })
    return refreshing
  }

  /** Exchanges the refresh token, unless another tab or another sign-in has replaced the expired tokens. */
  async function renew (expired: Tokens): Promise<StoredTokens> {
    const current = await storage.get()
    if (current?.token !== expired.token) return current

    const { reply, code } = await authorize('PUT', current.refresh_token)
    const renewed = reply.status === 201 ? { ...current, ...await reply.json() as Partial<Tokens> } : null
    const found = renewed ? await store(renewed, expired) : await storage.get()
    if (found?.token !== expired.token) return found
    return renewed ?? await giveUp(expired, new AuthorizationError(reply.status, code))
  }

  /** Always throws. When the tokens are no longer valid, drops them first, and calls `onSignInRequired` once. */
  async function giveUp (tokens: Tokens, error: AuthorizationError): Promise<never> {
    if (error.signInRequired) {
      const found = await store(null, tokens)
      if (found?.token === tokens.token) onSignInRequired?.(error)
    }
    throw error
  }

  /** Stores tokens, one change at a time; with `old`, only in its place. Resolves to what was stored before. Waits for no server. */
  function store (tokens: Tokens | null, old?: Tokens): Promise<StoredTokens> {
    const change = async (): Promise<StoredTokens> => {
      const found = await storage.get()
      if (!old || found?.token === old.token) await storage.set(tokens)
      return found
    }
    storing = storing.catch(() => null).then(() => withLock('tokens', change))
    return storing
  }

  function withLock<T> (name: string, step: () => Promise<T>): Promise<T> {
    return locks?.request(`fastify-dual-token ${name} ${routes}`, step) ?? step()
  }

  return { fetch, signIn, reauthenticate, signOut }
}
