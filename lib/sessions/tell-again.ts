// Ended sessions that this process remembers but the store has lost → revoked in the store again, in the background.
import { setImmediate as nextTurn } from 'node:timers/promises'

const AT_A_TIME = 4
const SLICE = 1000

export interface TellAgain {
  /** The store has begun a new epoch: ids that the feed does not report from here on are lost. */
  begin (): void
  /** The feed has reported these ids. */
  heard (sessionIds: readonly string[]): void
  /** Revokes the lost sessions again, once the feed has been read to its end. After a failure the next call continues. */
  run (): Promise<void>
  stop (): void
}

/**
 * Every process does this. Ending a session twice is no error, and the feed reports what another process has revoked already.
 *
 * @param remembered the ended sessions, by id
 * @param revoke ends a session in the store
 * @param onDone called with the number of sessions that were lost, when there were any
 */
export function createTellAgain (
  remembered: ReadonlyMap<string, unknown>, revoke: (sessionId: string) => Promise<unknown>, onDone: (count: number) => void
): TellAgain {
  /** The ids that the feed has reported in this epoch; null when there is nothing to check. */
  let told: Set<string> | null = null
  let isRunning = false
  let count = 0

  /** The lost ids; yields null now and then, so that the caller can give the event loop its turn. */
  function * lost (): Generator<string | null> {
    let passed = 0
    for (const id of remembered.keys()) {
      if (told === null) return
      if (!told.has(id)) yield id
      else if (++passed % SLICE === 0) yield null
    }
  }

  async function tell (ids: Generator<string | null>): Promise<void> {
    for (const id of ids) {
      if (id === null) {
        await nextTurn()
        continue
      }
      told?.add(id)
      try {
        await revoke(id)
        count++
      } catch (error) {
        told?.delete(id)
        throw error
      }
    }
  }

  return {
    begin () { told = new Set() },

    heard (sessionIds) {
      if (told !== null) for (const id of sessionIds) told.add(id)
    },

    async run () {
      if (told === null || isRunning) return
      isRunning = true
      const current = told
      const ids = lost()
      const outcomes = await Promise.allSettled(Array.from({ length: AT_A_TIME }, () => tell(ids)))
      isRunning = false
      // A new epoch has begun meanwhile, or the store is out of reach: the next read of the feed continues.
      if (told !== current || outcomes.some(({ status }) => status === 'rejected')) return
      told = null
      if (count > 0) onDone(count)
      count = 0
    },

    stop () { told = null }
  }
}
