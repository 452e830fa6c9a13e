// Ended sessions that a process remembers and the store has lost → told to the store again, in the background.
import { setImmediate as nextTurn } from 'node:timers/promises'

const AT_A_TIME = 4
const SLICE = 1000

export interface TellAgain {
  /** The store's memory has begun anew: what the feed does not tell from here on is lost. */
  begin (): void
  /** The feed has told these. */
  heard (sessionIds: readonly string[]): void
  /** Tells the store what is lost, once the feed has been read to its end. After a failure the next call goes on. */
  run (): Promise<void>
  stop (): void
}

/**
 * Every process does this: to end a session again is no error, and what another process has told is heard by the feed.
 *
 * @param remembered the ended sessions, by id
 * @param revoke ends a session in the store
 * @param onDone called with the number of sessions that were lost, when there were any
 */
export function createTellAgain (
  remembered: ReadonlyMap<string, unknown>, revoke: (sessionId: string) => Promise<unknown>, onDone: (count: number) => void
): TellAgain {
  /** Null when there is nothing to tell. */
  let told: Set<string> | null = null
  let isRunning = false
  let count = 0

  /** The ids that are lost; null now and then, so that the event loop gets its turn. */
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
      // It began anew once more, or the store is out of reach: the next read of the feed goes on.
      if (told !== current || outcomes.some(({ status }) => status === 'rejected')) return
      told = null
      if (count > 0) onDone(count)
      count = 0
    },

    stop () { told = null }
  }
}
