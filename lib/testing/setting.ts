// A store → the setting of each case: a user, a clock, and the calls with their usual arguments.
import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { createRandom, hashNonce } from '../tokens/session-claims.ts'
import type {
  CallContext, Confirmation, Rotation, RotationAttempt, RotationGranted, SessionRecord, SessionStore
} from '../sessions/store.ts'
import type { UserId } from '../tokens/types.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR

export const GRACE = HOUR
export const RECOVERY = DAY
export const LIFETIME = 14 * DAY
export const REVOCATION_TTL = 2 * HOUR + 60_000

/** How long a case may take, at most, when the store has its own clock. */
const MARGIN = 10 * 60_000

export interface StoreContractOptions {
  /**
   * For a store with its own clock: makes a session look as if so many milliseconds had passed, by subtracting them from its
   * `rotatedAt` and its `displacedAt`, unless these are 0. The suite never waits. Without this option, the suite assumes that
   * the store's clock is the `now` of each call, and tests the edges of grace and recovery to the millisecond.
   */
  backdate? (store: SessionStore, sessionId: string, milliseconds: number): Promise<unknown> | unknown
  /**
   * Fills the store, so that it accepts no new session, and resolves to a function that makes room again. Without it, the suite does
   * not test a full store.
   */
  fill? (store: SessionStore): Promise<() => Promise<unknown> | unknown>
}

export interface Setting {
  readonly store: SessionStore
  /** A user that only this case uses. */
  readonly userId: string
  /** The context of a call at this moment. */
  context (): CallContext
  /** Advances the clock, and ages the sessions accordingly. */
  pass (milliseconds: number, ...sessions: SessionRecord[]): Promise<void>
  /** Fills the store, and resolves to a function that makes room again; null without the option. */
  readonly fill: (() => Promise<() => unknown>) | null
  /** Spans within a limit, the last one as close to it as can be tested. */
  within (limit: number): number[]
  /** A new session of the case's user, or another's, with an id that the store may have made; it is not kept yet. */
  newSession (more?: Partial<SessionRecord>): SessionRecord
  /** Creates a session for the user of this case. */
  create (more?: Partial<SessionRecord>): Promise<SessionRecord>
  /** Presents a generation's refresh token. */
  rotate (session: SessionRecord, generation: number, more?: Partial<RotationAttempt>): Promise<Rotation>
  confirm (session: SessionRecord, generation: number): ReturnType<SessionStore['confirm']>
  revoke (sessionId: string, more?: { userId?: UserId, mustExist?: boolean }): Promise<boolean>
  revokeUser (userId?: UserId): Promise<readonly string[]>
  list (userId?: UserId): Promise<readonly SessionRecord[]>
  /** The session as the store lists it. */
  read (session: SessionRecord): Promise<SessionRecord>
  /** Reads the whole feed, from a cursor or from the beginning. */
  readFeed (cursor?: string | null): Promise<{ ids: Set<string>, cursor: string, epoch: string, age: number }>
  /** Asserts that no token of the session works and that the feed reports it. */
  assertEnded (session: SessionRecord): Promise<void>
  /** Asserts that the session is unchanged and that the feed does not report it. */
  assertUntouched (before: SessionRecord): Promise<void>
}

/** A new session, as sign-in makes one. */
export function newSession (userId: UserId, now: number, more: Partial<SessionRecord> = {}): SessionRecord {
  return {
    id: createRandom(),
    userId,
    generation: 0,
    parentGeneration: -1,
    confirmed: false,
    rotatedAt: 0,
    displacedAt: 0,
    issuedAt: now,
    nonceHash: hashNonce(createRandom()),
    createdAt: now,
    authenticatedAt: now,
    expiresAt: now + LIFETIME,
    lastUsedAt: now,
    ip: '192.0.2.1',
    userAgent: 'contract/1.0',
    label: null,
    lifetime: null,
    jkt: null,
    ...more
  }
}

/** A user id that no other case uses. */
export function newUserNumber (): number {
  return randomInt(1, 2 ** 47)
}

/** Narrows a rotation to one that was granted, with this outcome. */
export function assertGranted (rotation: Rotation, outcome: RotationGranted['outcome']): asserts rotation is RotationGranted {
  assert.equal(rotation.outcome, outcome)
}

export function isGranted (rotation: Rotation): rotation is RotationGranted {
  return ['rotated', 'repeated', 'recovered'].includes(rotation.outcome)
}

export function createSetting (store: SessionStore, { backdate, fill }: StoreContractOptions): Setting {
  const userId = `user-${createRandom()}`
  const nameSession = (owner: UserId): string => store.newSessionId?.(owner) ?? createRandom()
  let now = Date.now()

  const setting: Setting = {
    store,
    userId,
    context: () => ({ now, revocationTtl: REVOCATION_TTL }),

    async pass (milliseconds, ...sessions) {
      now += milliseconds
      if (backdate !== undefined) for (const { id } of sessions) await backdate(store, id, milliseconds)
    },

    fill: fill === undefined ? null : async () => await fill(store),

    within: limit => backdate === undefined ? [0, 1, limit - 1, limit] : [0, limit - MARGIN],

    newSession (more = {}) {
      const owner = more.userId ?? userId
      return newSession(owner, now, { id: nameSession(owner), ...more })
    },

    async create (more) {
      const session = setting.newSession(more)
      assert.equal(await store.create(session, { now, revocationTtl: REVOCATION_TTL, elapsed: 0 }), true, 'the session is created')
      return session
    },

    rotate: ({ id, userId, nonceHash }, generation, more) => store.rotate({
      sessionId: id,
      userId,
      generation,
      nonceHash,
      rotate: true,
      grace: GRACE,
      recovery: RECOVERY,
      clockTolerance: 0,
      sliding: null,
      jkt: null,
      ip: '198.51.100.2',
      userAgent: 'contract/2.0',
      now,
      revocationTtl: REVOCATION_TTL,
      ...more
    }),

    confirm: ({ id }, generation) => store.confirm({ sessionId: id, generation, now, revocationTtl: REVOCATION_TTL } satisfies Confirmation),
    revoke: (sessionId, more) => store.revoke({ sessionId, mustExist: false, now, revocationTtl: REVOCATION_TTL, ...more }),
    revokeUser: (id = userId) => store.revokeUser({ userId: id, now, revocationTtl: REVOCATION_TTL }),
    list: (id = userId) => store.list({ userId: id, now, revocationTtl: REVOCATION_TTL }),

    async read ({ id, userId }) {
      const found = (await setting.list(userId)).find(session => session.id === id)
      assert.ok(found, 'the session lives')
      return found
    },

    async readFeed (cursor = null) {
      const ids = new Set<string>()
      for (;;) {
        const page = await store.revokedSince(cursor, { now, revocationTtl: REVOCATION_TTL })
        for (const id of page.sessionIds) ids.add(id)
        if (!page.more) return { ids, cursor: page.cursor, epoch: page.epoch, age: page.age }
        assert.notEqual(page.cursor, cursor, 'a page leads to the next one')
        cursor = page.cursor
      }
    },

    async assertEnded (session) {
      for (const generation of [0, 1, 2, 3, 2 ** 31]) {
        const { outcome } = await setting.rotate(session, generation)
        assert.ok(outcome === 'revoked' || outcome === 'unknown', `generation ${generation} of an ended session is ${outcome}`)
      }
      assert.equal((await setting.list(session.userId)).some(({ id }) => id === session.id), false, 'an ended session is not listed')
      assert.equal((await setting.readFeed()).ids.has(session.id), true, 'the feed tells of an ended session')
    },

    async assertUntouched (before) {
      assert.deepEqual(await setting.read(before), before)
      assert.equal((await setting.readFeed()).ids.has(before.id), false, 'the feed does not tell of a session that lives')
    }
  }
  return setting
}
