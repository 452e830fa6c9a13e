// What happens to a session, row by row: at a refresh (the rotation table), when an access token is seen, at a limit. Pure.
import type { LimitReached, Rotation, RotationAttempt, RotationDenied, SessionLimit, SessionRecord } from './store.ts'

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
  const { generation, parentGeneration, confirmed, rotatedAt, displacedAt, authenticatedAt } = record
  const sinceRotation = rotatedAt === 0 ? null : Math.max(0, clock - rotatedAt)

  if (attempt.now >= record.expiresAt + attempt.clockTolerance) return denied('expired', sinceRotation)
  // A client with the key is the owner, perhaps with an old token; without the key a token is useless. Neither ends a bound session.
  const bound = record.jkt !== null
  if (bound && attempt.jkt !== record.jkt) return denied('unproven', sinceRotation)
  if (attempt.nonceHash !== record.nonceHash || attempt.userId !== record.userId) return bound ? denied('unproven', sinceRotation) : reused(sinceRotation)

  const presented = attempt.generation
  // A time in the future means that the clock has stepped back: it counts by its distance, like one in the past.
  const withinGrace = sinceRotation !== null && Math.abs(clock - rotatedAt) <= attempt.grace
  const used = { lastUsedAt: attempt.now, ip: attempt.ip, userAgent: attempt.userAgent }
  const repeated = (write: Decision['write'] = null): Decision => ({
    rotation: { outcome: 'repeated', generation, issuedAt: record.issuedAt, expiresAt: record.expiresAt, authenticatedAt, sinceRotation },
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
      rotation: {
        outcome, generation: changed.generation, issuedAt: changed.issuedAt, expiresAt: changed.expiresAt, authenticatedAt, sinceRotation
      },
      write: { ...changed, ...moves, ...used }
    }
  }

  if (!attempt.rotate) return presented >= generation || bound ? repeated(used) : reused(sinceRotation)
  if (presented === generation && withinGrace) return repeated()
  // We signed a higher generation for this nonce, so the store has lost a write; it adopts the generation.
  if (presented >= generation) return next('rotated', presented, { parentGeneration: presented, displacedAt: clock })
  const isParent = presented === parentGeneration
  if ((isParent || bound) && withinGrace) return repeated()
  // The attempt was sent before this generation was made and arrived late; its client was told to try again, and did.
  if (attempt.now < record.issuedAt) return denied('late', sinceRotation)
  if (bound) return next('recovered', generation, {})
  if (isParent && !confirmed && Math.abs(clock - displacedAt) <= attempt.recovery) return next('recovered', generation, {})
  return reused(sinceRotation)
}

function expiryOf (record: SessionRecord, { sliding, now }: RotationAttempt): number {
  if (sliding === null) return record.expiresAt
  const lifetime = Math.min(sliding.lifetime, record.lifetime ?? Infinity)
  return Math.min(now + lifetime, record.createdAt + sliding.maxLifetime)
}

/**
 * Whether an access token of this generation is a theft: a recovery displaced the generation, so its owner never had it. A session bound to a
 * key is never ended by that.
 */
export function isDisplaced ({ jkt, generation, parentGeneration }: SessionRecord, seen: number): boolean {
  return jkt === null && seen > parentGeneration && seen < generation
}

/**
 * Decides what a sign-in meets at a limit, for a store that can read a user's sessions and write in one step.
 *
 * @param sessions all of the user, expired ones included
 * @returns null when there is room
 */
export function decideLimit (
  sessions: Iterable<Pick<SessionRecord, 'id' | 'createdAt' | 'lastUsedAt' | 'expiresAt'>>, { max, whenFull }: SessionLimit, now: number
): LimitReached | null {
  const living = [...sessions].filter(({ expiresAt }) => now < expiresAt)
  const excess = living.length + 1 - max
  if (excess <= 0) return null
  if (whenFull === 'refuse') return { kept: false, ended: [] }
  living.sort((a, b) => a.lastUsedAt - b.lastUsedAt || a.createdAt - b.createdAt)
  return { kept: true, ended: living.slice(0, excess).map(({ id }) => id) }
}

function denied (outcome: Exclude<RotationDenied['outcome'], 'reused'>, sinceRotation: number | null): Decision {
  return { rotation: { outcome, sinceRotation }, write: null }
}

function reused (sinceRotation: number | null): Decision {
  return { rotation: { outcome: 'reused', sinceRotation }, write: 'revoke' }
}
