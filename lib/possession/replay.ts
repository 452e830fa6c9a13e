// The ids of proofs → whether this process has seen one before, within bounded memory.
import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'

/** Who has made a proof: the owner of a session that is bound to the key, or anybody. */
export type ProofSource = 'owner' | 'anybody'

/** Whether a proof is used again. It remembers the proof until it is no longer fresh; both moments are epoch seconds. */
export type IsReplayed = (thumbprint: string, id: string, now: number, freshUntil: number, source: ProofSource) => boolean

/** @param max how many proofs of each source are remembered; when there are more, the oldest is forgotten: strangers push out only each other's */
export function createIsReplayed (max = 50_000): IsReplayed {
  const seen: Partial<Record<ProofSource, LRUCache<string, number>>> = {}

  return function isReplayed (thumbprint, id, now, freshUntil, source) {
    // A client chooses its ids freely, so an id counts only for its own key, and is kept as a hash.
    const name = createHash('sha256').update(`${thumbprint} ${id}`).digest('base64url')
    for (const memory of Object.values(seen)) {
      const until = memory.peek(name)
      if (until !== undefined && now <= until) return true
    }
    // Made with the first proof, because it takes its memory at once.
    seen[source] ??= new LRUCache({ max })
    seen[source].set(name, freshUntil)
    return false
  }
}
