// An address and its options → the `keys` of a service that follows a key set, or one clear sentence.
import { ASYMMETRIC_ALGORITHMS } from '../keys/parse.ts'
import { isSecureAddress, type KeySetSettings } from '../keys/fetch-key-set.ts'
import type { AsymmetricAlgorithm } from '../keys/types.ts'
import { readSeconds } from './durations.ts'
import { createFault } from '../errors.ts'

/** The options of `remoteKeys`. Durations are seconds, fractions included, or strings such as `'10m'`. */
export interface RemoteKeysOptions {
  /** The algorithms that keys of the set may have here. A key of any other one is left out, whatever the set says. */
  algorithms: readonly AsymmetricAlgorithm[]
  /** The longest time between two reads, and the time when the publisher names none; default `'10m'`. */
  maxAge?: number | string | undefined
  /**
   * The shortest time until the next read is due, after a failed one too; and the shortest time between two reads that unknown keys
   * cause; default `'30s'`.
   */
  cooldown?: number | string | undefined
  /** How long a read may take, its body included; default `'5s'`. */
  timeout?: number | string | undefined
  /** Default `globalThis.fetch`. */
  fetch?: typeof globalThis.fetch | undefined
}

const SETTINGS = Symbol('settings')

/** What `remoteKeys` returns: the option `keys` takes it. */
export interface RemoteKeys {
  readonly [SETTINGS]: KeySetSettings
}

/** Timers of Node.js fire at once when the delay is longer than 24.8 days. */
const MAX_TIMER = 24 * 86_400_000

/**
 * The `keys` of a service that only verifies: those of a JWK Set (RFC 7517 section 5), which the plugin reads before the server is ready,
 * and follows from then on.
 *
 * @param url https; http for a loopback host only. Redirects are not followed
 * @throws `FST_DUAL_TOKEN_OPTION_INVALID`
 * @example
 * ```ts
 * await fastify.register(dualToken, {
 *   keys: remoteKeys('https://id.example/.well-known/jwks.json', { algorithms: ['EdDSA'] })
 * })
 * ```
 */
export function remoteKeys (url: string | URL, options: RemoteKeysOptions): RemoteKeys {
  const { algorithms, maxAge = '10m', cooldown = '30s', timeout = '5s', fetch = globalThis.fetch, ...rest }: Record<string, unknown> = { ...options }
  const [unknown] = Object.keys(rest)
  if (unknown !== undefined) throw flaw(unknown, 'is not known')
  if (typeof fetch !== 'function') throw flaw('fetch', 'must be a function')

  return Object.freeze({
    [SETTINGS]: Object.freeze({
      url: readAddress(url),
      algorithms: readAlgorithms(algorithms),
      maxAge: timer('maxAge', maxAge),
      cooldown: timer('cooldown', cooldown),
      timeout: timer('timeout', timeout),
      fetch: fetch as typeof globalThis.fetch
    })
  })
}

/** The settings of what `remoteKeys` returned; null for any other value. */
export function keySetSettingsOf (keys: unknown): KeySetSettings | null {
  return isRemoteKeys(keys) ? keys[SETTINGS] : null
}

function isRemoteKeys (keys: unknown): keys is RemoteKeys {
  return typeof keys === 'object' && keys !== null && Object.hasOwn(keys, SETTINGS)
}

function readAddress (given: unknown): string {
  const url = (typeof given === 'string' || given instanceof URL) && URL.canParse(String(given)) ? new URL(String(given)) : null
  if (url === null || !isSecureAddress(url)) throw flaw('url', 'must be an https URL, or an http URL of a loopback host')
  // fetch would refuse it with an error that quotes it.
  if (url.username !== '' || url.password !== '') throw flaw('url', 'must not hold a user name or a password')
  return url.href
}

function readAlgorithms (given: unknown): readonly AsymmetricAlgorithm[] {
  const list: unknown[] = Array.isArray(given) ? [...new Set(given)] : []
  if (list.length > 0 && list.every(name => ASYMMETRIC_ALGORITHMS.includes(name as string))) return Object.freeze(list as AsymmetricAlgorithm[])
  throw flaw('algorithms', `must be a list of at least one of ${ASYMMETRIC_ALGORITHMS.join(', ')}`)
}

function timer (name: string, given: unknown): number {
  const seconds = readSeconds(given)
  if (seconds === null) throw flaw(name, "must be seconds, or a string with a unit such as '30s' or '10m'")
  const milliseconds = Math.round(seconds * 1000)
  if (milliseconds === 0 || milliseconds > MAX_TIMER) throw flaw(name, 'must be more than 0, and at most 24 days')
  return milliseconds
}

function flaw (name: string, sentenceEnd: string): Error {
  return createFault('OPTION_INVALID', `Option remoteKeys.${name} ${sentenceEnd}.`)
}
