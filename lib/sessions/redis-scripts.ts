// The Lua scripts of the Redis store, one per operation: each is one atomic step on the server, timed by its clock.
import { createHash } from 'node:crypto'

export interface Script {
  readonly text: string
  readonly sha: string
}

/**
 * Processes whose access tokens live shorter may share the store, or a deployment change it: what is to be remembered for the longest
 * lifetime of all is forgotten by none, so `remember` answers that. It counts for as long as a token can live of a process that polls
 * no more; that nothing else is written when the server is full must not fail a poll.
 *
 * Numbers are written through `%.0f`: Lua would round microseconds to fourteen digits.
 */
const COMMON = `
local time = redis.call('TIME')
local micros = time[1] * 1000000 + time[2]
local clock = math.floor(micros / 1000)
local function whole (number) return string.format('%.0f', number) end
local function outlive (key, ms)
  if redis.call('PTTL', key) < ms then redis.call('PEXPIRE', key, whole(ms)) end
end
local function tell (feed, keepFor, channel, ids)
  for _, id in ipairs(ids) do redis.call('ZADD', feed, 'NX', whole(clock), id) end
  outlive(feed, keepFor)
  redis.pcall('PUBLISH', channel, table.concat(ids, ' '))
end
local function remember (epoch, id, keepFor)
  if redis.call('EXISTS', epoch) == 0 then redis.call('HSET', epoch, 'id', id, 'since', whole(clock)) end
  local known = redis.call('HMGET', epoch, 'keepFor', 'keepUntil')
  local longest = clock < tonumber(known[2] or 0) and tonumber(known[1]) or 0
  if keepFor >= longest then
    longest = keepFor
    redis.pcall('HSET', epoch, 'keepFor', whole(keepFor), 'keepUntil', whole(clock + keepFor))
  end
  outlive(epoch, longest * 2)
  return longest
end
`

function script (body: string): Script {
  const text = COMMON + body
  return { text, sha: createHash('sha1').update(text).digest('hex') }
}

/** KEYS: session, user's index, user's mark, epoch. ARGV: elapsed µs, time to live, keepFor, epoch id, session id, then the record's fields. */
export const CREATE = script(`
local mark = redis.call('GET', KEYS[3])
if mark and micros - tonumber(ARGV[1]) < tonumber(mark) then return 0 end
local life = tonumber(ARGV[2])
redis.call('HSET', KEYS[1], unpack(ARGV, 6))
redis.call('PEXPIRE', KEYS[1], whole(life))
redis.call('ZADD', KEYS[2], whole(clock + life), ARGV[5])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', '(' .. whole(clock))
outlive(KEYS[2], life)
remember(KEYS[4], ARGV[4], tonumber(ARGV[3]))
return 1
`)

/**
 * The table of decide.ts. KEYS: session, user's index, feed. ARGV: session id, user id, generation, nonce hash, now, keepFor, rotate, grace, recovery,
 * sliding lifetime ('' when fixed), maxLifetime, ip, user agent, channel.
 */
export const ROTATE = script(`
local id, user, presented, nonce, now, keepFor = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
local r = redis.call('HMGET', KEYS[1], 'userId', 'nonceHash', 'generation', 'parentGeneration', 'confirmed', 'rotatedAt',
  'displacedAt', 'issuedAt', 'expiresAt', 'createdAt')
if not r[1] then
  return { redis.call('ZSCORE', KEYS[3], id) and 'revoked' or 'unknown', '' }
end
local generation, parent, rotatedAt, expiresAt = tonumber(r[3]), tonumber(r[4]), tonumber(r[6]), tonumber(r[9])
local since = rotatedAt > 0 and whole(clock - rotatedAt) or ''

local function reused ()
  tell(KEYS[3], keepFor, ARGV[14], { id })
  redis.call('DEL', KEYS[1])
  redis.call('ZREM', KEYS[2], id)
  return { 'reused', since }
end
local function repeated ()
  return { 'repeated', since, whole(generation), r[8], r[9] }
end
local function next (outcome, from)
  local expires = expiresAt
  if ARGV[10] ~= '' then expires = math.min(now + tonumber(ARGV[10]), tonumber(r[10]) + tonumber(ARGV[11])) end
  if outcome == 'rotated' then
    redis.call('HSET', KEYS[1], 'parentGeneration', whole(from), 'displacedAt', whole(clock))
  end
  redis.call('HSET', KEYS[1], 'generation', whole(from + 1), 'confirmed', '0', 'rotatedAt', whole(clock), 'issuedAt', whole(now),
    'expiresAt', whole(expires), 'lastUsedAt', whole(now), 'ip', ARGV[12], 'userAgent', ARGV[13])
  if expires ~= expiresAt then
    local life = expires - now + keepFor
    redis.call('PEXPIRE', KEYS[1], whole(life))
    redis.call('ZADD', KEYS[2], whole(clock + life), id)
    outlive(KEYS[2], life)
  end
  return { outcome, since, whole(from + 1), whole(now), whole(expires) }
end

if now >= expiresAt then return { 'expired', since } end
if nonce ~= r[2] or user ~= r[1] then return reused() end
if ARGV[7] == '0' then
  if presented < generation then return reused() end
  redis.call('HSET', KEYS[1], 'lastUsedAt', whole(now), 'ip', ARGV[12], 'userAgent', ARGV[13])
  return repeated()
end
local graceful = since ~= '' and clock - rotatedAt <= tonumber(ARGV[8])
if presented == generation and graceful then return repeated() end
if presented >= generation then return next('rotated', presented) end
if presented == parent and graceful then return repeated() end
if now < tonumber(r[8]) then return { 'late', since } end
if presented == parent and r[5] == '0' and clock - tonumber(r[7]) <= tonumber(ARGV[9]) then return next('recovered', generation) end
return reused()
`)

/** KEYS: session, feed. ARGV: session id, generation, now, keepFor, channel. */
export const CONFIRM = script(`
local r = redis.call('HMGET', KEYS[1], 'generation', 'parentGeneration')
if not r[1] then return 'unknown' end
local seen = tonumber(ARGV[2])
if seen > tonumber(r[2]) and seen < tonumber(r[1]) then
  tell(KEYS[2], tonumber(ARGV[4]), ARGV[5], { ARGV[1] })
  redis.call('DEL', KEYS[1])
  return 'reused'
end
if seen == tonumber(r[1]) then redis.call('HSET', KEYS[1], 'confirmed', '1', 'lastUsedAt', ARGV[3]) end
return 'confirmed'
`)

/** KEYS: session, feed, and the user's index when the user is known. ARGV: session id, keepFor, channel, must exist, user id or ''. */
export const REVOKE = script(`
local user = redis.call('HGET', KEYS[1], 'userId')
if not user and ARGV[4] == '1' then return 0 end
if user and ARGV[5] ~= '' and ARGV[5] ~= user then return 0 end
tell(KEYS[2], tonumber(ARGV[2]), ARGV[3], { ARGV[1] })
redis.call('DEL', KEYS[1])
if KEYS[3] then redis.call('ZREM', KEYS[3], ARGV[1]) end
return 1
`)

/** The mark first: no sign-in that began before it can be kept from here on. KEYS: user's index, user's mark. ARGV: life of the mark. */
export const MARK_USER = script(`
redis.call('SET', KEYS[2], whole(micros), 'PX', ARGV[1])
return redis.call('ZRANGE', KEYS[1], 0, -1)
`)

/** Answers the ids of those that lived. KEYS: user's index, feed, then the sessions. ARGV: keepFor, channel, then the session ids. */
export const REVOKE_MANY = script(`
local ids, ended = { unpack(ARGV, 3) }, {}
tell(KEYS[2], tonumber(ARGV[1]), ARGV[2], ids)
for i, id in ipairs(ids) do
  if redis.call('DEL', KEYS[i + 2]) == 1 then ended[#ended + 1] = id end
end
redis.call('ZREM', KEYS[1], unpack(ids))
return ended
`)

/** KEYS: user's index. */
export const INDEX = script("return redis.call('ZRANGE', KEYS[1], 0, -1)")

/** Reads sessions and drops the ids of those that are gone. KEYS: user's index, then the sessions. ARGV: the session ids. */
export const READ_MANY = script(`
local records = {}
for i = 2, #KEYS do
  local r = redis.call('HGETALL', KEYS[i])
  if #r == 0 then redis.call('ZREM', KEYS[1], ARGV[i - 1]) else records[#records + 1] = r end
end
return records
`)

/** A page of the feed. Of the ids to pass over, some may be forgotten by now. KEYS: feed, epoch. ARGV: lowest score, ids to pass over, page size, keepFor, epoch id. */
export const REVOKED_SINCE = script(`
local longest = remember(KEYS[2], ARGV[5], tonumber(ARGV[4]))
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. whole(clock - longest))
outlive(KEYS[1], longest)
local skip = math.min(tonumber(ARGV[2]), redis.call('ZCOUNT', KEYS[1], ARGV[1], ARGV[1]))
local rows = redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[1], '+inf', 'WITHSCORES', 'LIMIT', skip, ARGV[3])
local info = redis.pcall('INFO', 'server')
local run = type(info) == 'string' and string.match(info, 'run_id:(%w+)') or ''
local epoch = redis.call('HMGET', KEYS[2], 'id', 'since')
return { epoch[1] .. run, whole(clock - tonumber(epoch[2])), whole(clock), rows }
`)
