// A user whose sessions exceed a limit by far, because there was none before → the same user within the limit, in slices.
import { setImmediate as nextTurn } from 'node:timers/promises'
import { decideLimit } from '../../sessions/decide.ts'
import type { CallContext, SessionLimit } from '../../sessions/store.ts'
import type { UserId } from '../../tokens/types.ts'
import type { Connection } from './connection.ts'
import type { SessionAge } from './record.ts'
import type { Steps } from './steps.ts'

/** Sessions of one user that are read, or ended, between two turns of the event loop. */
export const SLICE = 250

/** A step that may end sessions. */
export type Step = <T>(context: CallContext, work: (connection: Connection, end: (id: string) => void) => T) => Promise<T>

/** Ends what is beyond the limit, except sessions that are used meanwhile; resolves to the ids of the ended sessions. */
export type Trim = (userId: UserId, limit: SessionLimit, context: CallContext) => Promise<string[]>

export function createTrim (steps: Steps, step: Step): Trim {
  async function livingOf (userId: UserId, now: number): Promise<SessionAge[]> {
    const living: SessionAge[] = []
    for (let after = 0; ;) {
      const page = await steps.read(({ sessions }) => sessions.livingOfUser(userId, now, after, SLICE))
      living.push(...page)
      if (page.length < SLICE) return living
      after = page.at(-1)!.seq
      await nextTurn()
    }
  }

  return async function trim (userId, limit, context) {
    const living = await livingOf(userId, context.now)
    const lastUsedAt = new Map(living.map(age => [age.id, age.lastUsedAt]))
    const excess = decideLimit(living, limit, context.now)?.ended ?? []
    const ended: string[] = []
    for (let i = 0; i < excess.length; i += SLICE) {
      ended.push(...await step(context, ({ sessions }, end) => {
        const ids = excess.slice(i, i + SLICE).filter(id => sessions.find(id)?.lastUsedAt === lastUsedAt.get(id))
        for (const id of ids) end(id)
        return ids
      }))
      await nextTurn()
    }
    return ended
  }
}
