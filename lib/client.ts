// A fetch → one that carries the access token of a sign-in and refreshes it: `fastify-dual-token/client`, for browsers and Node.js.
import type { AuthorizationFailure, TokenClient, TokenClientOptions, TokenLocks, Tokens } from './client-types.ts'
export type * from './client-types.ts'

const [TRIES, PATIENCE] = [3, 30] // how often a server is asked that answers 503, and for how many seconds it is waited

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

export function createTokenClient ({
  baseUrl, path = '/authorizations', storage, onSignInRequired, fetch = globalThis.fetch, timeout = 10_000,
  locks = (globalThis as { navigator?: { locks?: TokenLocks } }).navigator?.locks,
  wait = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds))
}: TokenClientOptions): TokenClient {
  const base = new URL(baseUrl)
  const authorizations = new URL(path, base)
  let refreshing: Promise<Tokens | undefined> | undefined

  async function send (ask: () => Promise<Response>, mayRepeat: (code?: string) => boolean) {
    for (let tries = 1; ; tries++) {
      const reply = await ask()
      // The body's code: pages of other origins cannot read `WWW-Authenticate`, and its description is for people.
      const body = [401, 403, 503].includes(reply.status) ? await reply.clone().json().catch(() => null) as { code?: string } | null : null
      const seconds = (Number(reply.headers.get('retry-after')) || 1) * 2 ** (tries - 1)
      if (reply.status !== 503 || tries === TRIES || seconds > PATIENCE || !mayRepeat(body?.code)) return { reply, code: body?.code }
      await wait(seconds * 1000 * (1 + Math.random()))
    }
  }

  const authorize = (method: string, headers: Record<string, string>, body: string | null = null) =>
    send(() => fetch(authorizations, { method, headers, body, redirect: 'error', signal: AbortSignal.timeout(timeout) }), () => true)

  async function giveUp (error: AuthorizationError, { token }: Tokens): Promise<never> {
    const isOver = error.signInRequired && (await storage.get())?.token === token
    if (isOver) await storage.set(null)
    if (isOver) onSignInRequired?.(error)
    throw error
  }

  /** One at a time. Resolves to the tokens that are there in place of these, be they of another tab or sign-in. */
  async function renew ({ token }: Tokens): Promise<Tokens | undefined> {
    const before = await storage.get()
    if (before?.token !== token) return before ?? undefined
    const { reply, code } = await authorize('PUT', { authorization: `Bearer ${before.refresh_token}` })
    const fresh = reply.status === 201 ? await reply.json() as Partial<Tokens> : null
    const after = await storage.get()
    if (after?.token !== token) return after ?? undefined
    if (fresh === null) return await giveUp(new AuthorizationError(reply.status, code), after)
    await storage.set({ ...after, ...fresh })
    return { ...after, ...fresh }
  }

  return {
    async fetch (input, init) {
      const request = typeof input === 'object' && 'url' in input ? input : null
      const url = new URL(request?.url ?? String(input), base)
      const headers = new Headers(init?.headers ?? request?.headers)
      const used = url.protocol === base.protocol && url.host === base.host ? await storage.get() : null
      if (!used || headers.has('authorization')) return await fetch(request ?? url, init)

      const isStream = ['getReader', Symbol.asyncIterator].some(key => key in Object(init?.body))
      const sendWith = ({ token }: Tokens) => {
        headers.set('authorization', `Bearer ${token}`)
        return send(() => fetch(request?.clone() ?? url, { ...init, headers }), code => !isStream && code === 'FST_DUAL_TOKEN_STORE_UNAVAILABLE')
      }
      const { reply, code } = await sendWith(used)
      if (code === 'FST_DUAL_TOKEN_ACCESS_REVOKED') return await giveUp(new AuthorizationError(reply.status, code), used)
      if (code !== 'FST_DUAL_TOKEN_ACCESS_EXPIRED') return reply
      refreshing ??= (locks?.request(`fastify-dual-token ${authorizations.href}`, () => renew(used)) ?? renew(used)).finally(() => { refreshing = undefined })
      const renewed = await refreshing
      return isStream || !renewed || renewed.sign_in !== used.sign_in ? reply : (await sendWith(renewed)).reply
    },

    async signIn (credentials) {
      const { reply, code } = await authorize('POST', { 'content-type': 'application/json' }, JSON.stringify(credentials))
      if (reply.status !== 201) throw new AuthorizationError(reply.status, code)
      await storage.set({ ...await reply.json() as Tokens, sign_in: Math.random() })
    },

    async signOut () {
      const tokens = await storage.get()
      await storage.set(null)
      if (!tokens) return
      const { reply, code } = await authorize('DELETE', { authorization: `Bearer ${tokens.token}` })
      if (![204, 401, 404].includes(reply.status)) throw new AuthorizationError(reply.status, code)
    }
  }
}
