// A session record ⇄ a row, and a user's id → the text by which its rows are found.
import { createHash } from 'node:crypto'
import type { Row } from './client.ts'
import type { SessionRecord } from '../../sessions/store.ts'
import type { UserId } from '../../tokens/types.ts'

const DAY = 86_400_000
/** An entry of a B-tree has at most 2,704 bytes. */
const MAX_KEY = 200

/** An id that no user has. */
const NOBODY = ''

/** JSON in ASCII, because a column of Postgres takes neither U+0000 nor lone surrogates, nor what its encoding lacks. */
function asciiOf (value: string | number): string {
  return JSON.stringify(value).replace(/[\x7f-\uffff]/g, unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** Never the same for `7` and `'7'`; as readable as JSON, unless it is long. */
export function userKeyOf (userId: UserId): string {
  const json = asciiOf(userId)
  return json.length <= MAX_KEY ? json : `#${createHash('sha256').update(json).digest('base64url')}`
}

function textOf (value: string | null): string | null {
  return value === null ? null : asciiOf(value).slice(1, -1)
}

function valueOf (text: unknown): string | null {
  return text === null ? null : JSON.parse(`"${text as string}"`)
}

/** Until when a record is kept, by the plugin's clock, and the day of it, which an index finds. */
function keptOf (expiresAt: number, revocationTtl: number): { forget_at: number, forget_day: number } {
  const forgetAt = expiresAt + revocationTtl
  return { forget_at: forgetAt, forget_day: Math.floor(forgetAt / DAY) }
}

/** The columns of a new session. */
export function rowOf (record: SessionRecord, revocationTtl: number): Row {
  return {
    id: record.id,
    user_id: userKeyOf(record.userId),
    nonce_hash: record.nonceHash,
    created_at: record.createdAt,
    authenticated_at: record.authenticatedAt,
    label: textOf(record.label),
    lifetime: record.lifetime,
    jkt: textOf(record.jkt),
    version: 0,
    ...changingOf(record, revocationTtl)
  }
}

/** The columns that a rotation writes. */
export function changingOf (record: SessionRecord, revocationTtl: number): Row {
  return {
    generation: record.generation,
    parent_generation: record.parentGeneration,
    confirmed: record.confirmed,
    rotated_at: record.rotatedAt,
    displaced_at: record.displacedAt,
    issued_at: record.issuedAt,
    expires_at: record.expiresAt,
    ...keptOf(record.expiresAt, revocationTtl),
    ...usedOf(record)
  }
}

/** The columns that any use writes. */
export function usedOf ({ lastUsedAt, ip, userAgent }: Pick<SessionRecord, 'lastUsedAt' | 'ip' | 'userAgent'>): Row {
  return { last_used_at: lastUsedAt, ip: textOf(ip), user_agent: textOf(userAgent) }
}

/** @param userId the expected owner; the record does not name any other one */
export function recordOf (row: Row, userId: UserId): SessionRecord {
  return {
    id: String(row.id),
    userId: row.user_id === userKeyOf(userId) ? userId : NOBODY,
    generation: Number(row.generation),
    parentGeneration: Number(row.parent_generation),
    confirmed: row.confirmed === true,
    rotatedAt: Number(row.rotated_at),
    displacedAt: Number(row.displaced_at),
    issuedAt: Number(row.issued_at),
    nonceHash: String(row.nonce_hash),
    createdAt: Number(row.created_at),
    authenticatedAt: Number(row.authenticated_at),
    expiresAt: Number(row.expires_at),
    lastUsedAt: Number(row.last_used_at),
    ip: valueOf(row.ip),
    userAgent: valueOf(row.user_agent),
    label: valueOf(row.label),
    lifetime: row.lifetime === null ? null : Number(row.lifetime),
    jkt: valueOf(row.jkt)
  }
}
