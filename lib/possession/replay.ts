// The ids of proofs → whether this process has seen one before, within bounded memory.
import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'

/** Whether a proof is used again. It remembers the proof until it is no longer fresh; both moments are epoch seconds. */
export type IsReplayed = (thumbprint: string, id: string, now: number, freshUntil: number) => boolean

/** @param max how many proofs are remembered; when there are more, the oldest is forgotten */
export function createIsReplayed (max = 50_000): IsReplayed {
  // Created with the first proof, because it takes all its memory at once.
  let seen: LRUCache<string, number> | undefined

  return function isReplayed (thumbprint, id, now, freshUntil) {
    seen ??= new LRUCache({ max })
    // A client chooses its ids freely, so an id counts only for its own key, and is kept as a hash.
    const name = createHash('sha256').update(`${thumbprint} ${id}`).digest('base64url')
    const until = seen.peek(name)
    if (until !== undefined && now <= until) return true
    seen.set(name, freshUntil)
    return false
  }
}
