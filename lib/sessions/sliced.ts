// Long work → the same work in slices, so that it does not block the event loop.
import { setImmediate as nextTurn } from 'node:timers/promises'

/** Steps between two turns of the event loop; they take about a millisecond. */
export const SLICE = 2_000

/**
 * @param steps the work; it yields after each step, and must tolerate any change between two slices
 * @returns a function that starts the work and runs the first slice at once; it does nothing while the work is running
 */
export function createSliced (steps: () => Iterable<unknown>): () => Promise<void> {
  let isRunning = false

  return async function run () {
    if (isRunning) return
    isRunning = true
    const iterator = steps()[Symbol.iterator]()
    for (let count = 1; iterator.next().done !== true; count++) if (count % SLICE === 0) await nextTurn()
    isRunning = false
  }
}
