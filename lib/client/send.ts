// A request that may be repeated → the server's reply and the code in it, after waiting for a busy server.

/** A request is sent this often in all while the server answers 503. */
const MOST_TRIES = 3
/** The client does not wait for a server that asks for a longer pause. Seconds. */
const LONGEST_PAUSE = 30

export type Signal = AbortSignal | null | undefined
type Wait = (milliseconds: number) => Promise<unknown>

export interface Answer {
  readonly reply: Response
  /** The `code` of the server's error. */
  readonly code: string | undefined
}

/** Sends a request, and again while the server answers 503 and the request may be repeated. */
export async function send (sendOnce: () => Promise<Response>, wait: Wait, mayRepeat: (code?: string) => boolean, signal?: Signal, tries = 1): Promise<Answer> {
  const reply = await sendOnce()
  const code = await codeOf(reply)
  const seconds = (Number(reply.headers.get('retry-after')) || 1) * 2 ** (tries - 1)
  if (reply.status !== 503 || tries === MOST_TRIES || seconds > LONGEST_PAUSE || !mayRepeat(code)) return { reply, code }
  await unlessAborted(wait(seconds * 1000 * (1 + Math.random())), signal)
  return await send(sendOnce, wait, mayRepeat, signal, tries + 1)
}

async function codeOf (reply: Response): Promise<string | undefined> {
  if (![400, 401, 403, 503].includes(reply.status)) return undefined
  const body = await reply.clone().json().catch(() => null) as { code?: string } | null
  return body?.code
}

/** Settles as the outcome does, or rejects as soon as the signal is aborted. */
export function unlessAborted<T> (outcome: Promise<T>, signal?: Signal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => reject(signal?.reason)
    if (signal?.aborted) abort()
    signal?.addEventListener('abort', abort)
    outcome.then(resolve, reject).finally(() => signal?.removeEventListener('abort', abort))
  })
}

export function pause (milliseconds: number): Promise<unknown> {
  return new Promise(resolve => setTimeout(resolve, milliseconds))
}
