// The Redis store: the sessions of many processes in Redis or Valkey, one script per step, spread over shards in a Cluster.
import { randomUUID } from 'node:crypto'
import { createFault } from '../../errors.ts'
import type { Creation, LimitReached, Rotation, SessionRecord, SessionStore } from '../../sessions/store.ts'
import { mustKnowOptions } from '../options.ts'
import { createConnection } from './client.ts'
import { createReadFeed } from './feed.ts'
import { createInTurn } from './in-turn.ts'
import { createPlaces, ownerOf, type PlacesOptions } from './places.ts'
import { packClient, packHash, packRecord, unpackRecord } from './record.ts'
import { REAUTHENTICATE, ROTATE } from './rotate.ts'
import * as scripts from './scripts.ts'
import type { Argument, RedisClient } from './shapes.ts'

const BATCH = 500
/** How often a sign-in at the limit of its user is tried: each time, another process's sign-in of the same user was quicker. */
const TRIES = 100
/** How long the number of shards is kept after the last boot. Milliseconds. */
const COUNT_LIFE = 400 * 86_400_000

export interface RedisStoreOptions extends PlacesOptions {
  /**
   * The prefix of every key; default `'dual-token:'`. One prefix per set of users: services with different secrets that share it refuse each other's
   * tokens, but still list and end each other's sessions when user ids are equal. A prefix with a hash tag of its own is used as it is, with one
   * shard.
   */
  readonly prefix?: string
  /**
   * Over how many slots of a Cluster the users are spread, 1 to 64; default 16 for the client of a Cluster, otherwise 1. Another number would end all
   * sessions, so Redis keeps the number, and a boot with another one fails.
   */
  readonly shards?: number
}

/**
 * Makes a session store in Redis or Valkey, timed by the server's clock. It never closes the client, which belongs to the application.
 *
 * @param client a client of ioredis, iovalkey or node-redis 5 or 6, for one server, Sentinels or a Cluster, or a pool; a client of node-redis must be
 * connected
 */
export function redisStore (client: RedisClient, options: RedisStoreOptions = {}): SessionStore {
  mustKnowOptions(options, 'redisStore', ['prefix', 'shards'])
  const { run, listen, isCluster } = createConnection(client)
  const places = createPlaces(options, isCluster)
  const { channel, shards } = places
  const readFeed = createReadFeed(run, shards)
  const inTurn = createInTurn()
  let epochs: string | undefined

  /** Keeps the number of shards; returns the one that Redis has kept. */
  async function keepCount (): Promise<number> {
    return Number(await run(scripts.OPEN, [places.count], [shards.length, COUNT_LIFE]))
  }

  /** Runs each batch as a step of its own, because a script must name its keys and so needs the ids first. */
  async function inBatches<T> (ids: readonly string[], step: (batch: string[]) => Promise<T>): Promise<T[]> {
    const results: T[] = []
    for (let i = 0; i < ids.length; i += BATCH) results.push(await step(ids.slice(i, i + BATCH)))
    return results
  }

  /** @param owner in hexadecimal; '' when the id is in no index any more */
  async function tidy (sessionId: string, owner: string): Promise<void> {
    if (owner === '') return
    const index = places.ofSession(sessionId).index(Buffer.from(owner, 'hex'))
    // The session has ended, whatever comes of this: `list` and `create` take what is left out of the index.
    await run(scripts.TIDY, [index], [sessionId]).catch(() => {})
  }

  /** At the limit, the first try learns which sessions of the user the next one has to name. */
  async function createWithin (
    session: SessionRecord, owner: Buffer, calledAt: number, { now, revocationTtl, elapsed, limit }: Creation
  ): Promise<boolean | LimitReached> {
    const shard = places.ofUser(owner)
    const keys = [shard.session(session.id), shard.index(owner), shard.mark(owner), shard.epoch, shard.feed]
    const values: Argument[] = [
      session.expiresAt - now + revocationTtl, revocationTtl, randomUUID(), session.id, packRecord(session), channel, now,
      limit?.max ?? '', limit?.whenFull === 'refuse' ? 1 : 0
    ]
    let named: string[] = []
    for (let tries = 0; tries < TRIES; tries++) {
      const began = Math.round((elapsed + performance.now() - calledAt) * 1000)
      const [outcome, ...ids] = await run(scripts.CREATE, [...keys, ...named.map(shard.session)], [began, ...values, ...named]) as string[]
      if (outcome === 'barred') return false
      if (outcome === 'refused') return { kept: false, ended: [] }
      if (outcome === 'kept') return ids.length === 0 || { kept: true, ended: ids }
      named = ids
    }
    throw new Error('too many sign-ins of one user at once')
  }

  return {
    duties: ['limit', 'label', 'lifetime', 'except', 'possession'],
    newSessionId: places.newSessionId,

    async create (session, creation) {
      const calledAt = performance.now()
      const owner = ownerOf(session.userId)
      if (places.ofSession(session.id) !== places.ofUser(owner)) throw new TypeError('the id of the session is not of newSessionId')
      const step = async (): Promise<boolean | LimitReached> => await createWithin(session, owner, calledAt, creation)
      // Side by side, each sign-in of a user would have to name what all others have just made.
      return await (creation.limit === undefined ? step() : inTurn(owner.toString('hex'), step))
    },

    async open () {
      const kept = await keepCount()
      if (kept === shards.length) return
      throw createFault('OPTION_INVALID', `Option shards of redisStore must be ${kept}, as the sessions in Redis are kept: ` +
        `${shards.length} would end all of them. Use another prefix to begin anew.`)
    },

    async rotate (attempt) {
      const { sessionId, generation, nonceHash, now, revocationTtl, rotate, grace, recovery, sliding, clockTolerance, jkt } = attempt
      const owner = ownerOf(attempt.userId)
      const shard = places.ofSession(sessionId)
      const reply = await run(ROTATE, [shard.session(sessionId), shard.index(owner), shard.feed], [
        sessionId, owner, generation, packHash(nonceHash), now, revocationTtl, rotate ? 1 : 0, grace, recovery,
        sliding?.lifetime ?? '', sliding?.maxLifetime ?? '', packClient(attempt), channel, clockTolerance, jkt === null ? '' : `=${jkt}`
      ]) as string[]
      if (reply[0] === 'reused') await tidy(sessionId, reply[2]!)
      return rotationOf(reply)
    },

    async confirm ({ sessionId, generation, now, revocationTtl }) {
      const shard = places.ofSession(sessionId)
      const [outcome, owner = ''] = await run(scripts.CONFIRM, [shard.session(sessionId), shard.feed],
        [sessionId, generation, now, revocationTtl, channel]) as ['confirmed' | 'reused' | 'unknown', string?]
      await tidy(sessionId, owner)
      return outcome
    },

    async revoke ({ sessionId, userId, mustExist, revocationTtl }) {
      const shard = places.ofSession(sessionId)
      const owner = userId === undefined ? '' : ownerOf(userId)
      const index = owner === '' ? [] : [shard.index(owner)]
      const [told, kept = ''] = await run(scripts.REVOKE, [shard.session(sessionId), shard.feed, ...index],
        [sessionId, revocationTtl, channel, mustExist ? 1 : 0, owner]) as [unknown, string?]
      await tidy(sessionId, kept)
      return Number(told) === 1
    },

    async revokeUser ({ userId, except, revocationTtl }) {
      const owner = ownerOf(userId)
      const shard = places.ofUser(owner)
      const index = shard.index(owner)
      const ids = await run(scripts.MARK_USER, [index, shard.mark(owner)], []) as string[]
      const ended = await inBatches(ids.filter(id => id !== except), async batch =>
        await run(scripts.REVOKE_MANY, [index, shard.feed, ...batch.map(shard.session)], [revocationTtl, channel, ...batch]) as string[])
      return ended.flat()
    },

    async list ({ userId, now }) {
      const owner = ownerOf(userId)
      const shard = places.ofUser(owner)
      const index = shard.index(owner)
      const ids = await run(scripts.INDEX, [index], []) as string[]
      const pages = await inBatches(ids, async batch =>
        await run(scripts.READ_MANY, [index, ...batch.map(shard.session)], batch) as string[])
      return pages.flatMap(page => pairsOf(page))
        .map(([id, packed]) => unpackRecord(id, userId, Buffer.from(packed, 'hex')))
        .filter(record => now < record.expiresAt)
    },

    async reauthenticate ({ sessionId, userId, now }) {
      return Number(await run(REAUTHENTICATE, [places.ofSession(sessionId).session(sessionId)], [ownerOf(userId), now])) === 1
    },

    async revokedSince (cursor, context) {
      const page = await readFeed(cursor, context)
      // The memory of a server has begun anew, and may have lost the number of shards.
      if (epochs !== undefined && page.epoch !== epochs) await keepCount()
      epochs = page.epoch
      return page
    },

    subscribe: onRevoked => listen(channel, ids => onRevoked(ids.split(' ')))
  }
}

/** The outcome, the milliseconds since the last rotation ('' when there was none) and, of a granted one, its four numbers. */
function rotationOf ([outcome, since, generation, issuedAt, expiresAt, authenticatedAt]: string[]): Rotation {
  const sinceRotation = since === '' ? null : Number(since)
  if (authenticatedAt === undefined) return { outcome, sinceRotation } as Rotation
  const [granted, numbers] = [{ outcome, sinceRotation }, { generation, issuedAt, expiresAt, authenticatedAt }]
  return { ...granted, ...Object.fromEntries(Object.entries(numbers).map(([name, text]) => [name, Number(text)])) } as Rotation
}

/** `[a, 1, b, 2]` → `[[a, 1], [b, 2]]` */
function pairsOf (list: readonly string[]): Array<[string, string]> {
  return Array.from({ length: list.length / 2 }, (_, i) => [list[2 * i]!, list[2 * i + 1]!])
}
