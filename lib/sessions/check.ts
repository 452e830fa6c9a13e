// The verdict on a verified token → the same, or a refusal when its session has ended. Reads a map, does no I/O.
import { LRUCache } from 'lru-cache'
import type { SessionSettings } from './settings.ts'
import type { Claims, UserId } from '../tokens/types.ts'
import { refused, type Accepted, type Verdict } from '../tokens/verdict.ts'
import type { CallStore } from './call-store.ts'
import { createBackground } from './background.ts'
import type { Emit } from './events.ts'
import type { Feed } from './feed.ts'
import { sessionOf } from '../tokens/session-claims.ts'

const STALE = refused('UNAVAILABLE', 'the feed of revoked sessions is stale')
const ENDED = refused('REVOKED', 'session ended')
/** The process cannot tell whether the session is live; a refresh can. */
const FORGOTTEN = refused('EXPIRED', 'issued before the store remembers')
const OUTLIVED = refused('EXPIRED', 'older than any token of our lifetime')

const CONFIRMATIONS = 100_000

/** Checks the session of a verified token. Never throws. */
export type CheckSession = (verdict: Verdict) => Verdict

export interface CheckParts {
  readonly settings: SessionSettings
  /** The plugin's clock, in milliseconds. */
  readonly now: () => number
  readonly userIdOf: (claims: Claims) => UserId
  readonly feed: Feed
  readonly callStore: CallStore
  readonly emit: Emit
}

export function createCheckSession ({ settings, now, userIdOf, feed, callStore, emit }: CheckParts): CheckSession {
  const { revocationTtl, onStale, rotate } = settings
  const background = createBackground()
  const confirmed = new LRUCache<string, true>({ max: CONFIRMATIONS })
  /** Verdicts of confirmed generations: looking up the cached verdict is quicker than looking up the key. */
  const settled = new WeakSet<Verdict>()

  /** Confirms a generation to the store, once: its owner has received it, and its parent is worth nothing any more. */
  function confirm (verdict: Accepted, sessionId: string, generation: number): void {
    if (settled.has(verdict)) return
    const key = `${sessionId}${generation}`
    if (confirmed.get(key)) {
      settled.add(verdict)
      return
    }
    background(key, async () => {
      const outcome = await callStore(store => store.confirm({ sessionId, generation, now: now(), revocationTtl }))
      confirmed.set(key, true)
      if (outcome !== 'reused') return
      feed.add([sessionId])
      emit('reused', sessionId, { userId: userIdOf(verdict.claims), reason: 'access_token' })
    })
  }

  /** Repeats a sign-out that the store may have lost, as an ordinary call, because first sign-outs have priority. */
  function revokeAgain (claims: Claims, sessionId: string): void {
    emit('refused', sessionId, { userId: userIdOf(claims), reason: 'revoked' })
    background(sessionId, async () => {
      await callStore(store => store.revoke({ sessionId, mustExist: false, now: now(), revocationTtl }))
    })
  }

  return function checkSession (verdict) {
    const { claims } = verdict
    if (claims === null) return verdict
    if (onStale === 'deny' && feed.isStale()) return STALE
    const { sid, gen } = sessionOf(claims)
    if (feed.isRevoked(sid)) {
      if (claims.refresh) revokeAgain(claims, sid)
      return ENDED
    }
    if (claims.refresh) return verdict
    if (claims.iat === undefined || claims.iat < feed.remembersSince()) return FORGOTTEN
    // Another deployment issued it with a longer lifetime, so this process may have forgotten its revocation.
    if (claims.iat * 1000 < now() - revocationTtl) return OUTLIVED
    if (rotate && gen > 0) confirm(verdict, sid, gen)
    return verdict
  }
}
