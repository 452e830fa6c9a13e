// A session's record ⇄ the fields of its hash in Redis.
import type { SessionRecord } from '../../sessions/store.ts'

const TEXTS = ['id', 'nonceHash', 'ip', 'userAgent', 'label', 'jkt'] as const
const NUMBERS = ['generation', 'parentGeneration', 'rotatedAt', 'displacedAt', 'issuedAt', 'createdAt', 'authenticatedAt', 'expiresAt', 'lastUsedAt'] as const

/** Returns names and values in turn, as HSET takes them. */
export function fieldsOf (record: SessionRecord): Array<string | number> {
  return [
    'userId', JSON.stringify(record.userId), 'confirmed', record.confirmed ? 1 : 0,
    ...TEXTS.flatMap(name => [name, record[name] ?? '']),
    ...NUMBERS.flatMap(name => [name, record[name]]), 'lifetime', record.lifetime ?? ''
  ]
}

/** @param fields names and values in turn, as HGETALL answers them */
export function recordOf (fields: readonly string[]): SessionRecord {
  const { userId, confirmed, lifetime, ...rest } = Object.fromEntries(pairsOf(fields))
  return {
    userId: JSON.parse(userId!),
    confirmed: confirmed === '1',
    lifetime: lifetime === '' ? null : Number(lifetime),
    ...Object.fromEntries(TEXTS.map(name => [name, rest[name] || null])),
    ...Object.fromEntries(NUMBERS.map(name => [name, Number(rest[name])]))
  } as SessionRecord
}

/** `[a, 1, b, 2]` → `[[a, 1], [b, 2]]`: Redis answers names and values in one list. */
function pairsOf (list: readonly string[]): Array<[string, string]> {
  return Array.from({ length: list.length / 2 }, (_, i) => [list[2 * i]!, list[2 * i + 1]!])
}
