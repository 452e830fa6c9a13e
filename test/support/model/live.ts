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

/**
 * The same for a session that is bound to a key: of all the tokens that its owner may hold, any two lead to one successor, once both have been
 * presented.
 *
 * @returns which tokens lead apart, or null
 */
export function divergence (record: SessionRecord, turns: readonly Turn[], now: number): string | null {
  const issued = [...new Set([0, ...turns.flatMap(turn => 'generation' in turn ? [turn.generation] : [])])].sort((a, b) => a - b)
  const clock = now + GRACE + 1
  let current = record
  const present = (generation: number): string => {
    const { rotation, write } = decideRotation(current, { ...attemptOf(current, generation, clock), jkt: record.jkt }, clock)
    if (write === 'revoke' || !('generation' in rotation)) return `${generation} is ${rotation.outcome}`
    current = { ...current, ...write }
    return `${rotation.generation} of ${rotation.issuedAt}`
  }
  issued.forEach(present)
  const successors = new Set(issued.map(present))
  return successors.size === 1 && current.generation >= issued.at(-1)! ? null : `tokens lead apart: ${[...successors].join(', ')}`
}

/** The record after a refresh with the token of a generation; null when it is refused. */
function after (record: SessionRecord, generation: number, clock: number): SessionRecord | null {
  const { write } = decideRotation(record, attemptOf(record, generation, clock), clock)
  return write === null || write === 'revoke' ? null : { ...record, ...write }
}

function attemptOf (record: SessionRecord, generation: number, clock: number): RotationAttempt {
  return {
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
}
