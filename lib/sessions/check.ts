// The verdict on a good token → the same, or a refusal: is its session still good? One look into a map, no I/O.
import { LRUCache } from 'lru-cache'
import type { SessionSettings } from '../session-options.ts'
import type { Claims, UserId } from '../types.ts'
import { refused, type Accepted, type Verdict } from '../verdict.ts'
import type { Ask } from './ask.ts'
import { createBackground } from './background.ts'
import type { Emit } from './events.ts'
import type { Feed } from './feed.ts'
import { sessionOf } from './stamp.ts'

const STALE = refused('UNAVAILABLE', 'the feed of revoked sessions is stale')
const ENDED = refused('REVOKED', 'session ended')
/** Not known to be ended: a refresh tells. */
const FORGOTTEN = refused('EXPIRED', 'issued before the store remembers')
const OUTLIVED = refused('EXPIRED', 'older than any token of our lifetime')

const CONFIRMATIONS = 100_000

/** Looks at the session of a good token. Never throws. */
export type CheckSession = (verdict: Verdict) => Verdict

export interface CheckParts {
  readonly settings: SessionSettings
  /** The plugin's clock, in milliseconds. */
  readonly now: () => number
  readonly userIdOf: (claims: Claims) => UserId
  readonly feed: Feed
  readonly ask: Ask
  readonly emit: Emit
}

export function createCheckSession ({ settings, now, userIdOf, feed, ask, emit }: CheckParts): CheckSession {
  const { keepFor, onStale, rotate } = settings
  const background = createBackground()
  const confirmed = new LRUCache<string, true>({ max: CONFIRMATIONS })
  /** Verdicts of confirmed generations, which the verifier remembers: a quicker look than by name. */
  const settled = new WeakSet<Verdict>()

  /** Tells the store, once, that the owner has got this generation: from then on its parent is worth nothing. */
  function confirm (verdict: Accepted, sessionId: string, generation: number): void {
    if (settled.has(verdict)) return
    const key = `${sessionId}${generation}`
    if (confirmed.get(key)) {
      settled.add(verdict)
      return
    }
    background(key, async () => {
      const outcome = await ask(store => store.confirm({ sessionId, generation, now: now(), keepFor }))
      confirmed.set(key, true)
      if (outcome !== 'reused') return
      feed.add([sessionId])
      emit('reused', sessionId, { userId: userIdOf(verdict.claims), reason: 'access_token' })
    })
  }

  /** The store may have lost the logout. Not as an ending: who signs out for the first time comes first. */
  function revokeAgain (claims: Claims, sessionId: string): void {
    emit('refused', sessionId, { userId: userIdOf(claims), reason: 'revoked' })
    background(sessionId, async () => {
      await ask(store => store.revoke({ sessionId, mustExist: false, now: now(), keepFor }))
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
    // It was issued under a longer lifetime than ours, and we may have forgotten its revocation by now.
    if (claims.iat * 1000 < now() - keepFor) return OUTLIVED
    if (rotate && gen > 0) confirm(verdict, sid, gen)
    return verdict
  }
}
