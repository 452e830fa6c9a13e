// The ended sessions of the memory store → the pages of its feed, and pushes to those who subscribe.
import { randomUUID } from 'node:crypto'
import { createSliced, SLICE } from '../sessions/sliced.ts'
import type { RevocationPage } from '../sessions/store.ts'

/** Writes are visible at once and in order, so a count serves as the cursor and nothing is read twice. */
export function createMemoryFeed () {
  const epoch = randomUUID()
  const listeners = new Set<(sessionIds: readonly string[]) => void>()
  /** In order of revocation. Entries before `first` are forgotten, and removed from time to time. */
  let told: Array<{ id: string, forgetAt: number }> = []
  let first = 0
  /** Keeps a client that returns with an ended session again and again from filling the memory. */
  const remembered = new Set<string>()
  /** How many entries were removed. */
  let gone = 0
  let beganAt: number | undefined
  let readAt = 0

  const forget = createSliced(function * () {
    for (let entry = told[first]; entry !== undefined && readAt >= entry.forgetAt; entry = told[first]) {
      remembered.delete(entry.id)
      first++
      yield
    }
    if (first * 2 < told.length) return
    told = told.slice(first)
    gone += first
    first = 0
  })

  return {
    /** The feed begins with the first session or the first read, because a sign-in may come before the server is ready. */
    begin (now: number): void {
      beganAt ??= now
    },

    tell (id: string, forgetAt: number): void {
      if (remembered.has(id)) return
      remembered.add(id)
      told.push({ id, forgetAt })
      for (const listener of listeners) listener([id])
    },

    read (cursor: string | null, now: number): RevocationPage {
      beganAt ??= now
      readAt = now
      forget()
      const from = Math.max(first, Number(cursor) - gone)
      const page = told.slice(from, from + SLICE)
      return {
        epoch,
        age: Math.max(0, now - beganAt),
        sessionIds: page.map(({ id }) => id),
        cursor: String(gone + from + page.length),
        more: from + page.length < told.length
      }
    },

    subscribe (listener: (sessionIds: readonly string[]) => void): () => void {
      listeners.add(listener)
      return () => { listeners.delete(listener) }
    }
  }
}
