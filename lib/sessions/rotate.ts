// A verified refresh token → the session claims of its successors, as the store decides, or a refusal.
import type { CreateRefusal } from '../errors.ts'
import type { SessionSettings } from './settings.ts'
import type { RefreshClaims, UserId } from '../tokens/types.ts'
import type { CallStore } from './call-store.ts'
import type { Client } from './client.ts'
import type { Emit } from './events.ts'
import type { Feed } from './feed.ts'
import { hashNonce, sessionOf, type SessionClaims } from '../tokens/session-claims.ts'

/**
 * Rejects with a `REFRESH_…` refusal, `PROOF_INVALID` or `STORE_UNAVAILABLE`.
 *
 * @param proven the thumbprint of the key that the request has proved; null: none
 */
export type Rotate = (claims: RefreshClaims, userId: UserId, client: Client, proven: string | null) => Promise<SessionClaims>

export interface RotateParts {
  readonly settings: SessionSettings
  /** The plugin's clock, in milliseconds. */
  readonly now: () => number
  readonly feed: Feed
  readonly callStore: CallStore
  readonly emit: Emit
  readonly createRefusal: CreateRefusal
}

export function createRotate ({ settings, now, feed, callStore, emit, createRefusal }: RotateParts): Rotate {
  const { rotate, grace, recovery, sliding, clockTolerance, revocationTtl } = settings

  return async function rotateSession (claims, userId, client, proven) {
    const { sid, gen, nonce, jkt } = sessionOf(claims)
    const moment = now()
    const rotation = await callStore(store => store.rotate({
      now: moment,
      revocationTtl,
      sessionId: sid,
      userId,
      generation: gen,
      nonceHash: hashNonce(nonce),
      rotate,
      grace,
      recovery,
      sliding,
      clockTolerance,
      jkt: proven,
      ...client
    }))
    const details = { userId, ip: client.ip, sinceRotation: rotation.sinceRotation }

    if ('generation' in rotation) {
      emit(rotation.outcome, sid, details)
      return {
        sid,
        gen: rotation.generation,
        nonce,
        now: moment,
        issuedAt: rotation.issuedAt,
        expiresAt: rotation.expiresAt,
        authenticatedAt: instantOf(rotation.authenticatedAt),
        jkt
      }
    }
    if (rotation.outcome === 'reused') {
      feed.add([sid])
      emit('reused', sid, { ...details, reason: 'refresh_token' })
      throw createRefusal('REFRESH_REUSED', 'reused')
    }
    if (rotation.outcome === 'unproven') {
      emit('refused', sid, { ...details, reason: 'proof' })
      throw createRefusal('PROOF_INVALID', 'session unproven')
    }
    emit('refused', sid, { ...details, reason: rotation.outcome })
    if (rotation.outcome === 'late') throw createRefusal('STORE_UNAVAILABLE', 'the call was held up on the way to the store')
    throw createRefusal(rotation.outcome === 'expired' ? 'REFRESH_EXPIRED' : 'REFRESH_REVOKED', `session ${rotation.outcome}`)
  }
}

/** A store may have kept the session since before it recorded this moment. */
function instantOf (milliseconds: unknown): number | null {
  return Number.isFinite(milliseconds) && (milliseconds as number) > 0 ? milliseconds as number : null
}
