// The `sessions` option, validated and complete.
import type { SessionEvent } from './events.ts'
import type { SessionLimit, SessionStore } from './store.ts'

/** How sessions are bound to keys. */
export interface PossessionSettings {
  /** Whether a sign-in may, or must, prove a key; false: new sessions are bound to none. */
  readonly mode: 'optional' | 'required' | false
  /** Where clients see this server: an origin, and the path that a proxy removes; null: as the request says. */
  readonly origin: string | null
}

/** Durations are milliseconds, as the store's clocks are. */
export interface SessionSettings {
  readonly store: SessionStore
  readonly rotate: boolean
  readonly grace: number
  readonly recovery: number
  readonly sliding: { readonly lifetime: number, readonly maxLifetime: number } | null
  /** How many sessions a user may have; null: any number. */
  readonly limit: SessionLimit | null
  readonly possession: PossessionSettings
  readonly pollInterval: number
  readonly maxStaleness: number
  readonly onStale: 'deny' | 'allow'
  readonly storeTimeout: number
  readonly onEvent: ((event: SessionEvent) => unknown) | undefined
  readonly clockTolerance: number
  /** How long a revocation is remembered: until no access token of the session can be valid any more. */
  readonly revocationTtl: number
}
