// A fetch → one for pages whose tokens are in cookies (the option `cookies` of the server): it refreshes them, one tab at a time.
import { createApi } from './api.ts'
import { channelOfBrowser, locksOfBrowser } from './browser.ts'
import { AuthorizationError } from './error.ts'
import { unlessAborted, type Answer, type Signal } from './send.ts'
import type { CookieClient, CookieClientOptions } from './types.ts'

/** Codes of refusals that a refresh may help. */
const NEEDS_REFRESH = /^FST_DUAL_TOKEN_ACCESS_(EXPIRED|MISSING)$/

/** The access token: `''` when it is in a cookie, `null` when nobody is signed in, `undefined` when the page does not know. */
type Known = string | null | undefined

/** What the page knew when a request was sent. */
interface Present {
  readonly token: Known
  readonly turn: number
  readonly sign_in: number
}

/**
 * Makes a client for the pages of one browser. It stores no token: the refresh token is in a cookie that no script can read.
 *
 * @example
 * ```ts
 * const { fetch, signIn, signOut } = createCookieClient({ baseUrl: location.origin })
 * ```
 */
export function createCookieClient (options: CookieClientOptions): CookieClient {
  const { access = false, onSignInRequired, locks = locksOfBrowser() } = options
  const { fetch, routes, prover, authorize } = createApi<Present | null>(options, identify, recover, reauthenticate, { credentials: 'include' })
  const name = `fastify-dual-token cookies ${routes}`
  const channel = options.channel === undefined ? channelOfBrowser(name) : options.channel
  let token: Known
  /** Counts how often the tokens were replaced, because the page cannot compare tokens in cookies. */
  let turn = 0
  /** Counts how often the user was replaced. */
  let signIns = 0
  let isTold = false
  let refreshing: Promise<unknown> | undefined
  let last: Promise<unknown> = Promise.resolve()

  channel?.addEventListener('message', ({ data }) => data === 'refreshed' ? setToken('') : setUser(undefined))

  async function signIn (credentials: object): Promise<void> {
    await replaceUser(async () => {
      await prover?.ensureKey()
      const { reply, code } = await authorize('POST', '', credentials)
      if (reply.status !== 201) throw new AuthorizationError(reply.status, code)
      return await tokenOf(reply)
    })
  }

  /** Takes its turn, so that no refresh brings back an older cookie. */
  async function reauthenticate (credentials: object): Promise<void> {
    await inTurn(async () => {
      const ask = (): Promise<Answer> => authorize('POST', token, credentials, 'reauthentication')
      const seen = signIns
      let { reply, code = '' } = await ask()
      if (NEEDS_REFRESH.test(code)) {
        await renew(turn)
        ;({ reply, code = '' } = await ask())
      }
      if (reply.status !== 201) giveUp(turn, new AuthorizationError(reply.status, code))
      const renewed = await tokenOf(reply)
      if (signIns === seen) keep(renewed)
    })
  }

  async function signOut (): Promise<void> {
    await replaceUser(async () => {
      const { reply, code = '' } = await authorize('DELETE')
      // With these codes, too, the server deletes the cookies, or there were none.
      if (reply.status !== 204 && !/^FST_DUAL_TOKEN_ACCESS_/.test(code)) throw new AuthorizationError(reply.status, code)
      return null
    })
  }

  async function isSignedIn (): Promise<boolean> {
    await refreshUnless(turn)
    return typeof token === 'string'
  }

  /** A page that has just been loaded asks first, so that open routes know the user, too. */
  async function identify (signal: Signal): Promise<Present> {
    if (token === undefined && !access) await unlessAborted(refreshUnless(turn).catch(unlessEnded), signal)
    return { token, turn, sign_in: signIns }
  }

  async function recover (sent: Present, status: number, code: string): Promise<Present | null> {
    if (/^FST_DUAL_TOKEN_(ACCESS_REVOKED|CROSS_ORIGIN)$/.test(code)) giveUp(sent.turn, new AuthorizationError(status, code))
    if (!NEEDS_REFRESH.test(code)) return null
    await refreshUnless(sent.turn)
    return token === null ? null : { token, turn, sign_in: signIns }
  }

  /** Refreshes once, however many requests ask for it, unless something has replaced the tokens since that turn. */
  async function refreshUnless (seen: number): Promise<void> {
    if (turn !== seen) return
    refreshing ??= inTurn(() => renew(seen)).finally(() => { refreshing = undefined })
    await refreshing
  }

  async function renew (seen: number): Promise<void> {
    if (turn !== seen) return
    const { reply, code } = await authorize('PUT')
    const renewed = reply.status === 201 ? await tokenOf(reply) : null
    // Another tab has signed somebody in or out.
    if (turn !== seen) return
    if (renewed === null && code !== 'FST_DUAL_TOKEN_REFRESH_MISSING') giveUp(turn, new AuthorizationError(reply.status, code))
    keep(renewed)
  }

  /** The other tabs hear of a new cookie. */
  function keep (renewed: string | null): void {
    setToken(renewed)
    if (renewed === '') channel?.postMessage('refreshed')
  }

  /** Signs in or out, and tells the other tabs before they take their turns. */
  async function replaceUser (ask: () => Promise<string | null>): Promise<void> {
    await inTurn(async () => {
      try {
        setUser(await ask())
      } catch (error) {
        if (error instanceof AuthorizationError) throw error
        // The browser may have kept the cookies of a reply that was lost.
        setUser(undefined)
        channel?.postMessage('replaced')
        throw error
      }
      channel?.postMessage('replaced')
    })
  }

  function setUser (found: Known): void {
    signIns++
    setToken(found)
  }

  function setToken (found: Known): void {
    turn++
    token = found
    if (found !== null) isTold = false
  }

  /** Always throws. When the user has to sign in again, calls `onSignInRequired` first, but only once. */
  function giveUp (seen: number, error: AuthorizationError): never {
    if (error.signInRequired && turn === seen) {
      setToken(null)
      if (!isTold) onSignInRequired?.(error)
      isTold = true
    }
    throw error
  }

  /** One sign-in, refresh or sign-out at a time, in this tab and, by the lock, in all: the cookies are those of the last one. */
  function inTurn (step: () => Promise<void>): Promise<unknown> {
    last = last.catch(() => null).then(() => locks ? locks.request(name, step) : step())
    return last
  }

  return { fetch, signIn, reauthenticate, signOut, refresh: isSignedIn }
}

/** An access token in a cookie is not in the reply. */
async function tokenOf (reply: Response): Promise<string> {
  const { token = '' } = await reply.json() as { token?: string }
  return token
}

function unlessEnded (error: AuthorizationError): void {
  if (!error.signInRequired) throw error
}
