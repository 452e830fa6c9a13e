// Where the API is, and who is signed in → a fetch that says who sends a request, and calls of the ready routes: what both clients share.
import { createProver, type Prover } from './prover.ts'
import { pause, send, unlessAborted, type Answer, type Signal } from './send.ts'
import type { ClientOptions } from './types.ts'

const NOT_FRESH = 'FST_DUAL_TOKEN_ACCESS_NOT_FRESH'

/** Methods that a client may repeat (RFC 9110 section 9.2.2). */
const IDEMPOTENT = /^(GET|OPTIONS|PUT|DELETE)$/i

type Fetch = typeof globalThis.fetch

/** Somebody who is signed in. */
interface SignedIn {
  /** The access token; none where it is in a cookie. */
  readonly token?: string | null | undefined
  /** Marks the sign-in, so that no request is sent again as somebody else. */
  readonly sign_in?: number | undefined
}

/** Whom to send a request as, or nobody. */
type Identify<Who> = (signal: Signal) => Who | Promise<Who>

/** Called when the server has refused a request; returns whom to send it as again, or nobody. */
type Recover<Who> = (who: NonNullable<Who>, status: number, code: string) => Promise<Who>

export interface Api {
  readonly fetch: Fetch
  /** The URL of the ready routes. */
  readonly routes: URL
  /** With the option `dpop`. */
  readonly prover: Prover | null
  /** Calls one of the ready routes; with `below`, the one of that name below the others. */
  authorize (method: string, token?: string | null, credentials?: object, below?: string): Promise<Answer>
}

/**
 * @param reauthenticate sends credentials again, and keeps the new access token
 * @param own the members of `init` for every request to the API
 */
export function createApi<Who extends SignedIn | null | undefined> (
  options: ClientOptions, identify: Identify<Who>, recover: Recover<Who>, reauthenticate: (credentials: object) => Promise<void>, own?: RequestInit
): Api {
  const { fetch = globalThis.fetch, timeout = 10_000, wait = pause } = options
  const base = new URL(options.baseUrl)
  const routes = new URL(options.path ?? '/authorizations', base)
  const prover = createProver(options.dpop ?? false, routes)
  /** Counts how often the user has been asked, and has agreed. */
  let proofs = 0
  let asking: Promise<boolean> | undefined

  async function fetchAsSignedIn (...[input, init]: Parameters<Fetch>): Promise<Response> {
    const request = typeof input === 'object' && 'url' in input ? input : null
    const url = new URL(request?.url ?? String(input), base)
    const headers = new Headers(init?.headers ?? request?.headers)
    const signal = init?.signal === undefined ? request?.signal : init.signal
    const isOwn = url.protocol === base.protocol && url.host === base.host && !headers.has('authorization')
    const who = isOwn ? await identify(signal) : null
    if (!who) return await fetch(request ?? url, init)

    // A stream can be sent only once.
    const isStream = ['getReader', Symbol.asyncIterator].some(key => key in Object(init?.body))
    const mayRepeat = !isStream && IDEMPOTENT.test(init?.method ?? request?.method ?? 'GET')

    function sendAs ({ token }: SignedIn): Promise<Answer> {
      const sendOnce = (): Promise<Response> => {
        setBearer(headers, token)
        return fetch(request?.clone() ?? url, { ...init, ...own, headers })
      }
      return send(sendOnce, wait, code => mayRepeat && code === 'FST_DUAL_TOKEN_STORE_UNAVAILABLE', signal)
    }

    async function sendAgain (reply: Response, renewed: Who): Promise<Answer> {
      const isSameSignIn = renewed && renewed.sign_in === who!.sign_in
      return isStream || !isSameSignIn ? { reply, code: undefined } : await sendAs(renewed)
    }

    const seen = proofs
    let answer = await sendAs(who)
    if (answer.code && answer.code !== NOT_FRESH) {
      answer = await sendAgain(answer.reply, await unlessAborted(recover(who, answer.reply.status, answer.code), signal))
    }
    // Not instead of a refresh: a user who comes back after hours needs both.
    if (answer.code === NOT_FRESH && !isStream && await unlessAborted(prove(answer.reply, seen), signal)) {
      answer = await sendAgain(answer.reply, await identify(signal))
    }
    return answer.reply
  }

  /** Asks the user once, however many requests need it, unless that has happened since the request was sent. */
  async function prove (reply: Response, seen: number): Promise<boolean> {
    if (proofs !== seen) return true
    asking ??= ask(reply).finally(() => { asking = undefined })
    return await asking
  }

  async function ask ({ headers }: Response): Promise<boolean> {
    const [, maxAge] = /max_age="(\d+)"/.exec(headers.get('www-authenticate') ?? '') ?? []
    const answer = await options.onReauthenticationRequired?.(maxAge === undefined ? maxAge : Number(maxAge))
    if (!answer) return false
    if (answer !== true) await reauthenticate(answer)
    proofs++
    return true
  }

  async function authorize (method: string, token?: string | null, credentials?: object, below = ''): Promise<Answer> {
    const url = below ? new URL(routes.pathname.replace(/\/?$/, `/${below}`), routes) : routes
    const headers = new Headers(credentials && { 'content-type': 'application/json' })
    setBearer(headers, token)
    const sendOnce = async (): Promise<Response> => {
      // Each try needs a proof of its own: a server accepts none twice.
      if (!below) await prover?.prove(headers, method, url)
      return await fetch(url, { method, headers, body: JSON.stringify(credentials), redirect: 'error', signal: AbortSignal.timeout(timeout), ...own })
    }
    const ask = (): Promise<Answer> => send(sendOnce, wait, () => true)
    const answer = await ask()
    return prover?.takeNonce(answer) ? await ask() : answer
  }

  return { fetch: fetchAsSignedIn, routes, prover, authorize }
}

function setBearer (headers: Headers, token: string | null | undefined): void {
  if (token) headers.set('authorization', `Bearer ${token}`)
}
