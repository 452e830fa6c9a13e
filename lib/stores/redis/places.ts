// A prefix and a number of shards → where each session, user and feed has its keys, and the ids that say so.
import { createHash } from 'node:crypto'
import { createRandom } from '../../tokens/session-claims.ts'
import type { UserId } from '../../tokens/types.ts'
import { tagsOf } from './slots.ts'

const MOST_SHARDS = 64
const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

const HASH_TAG = /^[^{]*\{[^}]+\}/
const EMPTY_HASH_TAG = /^[^{]*\{\}/

/** All keys of a shard's users; they share one hash tag, so that a Cluster keeps them in one slot. */
export interface Shard {
  readonly feed: string
  readonly epoch: string
  session (id: string): string
  index (owner: Buffer): string
  mark (owner: Buffer): string
}

export interface Places {
  readonly shards: readonly Shard[]
  /** Where revocations of all shards are published. */
  readonly channel: string
  /** The key that keeps the number of shards. */
  readonly count: string
  ofUser (owner: Buffer): Shard
  /** Any text finds a shard, because clients send ids that no store has made. */
  ofSession (id: string): Shard
  newSessionId (userId: UserId): string
}

export interface PlacesOptions {
  readonly prefix?: string
  readonly shards?: number
}

/** @throws TypeError, RangeError */
export function createPlaces ({ prefix = 'dual-token:', shards }: PlacesOptions, isCluster: boolean): Places {
  if (typeof prefix !== 'string') throw new TypeError('prefix must be a string.')
  if (EMPTY_HASH_TAG.test(prefix)) throw new TypeError('prefix must not have an empty hash tag.')
  const hasBrace = prefix.includes('{')
  const count = shards === undefined ? (isCluster && !hasBrace ? 16 : 1) : shards
  if (!Number.isInteger(count) || count < 1 || count > MOST_SHARDS) throw new RangeError(`shards must be a whole number from 1 to ${MOST_SHARDS}.`)
  if (hasBrace && count > 1) throw new TypeError('prefix must not have a hash tag with more than one shard: it would keep all of them in one slot.')

  const bases = HASH_TAG.test(prefix) ? [prefix] : tagsOf(count).map(tag => `${prefix}{${tag}}:`)
  const made = bases.map(createShard)
  const indexOfUser = (owner: Buffer): number => owner.readUInt32BE() % count

  return {
    shards: made,
    channel: `${prefix}revoked`,
    count: `${prefix}shards`,
    ofUser: owner => made[indexOfUser(owner)]!,
    // An unknown character counts as the first digit.
    ofSession: id => made[Math.max(0, DIGITS.indexOf(id.charAt(0))) % count]!,
    newSessionId: userId => DIGITS.charAt(indexOfUser(ownerOf(userId))) + createRandom().slice(0, 21)
  }
}

/** What stands for a user's id in keys and records: 16 bytes of its SHA-256. As JSON, `7` and `'7'` are two. */
export function ownerOf (userId: UserId): Buffer {
  return createHash('sha256').update(JSON.stringify(userId)).digest().subarray(0, 16)
}

/** Names of one letter: with the default prefix, a session's key then fits into 48 bytes of the server's memory instead of 64. */
function createShard (base: string): Shard {
  return {
    feed: `${base}revoked`,
    epoch: `${base}epoch`,
    session: id => `${base}s:${id}`,
    index: owner => `${base}u:${owner.toString('base64url')}`,
    mark: owner => `${base}m:${owner.toString('base64url')}`
  }
}
