// The address of a key set → its text, within limits of length and time, and how long it is fresh, or the reason why there is none.
import { isIPv4 } from 'node:net'
import type { AsymmetricAlgorithm } from './types.ts'

/** What `remoteKeys` was given, validated and complete; durations in milliseconds. */
export interface KeySetSettings {
  readonly url: string
  readonly algorithms: readonly AsymmetricAlgorithm[]
  readonly maxAge: number
  readonly cooldown: number
  readonly timeout: number
  readonly fetch: typeof globalThis.fetch
}

/** A key set as it was sent. */
export interface KeySetText {
  readonly text: string
  /** Milliseconds; null when the publisher does not say. */
  readonly freshFor: number | null
}

const MAX_BYTES = 65_536
const ACCEPT = 'application/jwk-set+json, application/json'

/** Why a key set is of no use: "the key set" and the end of the sentence. Nothing that the publisher sent is in it. */
export class KeySetError extends Error {
  constructor (sentenceEnd: string, cause?: unknown) {
    super(`the key set ${sentenceEnd}`, cause === undefined ? {} : { cause })
  }
}

/** Whether nobody on the way can change what it answers: https, or a loopback host (RFC 6761 section 6.3, RFC 1122 section 3.2.1.3). */
export function isSecureAddress ({ protocol, hostname }: URL): boolean {
  if (protocol === 'https:') return true
  const isLoopback = hostname === 'localhost' || hostname.endsWith('.localhost') || hostname === '[::1]' ||
    (isIPv4(hostname) && hostname.startsWith('127.'))
  return protocol === 'http:' && isLoopback
}

/**
 * Reads the set. It holds to its limits whatever `fetch` does.
 *
 * @param timeout milliseconds, for all of it
 * @param controller ends the read early
 * @throws KeySetError
 */
export async function fetchKeySet ({ url, fetch }: KeySetSettings, timeout: number, controller: AbortController): Promise<KeySetText> {
  const { signal } = controller
  const aborted = new Promise<never>((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
  const timer = setTimeout(() => controller.abort(new KeySetError(`did not come within ${Math.round(timeout)} ms`)), timeout)
  return await Promise.race([read(fetch, url, signal), aborted]).catch(translate).finally(() => {
    clearTimeout(timer)
    // Closes the connection when the body was not read to its end.
    controller.abort()
  })
}

function translate (error: unknown): never {
  throw error instanceof KeySetError ? error : new KeySetError('cannot be reached', error)
}

async function read (fetch: typeof globalThis.fetch, url: string, signal: AbortSignal): Promise<KeySetText> {
  const response = await fetch(url, { redirect: 'manual', headers: { accept: ACCEPT }, signal })
  const { status, redirected, headers, body } = response
  // A redirect is as trustworthy as the weakest address on its way, so none is followed.
  if (redirected || (status >= 300 && status < 400)) throw new KeySetError('is behind a redirect, which is not followed')
  if (status !== 200) throw new KeySetError(`is answered with status ${status}`)
  return { text: await textOf(body), freshFor: freshnessOf(headers) }
}

async function textOf (body: Response['body']): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of body ?? []) {
    length += chunk.length
    if (length > MAX_BYTES) throw new KeySetError(`is longer than ${MAX_BYTES} bytes`)
    chunks.push(chunk)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks))
  } catch {
    throw new KeySetError('is not UTF-8')
  }
}

/** What is left of `max-age`, in milliseconds; 0 for what must not be kept at all (RFC 9111 sections 4.2 and 5.2.2). */
function freshnessOf (headers: Headers): number | null {
  const directives = (headers.get('cache-control') ?? '').toLowerCase().split(',').map(directive => directive.trim())
  if (directives.includes('no-store') || directives.includes('no-cache')) return 0
  const seconds = directives.map(directive => /^max-age="?(\d{1,10})"?$/.exec(directive)?.[1]).find(digits => digits !== undefined)
  if (seconds === undefined) return null
  const age = /^\d{1,10}$/.exec(headers.get('age') ?? '')?.[0] ?? 0
  return Math.max(0, Number(seconds) - Number(age)) * 1000
}
