// A session's record → whether more than one of its refresh tokens could go on.
import { decideRotation } from '../../../lib/sessions/decide.ts'
import type { RotationAttempt, SessionRecord } from '../../../lib/sessions/store.ts'
import type { Turn } from './store.ts'
import { ACCESS_LIFETIME, GRACE, RECOVERY } from './world.ts'

/** @returns how two successors could live side by side, or null */
export function liveGenerations (record: SessionRecord, turns: readonly Turn[], now: number): string | null {
  const issued = new Set([0, ...turns.flatMap(turn => 'generation' in turn ? [turn.generation] : [])])
  const beyondGrace = now + GRACE + 1
  for (const generation of issued) {
    const next = after(record, generation, beyondGrace)
    if (next === null) continue
    if (generation !== record.parentGeneration && generation < record.generation) return `generation ${generation} of ${record.generation} lives`
    issued.add(next.generation)
    for (const other of issued) {
      if (other !== next.generation && after({ ...next, confirmed: true }, other, beyondGrace + GRACE + 1) !== null) {
        return `generations ${other} and ${next.generation} live side by side`
      }
    }
    issued.delete(next.generation)
  }
  return null
}

/** The record after a refresh with the token of a generation; null when it is refused. */
function after (record: SessionRecord, generation: number, clock: number): SessionRecord | null {
  const attempt: RotationAttempt = {
    sessionId: record.id,
    userId: record.userId,
    nonceHash: record.nonceHash,
    generation,
    rotate: true,
    grace: GRACE,
    recovery: RECOVERY,
    sliding: null,
    clockTolerance: 0,
    jkt: null,
    now: clock,
    revocationTtl: ACCESS_LIFETIME,
    ip: null,
    userAgent: null
  }
  const { write } = decideRotation(record, attempt, clock)
  return write === null || write === 'revoke' ? null : { ...record, ...write }
}
