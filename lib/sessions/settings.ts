// What sessions go by: the `sessions` option, validated and complete.
import type { SessionEvent } from './events.ts'
import type { SessionStore } from './store.ts'

/** Durations are milliseconds, as the store's clocks are. */
export interface SessionSettings {
  readonly store: SessionStore
  readonly rotate: boolean
  readonly grace: number
  readonly recovery: number
  readonly sliding: { readonly lifetime: number, readonly maxLifetime: number } | null
  readonly pollInterval: number
  readonly maxStaleness: number
  readonly onStale: 'deny' | 'allow'
  readonly storeTimeout: number
  readonly onEvent: ((event: SessionEvent) => unknown) | undefined
  readonly clockTolerance: number
  /** How long after its last refresh an access token of a session can be alive anywhere: revocations are remembered that long. */
  readonly revocationTtl: number
}
