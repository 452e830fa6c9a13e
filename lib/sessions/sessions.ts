// Connects the parts of sessions. Makes no decisions.
import type { FastifyBaseLogger } from 'fastify'
import type { CreateRefusal } from '../errors.ts'
import type { SessionSettings } from './settings.ts'
import type { Claims, UserId } from '../tokens/types.ts'
import { createCallStore } from './call-store.ts'
import { createCheckSession, type CheckSession } from './check.ts'
import { createCreateSession, type CreateSession } from './create.ts'
import { createEmit, type Emit } from './events.ts'
import { createFeed, type Feed } from './feed.ts'
import { openStore } from './load.ts'
import { createReauthenticate, type Reauthenticate } from './reauthenticate.ts'
import { createRevoke, type Revoke } from './revoke.ts'
import { createRotate, type Rotate } from './rotate.ts'
import type { SessionRecord } from './store.ts'
import { createRandom } from '../tokens/session-claims.ts'

export interface Sessions {
  readonly settings: SessionSettings
  readonly feed: Feed
  readonly check: CheckSession
  /** Names a new session of a user. */
  readonly newId: (userId: UserId) => string
  readonly create: CreateSession
  readonly rotate: Rotate
  /** Null when the store lacks the method. */
  readonly reauthenticate: Reauthenticate | null
  readonly revoke: Revoke
  readonly emit: Emit
  list (userId: UserId): Promise<readonly SessionRecord[]>
  /** Loads the feed, within Fastify's `pluginTimeout`; only then is the server ready. */
  readonly open: (pluginTimeout: number) => Promise<void>
  readonly close: () => Promise<void>
}

export interface SessionParts {
  readonly settings: SessionSettings
  /** The plugin's clock, in milliseconds. */
  readonly now: () => number
  readonly userIdOf: (claims: Claims) => UserId
  readonly createRefusal: CreateRefusal
  readonly log: FastifyBaseLogger
}

export function createSessions ({ settings, now, userIdOf, createRefusal, log }: SessionParts): Sessions {
  const { store, storeTimeout, onEvent, revocationTtl } = settings
  const callStore = createCallStore(store, storeTimeout, createRefusal)
  const emit = createEmit(onEvent, log)
  const feed = createFeed(settings, now, callStore, log)

  return {
    settings,
    feed,
    check: createCheckSession({ settings, now, userIdOf, feed, callStore, emit }),
    newId: userId => store.newSessionId?.(userId) ?? createRandom(),
    create: createCreateSession(settings, feed, callStore, emit),
    rotate: createRotate({ settings, now, feed, callStore, emit, createRefusal }),
    reauthenticate: createReauthenticate(settings, feed, callStore, emit),
    revoke: createRevoke(settings, now, feed, callStore, emit),
    emit,
    async list (userId) {
      const records = await callStore(store => store.list({ userId, now: now(), revocationTtl }))
      // A store without the duty may not know of labels.
      return records.map(record => ({ ...record, label: record.label ?? null })).sort((a, b) => b.lastUsedAt - a.lastUsedAt || b.createdAt - a.createdAt)
    },
    async open (pluginTimeout) {
      if (store.inProcess) log.warn('Sessions are kept in memory: they end with this process')
      if (store.open !== undefined) await openStore(async () => await store.open!())
      await feed.load(pluginTimeout)
      feed.start()
    },
    async close () {
      feed.stop()
      await store.close?.()
    }
  }
}
