// What must be told to the store, but by no request → a bounded queue, a bounded number of calls at a time.

const AT_A_TIME = 16
const WAITING = 10_000

/** Runs a task soon, unless one of that key waits or runs, or too many wait: whoever calls does so again. A task that fails is forgotten. */
export type Background = (key: string, task: () => Promise<void>) => void

export function createBackground (): Background {
  const waiting = new Map<string, () => Promise<void>>()
  const running = new Set<string>()

  async function run (key: string, task: () => Promise<void>): Promise<void> {
    waiting.delete(key)
    running.add(key)
    try {
      await task()
    } catch {
      // The store is out of reach: the feed says so in the log, and the next request tells it again.
    }
    running.delete(key)
    const [next] = waiting
    if (next !== undefined) run(...next)
  }

  return function background (key, task) {
    if (running.has(key) || waiting.has(key) || waiting.size >= WAITING) return
    if (running.size < AT_A_TIME) run(key, task)
    else waiting.set(key, task)
  }
}
