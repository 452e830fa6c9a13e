// A session's record ⇄ the packed bytes that Redis keeps, but for its id (in the key) and its user's id (only a hash of it).
import type { SessionRecord } from '../../sessions/store.ts'
import type { UserId } from '../../tokens/types.ts'
import { ownerOf } from './places.ts'

/**
 * Big-endian, instants of 6 bytes:
 *
 *     0  flags (1), lastUsedAt (6)
 *     7  generation (4), parentGeneration + 1 (4), rotatedAt (6), displacedAt (6), issuedAt (6), expiresAt (6)
 *    39  createdAt (6), SHA-256 of the nonce (32), owner (16)
 *    93  as the flags say: authenticatedAt (6), lifetime (6), length (1) and jkt, length (2) and label
 *        client: length of ip + 1, or 0 (2; its highest bit: a user agent follows), ip, user agent
 *
 * The scripts of rotate.ts and scripts.ts read it by these offsets, which Lua counts from 1.
 */
const AT = { rest: 93, nonce: 45, created: 39 } as const

export const FLAGS = { confirmed: 1, authenticatedAt: 2, lifetime: 4, jkt: 8, label: 16 } as const
const HAS_USER_AGENT = 0x8000
const NONCE_LENGTH = 32

/** @throws TypeError when the nonce's hash is no SHA-256 in base64url */
export function packRecord (record: SessionRecord): Buffer {
  const nonce = packHash(record.nonceHash)
  if (nonce.length !== NONCE_LENGTH) throw new TypeError('nonceHash must be a SHA-256 in base64url.')
  const head = Buffer.alloc(AT.nonce)
  let flags = record.confirmed ? FLAGS.confirmed : 0
  const rest: Buffer[] = []
  const add = (flag: number, ...parts: Buffer[]): void => {
    flags |= flag
    rest.push(...parts)
  }
  if (record.authenticatedAt !== record.createdAt) add(FLAGS.authenticatedAt, number(record.authenticatedAt, 6))
  if (record.lifetime !== null) add(FLAGS.lifetime, number(record.lifetime, 6))
  if (record.jkt !== null) add(FLAGS.jkt, ...counted(record.jkt, 1))
  if (record.label !== null) add(FLAGS.label, ...counted(record.label, 2))

  head.writeUInt8(flags)
  let at = head.writeUIntBE(record.lastUsedAt, 1, 6)
  at = head.writeUInt32BE(record.generation, at)
  at = head.writeUInt32BE(record.parentGeneration + 1, at)
  for (const name of ['rotatedAt', 'displacedAt', 'issuedAt', 'expiresAt', 'createdAt'] as const) at = head.writeUIntBE(record[name], at, 6)
  return Buffer.concat([head, nonce, ownerOf(record.userId), ...rest, packClient(record)])
}

export function unpackRecord (id: string, userId: UserId, bytes: Buffer): SessionRecord {
  const flags = bytes.readUInt8()
  const instant = (offset: number): number => bytes.readUIntBE(offset, 6)
  let at: number = AT.rest
  const take = (length: number): Buffer => {
    at += length
    return bytes.subarray(at - length, at)
  }
  const takeNumber = (length: number): number => take(length).readUIntBE(0, length)
  const has = (flag: number): boolean => (flags & flag) !== 0

  const createdAt = instant(AT.created)
  const authenticatedAt = has(FLAGS.authenticatedAt) ? takeNumber(6) : createdAt
  const lifetime = has(FLAGS.lifetime) ? takeNumber(6) : null
  const jkt = has(FLAGS.jkt) ? take(takeNumber(1)).toString() : null
  const label = has(FLAGS.label) ? take(takeNumber(2)).toString() : null
  const client = takeNumber(2)
  const ipLength = client % HAS_USER_AGENT
  return {
    id,
    userId,
    generation: bytes.readUInt32BE(7),
    parentGeneration: bytes.readUInt32BE(11) - 1,
    confirmed: has(FLAGS.confirmed),
    rotatedAt: instant(15),
    displacedAt: instant(21),
    issuedAt: instant(27),
    nonceHash: bytes.subarray(AT.nonce, AT.nonce + NONCE_LENGTH).toString('base64url'),
    createdAt,
    authenticatedAt,
    expiresAt: instant(33),
    lastUsedAt: instant(1),
    ip: ipLength === 0 ? null : take(ipLength - 1).toString(),
    userAgent: client < HAS_USER_AGENT ? null : bytes.subarray(at).toString(),
    label,
    lifetime,
    jkt
  }
}

/** Where a session was used from: the end of a record, which each rotation replaces. */
export function packClient ({ ip, userAgent }: Pick<SessionRecord, 'ip' | 'userAgent'>): Buffer {
  const address = Buffer.from(ip ?? '')
  const lengths = (ip === null ? 0 : address.length + 1) + (userAgent === null ? 0 : HAS_USER_AGENT)
  return Buffer.concat([number(lengths, 2), address, Buffer.from(userAgent ?? '')])
}

/** The bytes of a hash in base64url; of any other text, bytes that equal no hash's. */
export function packHash (hash: string): Buffer {
  return Buffer.from(hash, 'base64url')
}

function number (value: number, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  bytes.writeUIntBE(value, 0, length)
  return bytes
}

/** A text behind its length. */
function counted (text: string, length: number): [Buffer, Buffer] {
  const bytes = Buffer.from(text)
  return [number(bytes.length, length), bytes]
}
