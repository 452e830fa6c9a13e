// What has ended → deleted, some at a time, so that neither the event loop nor another process waits for it.
import { setTimeout as delay } from 'node:timers/promises'
import type { Connection } from './connection.ts'
import type { Steps } from './steps.ts'

/** Rows between two pauses: a few milliseconds of them. */
const SLICE = 100
/** Milliseconds. */
const PAUSE = 10

/** Sweeps in the background until nothing is left; does nothing while a sweep is under way. */
export type Sweep = (now: number) => Promise<void>

export function createSweep (steps: Steps): Sweep {
  let isRunning = false

  function before (now: number, { feed }: Connection): number {
    return now - feed.readTtl()
  }

  async function sweepSlice (now: number): Promise<boolean> {
    const isAny = await steps.read(connection => {
      const { sessions, feed, marks } = connection
      const moment = before(now, connection)
      return sessions.hasEnded(moment) || feed.hasOld(moment) || marks.hasOld()
    })
    if (isAny) {
      await steps.write(connection => {
        const { sessions, feed, marks } = connection
        const moment = before(now, connection)
        sessions.deleteEnded(moment, SLICE)
        if (feed.hasOld(moment)) feed.forget(moment, SLICE, now)
        marks.forget(SLICE)
      })
    }
    return isAny
  }

  /** Fills the reserve up again, when there is room. */
  async function refill (): Promise<void> {
    while (!await steps.read(({ reserve }) => reserve.isWhole())) await steps.write(({ reserve }) => { reserve.give() })
  }

  return async function sweep (now) {
    if (isRunning) return
    isRunning = true
    try {
      while (await sweepSlice(now)) await delay(PAUSE, undefined, { ref: false })
      await refill()
    } catch {
      // Busy, full or closed: the next poll goes on.
    }
    isRunning = false
  }
}
