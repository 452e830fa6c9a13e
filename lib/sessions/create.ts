// The session claims of a sign-in → the session's record in the store.
import type { SessionSettings } from './settings.ts'
import type { UserId } from '../tokens/types.ts'
import type { CallStore } from './call-store.ts'
import type { Client } from './client.ts'
import type { Emit } from './events.ts'
import type { Feed } from './feed.ts'
import { hashNonce, type SessionClaims } from '../tokens/session-claims.ts'
import type { SessionRecord } from './store.ts'

/** What the record of a session holds beside its claims. */
export interface SessionOrigin {
  readonly userId: UserId
  readonly client: Client
  /** The moment, by `performance.now()`, at which the sign-in began: before its credentials were checked. */
  readonly startedAt: number
  readonly label: string | null
  /** Milliseconds; null: as the option says. */
  readonly lifetime: number | null
}

/** Creates the session, unless the user was revoked since the sign-in began, or has too many sessions. */
export type CreateSession = (session: SessionClaims, origin: SessionOrigin) => Promise<'created' | 'revoked' | 'limit'>

export function createCreateSession ({ revocationTtl, limit }: SessionSettings, feed: Feed, callStore: CallStore, emit: Emit): CreateSession {
  return async function createSession ({ sid, nonce, now, issuedAt, expiresAt, jkt }, { userId, client: { ip, userAgent }, startedAt, label, lifetime }) {
    const record: SessionRecord = {
      id: sid,
      userId,
      generation: 0,
      parentGeneration: -1,
      confirmed: false,
      rotatedAt: 0,
      displacedAt: 0,
      issuedAt,
      nonceHash: hashNonce(nonce),
      createdAt: now,
      authenticatedAt: now,
      expiresAt,
      lastUsedAt: now,
      ip,
      userAgent,
      label,
      lifetime,
      jkt
    }
    const creation = { now, revocationTtl, elapsed: performance.now() - startedAt, ...(limit !== null && { limit }) }
    const result = await callStore(store => store.create(record, creation))
    const { kept, ended } = typeof result === 'boolean' ? { kept: result, ended: [] } : result
    feed.add(ended)
    for (const id of ended) emit('revoked', id, { userId, ip, reason: 'limit' })
    if (kept) {
      emit('created', sid, { userId, ip })
      return 'created'
    }
    const reason = result === false ? 'user_revoked' : 'limit'
    emit('refused', sid, { userId, ip, reason })
    return result === false ? 'revoked' : 'limit'
  }
}
