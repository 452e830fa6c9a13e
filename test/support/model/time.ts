// Virtual time: actors that sleep, and the timers of the code under test, on one clock that moves only when all is quiet.
import { NOW } from '../tokens.ts'

export interface Time {
  /** Milliseconds: the `now` option. */
  now (): number
  /** Waits so many virtual milliseconds. */
  sleep (ms: number): Promise<void>
  /**
   * Plays until the play has ended and nobody sleeps. Meanwhile `setTimeout` and `performance.now` are virtual: the polls and
   * the time limits of the plugin run on this clock too.
   */
  run<T> (play: () => Promise<T>): Promise<T>
}

interface Timer {
  readonly at: number
  readonly call: () => void
  /** An actor sleeps on it; the others are the plugin's, which go on for ever. */
  readonly actor: boolean
  unref (): Timer
}

const IDLE_TURNS = 1000

/** @param turns of the event loop that all may need, after each move of the clock, until it is quiet */
export function createTime (turns = 1): Time {
  const timers = new Set<Timer>()
  let now = NOW * 1000
  let sleeping = 0

  function add (ms: number, call: () => void, actor: boolean): Timer {
    const timer: Timer = { at: now + ms, call, actor, unref: () => timer }
    timers.add(timer)
    return timer
  }

  /** Of those due at the same moment, the first that was set. */
  function next (): Timer {
    let first: Timer | undefined
    for (const timer of timers) if (first === undefined || timer.at < first.at) first = timer
    return first!
  }

  async function advance (hasEnded: () => boolean): Promise<void> {
    let idle = 0
    for (;;) {
      for (let turn = 0; turn < turns; turn++) await new Promise(resolve => setImmediate(resolve))
      if (sleeping === 0) {
        if (hasEnded()) return
        if (++idle > IDLE_TURNS) throw new Error('the play waits for nothing')
        continue
      }
      idle = 0
      const timer = next()
      timers.delete(timer)
      now = timer.at
      if (timer.actor) sleeping--
      timer.call()
    }
  }

  return {
    now: () => now,

    sleep (ms) {
      if (ms <= 0) return Promise.resolve()
      sleeping++
      return new Promise(resolve => { add(ms, resolve, true) })
    },

    async run (play) {
      const { setTimeout, clearTimeout } = globalThis
      const monotonic = performance.now
      globalThis.setTimeout = ((call: () => void, ms = 0) => add(ms, call, false)) as unknown as typeof setTimeout
      globalThis.clearTimeout = (timer => {
        if (!timers.delete(timer as unknown as Timer)) clearTimeout(timer)
      }) as typeof clearTimeout
      performance.now = () => now
      try {
        let ended = false
        const [result] = await Promise.all([play().finally(() => { ended = true }), advance(() => ended)])
        return result
      } finally {
        Object.assign(globalThis, { setTimeout, clearTimeout })
        performance.now = monotonic
      }
    }
  }
}
