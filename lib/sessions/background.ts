// Calls of the store that no request waits for → a bounded queue with bounded concurrency.

const AT_A_TIME = 16
const WAITING = 10_000

/** Runs a task soon. Drops it when a task of the same key waits or runs, when too many wait, or when it fails: the caller tries again later. */
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
      // The store is unreachable: the feed logs this, and the next request tries again.
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
