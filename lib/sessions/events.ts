// What happens to sessions → the application's listener and Node's diagnostics channels.
import diagnostics from 'node:diagnostics_channel'
import type { FastifyBaseLogger } from 'fastify'
import type { UserId } from '../tokens/types.ts'

export const EVENT_TYPES = ['created', 'rotated', 'repeated', 'recovered', 'reauthenticated', 'reused', 'revoked', 'refused'] as const

export const REASONS = [
  'refresh_token', 'access_token', // reused
  'logout', 'ended', 'all_ended', 'user_gone', 'revoked', 'user_revoked', 'limit', // revoked; the last three of refused, too
  'expired', 'unknown', 'late', 'proof' // refused
] as const

/** Something that happened to a session. Never holds a token. */
export interface SessionEvent {
  readonly type: typeof EVENT_TYPES[number]
  /** The session's id. */
  readonly sid: string
  /** Null when only the session is known. */
  readonly userId: UserId | null
  readonly ip: string | null
  /** Of `reused`, `revoked` and `refused`: why; otherwise null. */
  readonly reason: typeof REASONS[number] | null
  /** Milliseconds since the session's last rotation; null when there was none or it is not known. */
  readonly sinceRotation: number | null
}

/** Publishes an event; missing details are null. */
export type Emit = (type: SessionEvent['type'], sid: string, details?: Partial<Omit<SessionEvent, 'type' | 'sid'>>) => void

/** Each event goes to `onEvent` and to the channel `fastify-dual-token:<type>`. */
export function createEmit (onEvent: ((event: SessionEvent) => unknown) | undefined, log: FastifyBaseLogger): Emit {
  const channels = new Map(EVENT_TYPES.map(type => [type, diagnostics.channel(`fastify-dual-token:${type}`)]))

  async function call (event: SessionEvent): Promise<void> {
    try {
      await onEvent!(event)
    } catch (error) {
      log.error({ err: error }, 'sessions.onEvent failed')
    }
  }

  return function emit (type, sid, details) {
    const channel = channels.get(type)!
    if (onEvent === undefined && !channel.hasSubscribers) return
    const event = Object.freeze({ type, sid, userId: null, ip: null, reason: null, sinceRotation: null, ...details })
    channel.publish(event)
    if (onEvent !== undefined) call(event)
  }
}
