// A session and the refresh token presented for it → what happens: the rotation table, row by row. Pure.
import type { Rotation, RotationAttempt, SessionRecord } from './store.ts'

export interface Decision {
  readonly rotation: Rotation
  /** What to write: the changed members, nothing (null), or the end of the session. */
  readonly write: Partial<SessionRecord> | 'revoke' | null
}

/**
 * Decides a rotation, for a store that can read and write a record in one step (a row lock, a transaction).
 *
 * @param record null when the store knows no such session
 * @param clock the store's clock, in milliseconds
 */
export function decideRotation (record: SessionRecord | null, attempt: RotationAttempt, clock: number): Decision {
  if (record === null) return denied('unknown', null)
  const { generation, parentGeneration, confirmed, rotatedAt, displacedAt } = record
  const sinceRotation = rotatedAt === 0 ? null : Math.max(0, clock - rotatedAt)

  if (attempt.now >= record.expiresAt + attempt.clockTolerance) return denied('expired', sinceRotation)
  if (attempt.nonceHash !== record.nonceHash || attempt.userId !== record.userId) return reused(sinceRotation)

  const presented = attempt.generation
  // A time in the future means that the clock has stepped back: it counts by its distance, like one in the past.
  const withinGrace = sinceRotation !== null && Math.abs(clock - rotatedAt) <= attempt.grace
  const used = { lastUsedAt: attempt.now, ip: attempt.ip, userAgent: attempt.userAgent }
  const repeated = (write: Decision['write'] = null): Decision => ({
    rotation: { outcome: 'repeated', generation, issuedAt: record.issuedAt, expiresAt: record.expiresAt, sinceRotation },
    write
  })
  const next = (outcome: 'rotated' | 'recovered', from: number, moves: Partial<SessionRecord>): Decision => {
    const changed = {
      generation: from + 1,
      confirmed: false,
      rotatedAt: clock,
      issuedAt: attempt.now,
      expiresAt: expiryOf(record, attempt)
    }
    return {
      rotation: { outcome, generation: changed.generation, issuedAt: changed.issuedAt, expiresAt: changed.expiresAt, sinceRotation },
      write: { ...changed, ...moves, ...used }
    }
  }

  if (!attempt.rotate) return presented >= generation ? repeated(used) : reused(sinceRotation)
  if (presented === generation && withinGrace) return repeated()
  // We signed a higher generation for this nonce, so the store has lost a write; it adopts the generation.
  if (presented >= generation) return next('rotated', presented, { parentGeneration: presented, displacedAt: clock })
  const isParent = presented === parentGeneration
  if (isParent && withinGrace) return repeated()
  // The attempt was sent before this generation was made and arrived late; its client was told to try again, and did.
  if (attempt.now < record.issuedAt) return denied('late', sinceRotation)
  if (isParent && !confirmed && Math.abs(clock - displacedAt) <= attempt.recovery) return next('recovered', generation, {})
  return reused(sinceRotation)
}

function expiryOf (record: SessionRecord, { sliding, now }: RotationAttempt): number {
  return sliding === null ? record.expiresAt : Math.min(now + sliding.lifetime, record.createdAt + sliding.maxLifetime)
}

function denied (outcome: 'expired' | 'unknown' | 'late', sinceRotation: number | null): Decision {
  return { rotation: { outcome, sinceRotation }, write: null }
}

function reused (sinceRotation: number | null): Decision {
  return { rotation: { outcome: 'reused', sinceRotation }, write: 'revoke' }
}
