// The `sessions` option, and what it becomes: frozen settings.
import cluster from 'node:cluster'
import { readSeconds } from './durations.ts'
import { createFault } from '../errors.ts'
import { hasDuty, mustHaveDuty } from '../sessions/duties.ts'
import type { SessionEvent } from '../sessions/events.ts'
import type { PossessionSettings, SessionSettings } from '../sessions/settings.ts'
import type { SessionLimit, SessionStore } from '../sessions/store.ts'

/** The `sessions` option. Durations are seconds, fractions included, or strings such as `'15m'`. */
export interface DualTokenSessions {
  /** `memoryStore()`, `sqliteStore(path)`, `postgresStore(pool)`, `redisStore(client)` or a store of your own. */
  store: SessionStore
  /** Renew the refresh token at each refresh; default true. False: it stays the same, but can be revoked. */
  rotate?: boolean | undefined
  /** How long a refresh token still works after its successor was made; default 10. */
  grace?: number | string | undefined
  /** How long a refresh token still works if its successor was never used, because the reply was lost; default `'24h'`. */
  recovery?: number | string | undefined
  /** Each refresh renews the lifetime of the refresh token; default false: it ends at a fixed time after sign-in. */
  sliding?: boolean | undefined
  /** The longest life of a sliding session, from sign-in; default `'90d'`. */
  maxLifetime?: number | string | undefined
  /** How many sessions a user may have at once; default: any number. */
  maxPerUser?: number | undefined
  /** At a sign-in beyond `maxPerUser`: end the least recently used session (default), or refuse the sign-in. */
  whenFull?: 'end_oldest' | 'refuse' | undefined
  /** How often the feed of revoked sessions is read; default 2. */
  pollInterval?: number | string | undefined
  /** How long the feed may be unreadable before `onStale` counts; default `'5m'`. */
  maxStaleness?: number | string | undefined
  /** After `maxStaleness`, guards answer 503 (`'deny'`, default) or go on (`'allow'`). */
  onStale?: 'deny' | 'allow' | undefined
  /** How long the store may take before a sign-in, refresh or sign-out answers 503; default 1. */
  storeTimeout?: number | string | undefined
  /**
   * Binds sessions to a key of the client (RFC 9449): a sign-in with a proof in its header `DPoP` is bound (`'optional'`, the default where the store
   * names the duty `possession`), every sign-in must bring one (`'required'`), or proofs at sign-in are ignored (`false`). Bound sessions stay bound.
   */
  dpop?: 'optional' | 'required' | false | DualTokenDpop | undefined
  /** Called with every event of a session. The plugin logs what it throws and continues. */
  onEvent?: ((event: SessionEvent) => unknown) | undefined
}

/** How sessions are bound to keys. */
export interface DualTokenDpop {
  /** Default `'optional'`. */
  mode?: 'optional' | 'required' | undefined
  /**
   * Where clients see this server, when the request does not say so: `https://app.example`, with the path, if any, that a proxy removes.
   * Default: as `request.protocol` and `request.host` say, which Fastify's `trustProxy` decides.
   */
  origin?: string | undefined
}

/** Every member of the option. */
export const SESSION_OPTION_NAMES: ReadonlySet<string> = new Set([
  'store', 'rotate', 'grace', 'recovery', 'sliding', 'maxLifetime', 'maxPerUser', 'whenFull', 'pollInterval', 'maxStaleness', 'onStale', 'storeTimeout',
  'onEvent', 'dpop'
])
const STORE_METHODS = ['create', 'rotate', 'confirm', 'revoke', 'revokeUser', 'list', 'revokedSince'] as const
const SKEW = 60
/** Timers of Node.js fire at once when the delay is longer than 24.8 days. */
const MAX_TIMER = 24 * 86_400_000

/**
 * @param accessLifetime seconds
 * @param refreshLifetime seconds
 * @param clockTolerance seconds
 * @throws `FST_DUAL_TOKEN_OPTION_INVALID`
 */
export function readSessions (options: object, accessLifetime: number, refreshLifetime: number, clockTolerance = 0): SessionSettings {
  const given: Record<string, unknown> = { ...options }
  for (const name of Object.keys(given)) if (!SESSION_OPTION_NAMES.has(name)) throw flaw(name, 'is not known')

  const { store, rotate = true, sliding = false, onStale = 'deny', onEvent } = given
  if (!isStore(store)) {
    throw flaw('store', 'must be a session store: memoryStore(), sqliteStore(path), postgresStore(pool), redisStore(client) or one of your own')
  }
  if (store.inProcess === true && cluster.isWorker) {
    throw flaw('store', 'must not be memoryStore() in a worker of node:cluster, because each worker would know only its own sessions: ' +
      'use sqliteStore, postgresStore or redisStore')
  }
  if (typeof rotate !== 'boolean') throw flaw('rotate', 'must be true or false')
  if (typeof sliding !== 'boolean') throw flaw('sliding', 'must be true or false')
  if (sliding && !rotate) throw flaw('sliding', 'needs rotate')
  if (onStale !== 'deny' && onStale !== 'allow') throw flaw('onStale', "must be 'deny' or 'allow'")
  if (onEvent !== undefined && typeof onEvent !== 'function') throw flaw('onEvent', 'must be a function')

  const grace = milliseconds(given, 'grace', 10)
  const recovery = milliseconds(given, 'recovery', 86_400)
  const pollInterval = timer(given, 'pollInterval', 2)
  const maxStaleness = milliseconds(given, 'maxStaleness', '5m')
  const storeTimeout = timer(given, 'storeTimeout', 1)
  const maxLifetime = milliseconds(given, 'maxLifetime', '90d')
  if (maxStaleness <= pollInterval) throw flaw('maxStaleness', 'must be longer than pollInterval')
  if (sliding && maxLifetime < refreshLifetime * 1000) throw flaw('maxLifetime', 'must not be shorter than refreshExpiresIn')

  return Object.freeze({
    store,
    rotate,
    grace,
    recovery,
    sliding: sliding ? Object.freeze({ lifetime: refreshLifetime * 1000, maxLifetime }) : null,
    limit: readLimit(store, given),
    possession: readDpop(store, given.dpop),
    pollInterval,
    maxStaleness,
    onStale,
    storeTimeout,
    onEvent: onEvent as SessionSettings['onEvent'],
    clockTolerance: clockTolerance * 1000,
    // A session is refreshed until `clockTolerance` after its end, and the access token is good for as long after its own.
    revocationTtl: (accessLifetime + SKEW + clockTolerance) * 1000
  })
}

function readLimit (store: SessionStore, { maxPerUser, whenFull }: Record<string, unknown>): SessionLimit | null {
  if (whenFull !== undefined && whenFull !== 'end_oldest' && whenFull !== 'refuse') throw flaw('whenFull', "must be 'end_oldest' or 'refuse'")
  if (maxPerUser === undefined) {
    if (whenFull !== undefined) throw flaw('whenFull', 'needs maxPerUser')
    return null
  }
  if (!isCount(maxPerUser)) throw flaw('maxPerUser', 'must be a whole number, at least 1')
  mustHaveDuty(store, 'limit', 'sessions.maxPerUser')
  return Object.freeze({ max: maxPerUser, whenFull: whenFull ?? 'end_oldest' })
}

const ORIGIN = /^https?:\/\/[^\s/?#@\\]+(?:\/[^\s?#\\]*[^\s/?#\\])?$/

/** Binding is on wherever the store can do it: nothing changes for clients that send no proof. */
function readDpop (store: SessionStore, dpop: unknown): PossessionSettings {
  if (dpop === undefined) return Object.freeze({ mode: hasDuty(store, 'possession') && 'optional', origin: null })
  if (dpop === false) return Object.freeze({ mode: false, origin: null })
  const isObject = typeof dpop === 'object' && dpop !== null && !Array.isArray(dpop)
  const { mode = 'optional', origin, ...rest }: Record<string, unknown> = isObject ? { ...dpop } : { mode: dpop }
  const [unknown] = Object.keys(rest)
  if (unknown !== undefined) throw flaw(`dpop.${unknown}`, 'is not known')
  if (mode !== 'optional' && mode !== 'required') throw flaw('dpop', "must be 'optional', 'required', false, or an object with mode and origin")
  if (origin !== undefined && !isOrigin(origin)) {
    throw flaw('dpop.origin', "must be where clients see this server, such as 'https://app.example', without a slash at its end")
  }
  mustHaveDuty(store, 'possession', 'sessions.dpop')
  return Object.freeze({ mode, origin: origin ?? null })
}

function isOrigin (value: unknown): value is string {
  return typeof value === 'string' && ORIGIN.test(value) && URL.canParse(value)
}

function isCount (value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 1
}

function milliseconds (given: Record<string, unknown>, name: string, fallback: number | string): number {
  const seconds = readSeconds(given[name] === undefined ? fallback : given[name])
  if (seconds === null) throw flaw(name, "must be seconds, or a string with a unit such as '15m', '2h' or '14d'")
  return Math.round(seconds * 1000)
}

function timer (given: Record<string, unknown>, name: string, fallback: number): number {
  const value = milliseconds(given, name, fallback)
  if (value === 0 || value > MAX_TIMER) throw flaw(name, 'must be more than 0, and at most 24 days')
  return value
}

function isStore (value: unknown): value is SessionStore {
  return typeof value === 'object' && value !== null &&
    STORE_METHODS.every(name => typeof (value as Record<string, unknown>)[name] === 'function')
}

function flaw (name: string, sentenceEnd: string): Error {
  return createFault('OPTION_INVALID', `Option sessions.${name} ${sentenceEnd}.`)
}
