// Where the API is, and who is signed in → a fetch that says who sends a request, and calls of the ready routes: what both clients share.
import { AuthorizationError } from './error.ts'
import { pause, send, unlessAborted, type Answer, type Signal } from './send.ts'
import type { ClientOptions } from './types.ts'

/** Methods that a client may repeat (RFC 9110 section 9.2.2). */
const IDEMPOTENT = /^(GET|OPTIONS|PUT|DELETE)$/i
/** A request with such a code has not failed by itself, and no refresh helps. */
const REFUSED = /^FST_DUAL_TOKEN_(ACCESS_REVOKED|CROSS_ORIGIN)$/

type Fetch = typeof globalThis.fetch

/** Somebody who is signed in. */
interface SignedIn {
  /** The access token; none where it is in a cookie. */
  readonly token?: string | null | undefined
  /** Marks the sign-in, so that no request is tried again as somebody else. */
  readonly sign_in?: number | undefined
}

/** What a client does on the way of a request. */
export interface Steps<Who> {
  /** The codes after which a refresh may help. */
  readonly expired: RegExp
  /** Nobody, or whom to send a request as. */
  identify (signal: Signal): Who | Promise<Who>
  /** After a request as somebody was refused: whom to send it as again. */
  refresh (who: NonNullable<Who>): Promise<Who>
  giveUp (who: NonNullable<Who>, error: AuthorizationError): Promise<never>
}

export interface Api {
  readonly fetch: Fetch
  /** The URL of the ready routes. */
  readonly routes: URL
  /** Calls one of the ready routes. */
  authorize (method: string, headers?: Record<string, string>, credentials?: object): Promise<Answer>
}

/** @param own what every request to the API is sent with */
export function createApi<Who extends SignedIn | null | undefined> (options: ClientOptions, steps: Steps<Who>, own?: RequestInit): Api {
  const { fetch = globalThis.fetch, timeout = 10_000, wait = pause } = options
  const base = new URL(options.baseUrl)
  const routes = new URL(options.path ?? '/authorizations', base)

  async function fetchAsSignedIn (...[input, init]: Parameters<Fetch>): Promise<Response> {
    const request = typeof input === 'object' && 'url' in input ? input : null
    const url = new URL(request?.url ?? String(input), base)
    const headers = new Headers(init?.headers ?? request?.headers)
    const signal = init?.signal === undefined ? request?.signal : init.signal
    const isOwn = url.protocol === base.protocol && url.host === base.host && !headers.has('authorization')
    const who = isOwn ? await steps.identify(signal) : null
    if (!who) return await fetch(request ?? url, init)

    const isStream = hasStream(init)
    const mayRepeat = !isStream && IDEMPOTENT.test(init?.method ?? request?.method ?? 'GET')

    function sendAs ({ token }: SignedIn): Promise<Answer> {
      const sendOnce = (): Promise<Response> => {
        if (token) headers.set('authorization', `Bearer ${token}`)
        return fetch(request?.clone() ?? url, { ...init, ...own, headers })
      }
      return send(sendOnce, wait, code => mayRepeat && code === 'FST_DUAL_TOKEN_STORE_UNAVAILABLE', signal)
    }

    const { reply, code = '' } = await sendAs(who)
    if (REFUSED.test(code)) return await steps.giveUp(who, new AuthorizationError(reply.status, code))
    if (!steps.expired.test(code)) return reply

    const renewed = await unlessAborted(steps.refresh(who), signal)
    const isSameSignIn = renewed && renewed.sign_in === who.sign_in
    if (isStream || !isSameSignIn) return reply
    return (await sendAs(renewed)).reply
  }

  function authorize (method: string, headers?: Record<string, string>, credentials?: object): Promise<Answer> {
    const body = credentials ? JSON.stringify(credentials) : null
    const sendOnce = () => fetch(routes, { method, headers: headers ?? {}, body, redirect: 'error', signal: AbortSignal.timeout(timeout), ...own })
    return send(sendOnce, wait, () => true)
  }

  return { fetch: fetchAsSignedIn, routes, authorize }
}

/** A stream is used up once it was sent. */
function hasStream (init: RequestInit | undefined): boolean {
  return ['getReader', Symbol.asyncIterator].some(key => key in Object(init?.body))
}
