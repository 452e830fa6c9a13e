// The Redis store: the sessions of many processes in Redis or Valkey, one script per step.
import { randomUUID } from 'node:crypto'
import type { UserId } from '../../tokens/types.ts'
import { createClockWatch } from './clock.ts'
import { cursorWithin, type FeedPosition, positionOf } from './cursor.ts'
import { fieldsOf, recordOf } from './fields.ts'
import type { Script } from './script.ts'
import * as scripts from './scripts.ts'
import type { Rotation, SessionStore } from '../../sessions/store.ts'

type Argument = string | number

/** The part of an ioredis client (single server, Sentinel or Cluster) that the store uses. */
export interface RedisClient {
  readonly status?: string
  evalsha (sha: string, keyCount: number, ...keysAndArguments: Argument[]): Promise<unknown>
  eval (script: string, keyCount: number, ...keysAndArguments: Argument[]): Promise<unknown>
  connect (): Promise<unknown>
  duplicate (): RedisSubscriber
}

/** The part of the second connection, which listens, that the store uses. */
export interface RedisSubscriber {
  readonly status?: string
  connect (): Promise<unknown>
  subscribe (channel: string): Promise<unknown>
  on (event: 'ready' | 'error' | 'message', listener: (...values: string[]) => void): unknown
  disconnect (): void
}

const PAGE = 20_000
const BATCH = 500

/**
 * Makes a session store in Redis or Valkey, timed by the server's clock. It never closes the client, which belongs to the application.
 *
 * @param client an ioredis client
 * @param options `prefix`: of every key, default `'dual-token:'`. All keys share one hash tag, so that a Cluster keeps them in one
 * slot; a prefix with a hash tag of its own is used as it is. One prefix per set of users: services with
 * other secrets that share it refuse each other's tokens, and still list and end each other's sessions of equal user ids.
 */
export function redisStore (client: RedisClient, { prefix = 'dual-token:' }: { prefix?: string } = {}): SessionStore {
  if (typeof client?.evalsha !== 'function') throw new TypeError('client must be an ioredis client.')
  if (typeof prefix !== 'string') throw new TypeError('prefix must be a string.')
  if (/^[^{]*\{\}/.test(prefix)) throw new TypeError('prefix must not have an empty hash tag.')
  const base = /^[^{]*\{[^}]+\}/.test(prefix) ? prefix : `${prefix}{sessions}:`
  const feed = `${base}revoked`
  const epoch = `${base}epoch`
  const indexes = `${base}user:`
  const sessionKey = (id: string): string => `${base}session:${id}`
  const indexKey = (userId: UserId): string => `${indexes}${JSON.stringify(userId)}`
  const markKey = (userId: UserId): string => `${base}mark:${JSON.stringify(userId)}`

  async function run ({ sha, text }: Script, keys: string[], values: Argument[]): Promise<unknown> {
    if (client.status === 'wait') client.connect().catch(() => {}) // The next command reports the error.
    // A client that is not connected would queue the command and run it when nobody waits for it.
    if (client.status !== undefined && client.status !== 'ready') throw new Error(`the Redis client is not ready: ${client.status}`)
    try {
      const reply = await client.evalsha(sha, keys.length, ...keys, ...values)
      // The application has begun a transaction on this connection: the command has not run, and may never.
      if (reply === 'QUEUED') throw new Error('the Redis client is in a transaction')
      return reply
    } catch (error) {
      if (!(error instanceof Error) || !error.message.includes('NOSCRIPT')) throw error
      return await client.eval(text, keys.length, ...keys, ...values)
    }
  }

  /** Runs each batch as a step of its own, because a script must name its keys and so needs the ids first. */
  async function inBatches<T> (ids: readonly string[], step: (batch: string[]) => Promise<T>): Promise<T[]> {
    const results: T[] = []
    for (let i = 0; i < ids.length; i += BATCH) results.push(await step(ids.slice(i, i + BATCH)))
    return results
  }

  const hasStepped = createClockWatch()

  /** @param over the id of an epoch to end, or '' */
  async function readPage ({ lowest, skip }: FeedPosition, revocationTtl: number, over = '') {
    const sentAt = performance.now()
    const [epochId, runId, age, clock, ids, score, passed] = await run(scripts.REVOKED_SINCE,
      [feed, epoch], [lowest, skip, PAGE, revocationTtl, randomUUID(), over]) as [string, string, string, string, string[], string, number]
    return { epochId, runId, age: Number(age), clock, ids, score, passed, hasStepped: hasStepped(Number(clock), sentAt, epochId) }
  }

  return {
    async create (session, { now, revocationTtl, elapsed }) {
      const life = session.expiresAt - now + revocationTtl
      const created = await run(scripts.CREATE,
        [sessionKey(session.id), indexKey(session.userId), markKey(session.userId), epoch, feed],
        [Math.round(elapsed * 1000), life, revocationTtl, randomUUID(), session.id, ...fieldsOf(session)])
      return Number(created) === 1
    },

    async rotate (attempt) {
      const { sessionId, userId, generation, nonceHash, now, revocationTtl, rotate, grace, recovery, sliding, clockTolerance, ip, userAgent } = attempt
      const reply = await run(scripts.ROTATE, [sessionKey(sessionId), indexKey(userId), feed], [
        sessionId, JSON.stringify(userId), generation, nonceHash, now, revocationTtl, rotate ? 1 : 0, grace, recovery,
        sliding?.lifetime ?? '', sliding?.maxLifetime ?? '', ip ?? '', userAgent ?? '', feed, indexes, clockTolerance
      ])
      return rotationOf(reply as string[])
    },

    async confirm ({ sessionId, generation, now, revocationTtl }) {
      return await run(scripts.CONFIRM, [sessionKey(sessionId), feed], [sessionId, generation, now, revocationTtl, feed, indexes]) as
        'confirmed' | 'reused' | 'unknown'
    },

    async revoke ({ sessionId, userId, mustExist, revocationTtl }) {
      const told = await run(scripts.REVOKE, [sessionKey(sessionId), feed],
        [sessionId, revocationTtl, feed, mustExist ? 1 : 0, userId === undefined ? '' : JSON.stringify(userId), indexes])
      return Number(told) === 1
    },

    async revokeUser ({ userId, revocationTtl }) {
      const index = indexKey(userId)
      const ids = await run(scripts.MARK_USER, [index, markKey(userId)], []) as string[]
      const ended = await inBatches(ids, async batch =>
        await run(scripts.REVOKE_MANY, [index, feed, ...batch.map(sessionKey)], [revocationTtl, feed, ...batch]) as string[])
      return ended.flat()
    },

    async list ({ userId, now }) {
      const index = indexKey(userId)
      const ids = await run(scripts.INDEX, [index], []) as string[]
      const pages = await inBatches(ids, async batch =>
        await run(scripts.READ_MANY, [index, ...batch.map(sessionKey)], batch) as string[][])
      return pages.flat().map(recordOf).filter(record => now < record.expiresAt)
    },

    async revokedSince (cursor, { revocationTtl }) {
      const position = positionOf(cursor)
      let page = await readPage(position, revocationTtl)
      if (page.hasStepped) page = await readPage(position, revocationTtl, page.epochId)
      const startedAt = position.startedAt ?? page.clock
      const more = page.ids.length === PAGE
      return {
        epoch: page.epochId + page.runId,
        age: page.age,
        sessionIds: page.ids,
        more,
        cursor: more ? cursorWithin(page.score, page.passed, startedAt) : startedAt
      }
    },

    subscribe (onRevoked) {
      const subscriber = client.duplicate()
      // Errors only mean that the connection is down: it reconnects by itself, and polling continues meanwhile.
      const ignore = (): void => {}
      subscriber.on('error', ignore)
      subscriber.on('ready', () => { subscriber.subscribe(feed).catch(ignore) })
      subscriber.on('message', (_channel, ids) => onRevoked(ids!.split(' ')))
      if (subscriber.status === 'wait') subscriber.connect().catch(ignore)
      return () => subscriber.disconnect()
    }
  }
}

/** The outcome, the milliseconds since the last rotation ('' when there was none) and, of a granted one, its four numbers. */
function rotationOf ([outcome, since, generation, issuedAt, expiresAt, authenticatedAt]: string[]): Rotation {
  const sinceRotation = since === '' ? null : Number(since)
  if (generation === undefined) return { outcome, sinceRotation } as Rotation
  const [granted, numbers] = [{ outcome, sinceRotation }, { generation, issuedAt, expiresAt, authenticatedAt }]
  return { ...granted, ...Object.fromEntries(Object.entries(numbers).map(([name, text]) => [name, Number(text)])) } as Rotation
}
