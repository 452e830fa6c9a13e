// The Lua scripts of the Redis store, one per operation: each is one atomic step on the server, timed by its clock.
import { FORGOTTEN, MARK_LIFE, script } from './script.ts'

/**
 * A mark in the future was made before the clock stepped back: it counts as made now, so that it refuses no later sign-in.
 *
 * KEYS: session, user's index, user's mark, epoch, feed. ARGV: elapsed µs, time to live, revocationTtl, epoch id, session id, then the record's fields.
 */
export const CREATE = script(`
local mark = tonumber(redis.call('GET', KEYS[3]) or 0)
if mark > micros then
  mark = micros
  redis.call('SET', KEYS[3], whole(mark), 'PX', ${MARK_LIFE})
end
if micros - tonumber(ARGV[1]) < mark then return 0 end
local life = tonumber(ARGV[2])
redis.call('HSET', KEYS[1], unpack(ARGV, 6))
redis.call('PEXPIRE', KEYS[1], whole(life))
redis.call('ZADD', KEYS[2], whole(clock + life), ARGV[5])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', '(' .. whole(clock))
outlive(KEYS[2], life)
remember(KEYS[4], KEYS[5], ARGV[4], tonumber(ARGV[3]), function () return false end)
return 1
`)

/**
 * The table of decide.ts. KEYS: session, user's index, feed. ARGV: session id, user id, generation, nonce hash, now, revocationTtl, rotate, grace, recovery,
 * sliding lifetime ('' when fixed), maxLifetime, ip, user agent, channel, prefix of indexes, clockTolerance.
 */
export const ROTATE = script(`
local id, user, presented, nonce, now, revocationTtl = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
local r = redis.call('HMGET', KEYS[1], 'userId', 'nonceHash', 'generation', 'parentGeneration', 'confirmed', 'rotatedAt',
  'displacedAt', 'issuedAt', 'expiresAt', 'createdAt', 'authenticatedAt')
if not r[1] then
  return { redis.call('ZSCORE', KEYS[3], id) and 'revoked' or 'unknown', '' }
end
local generation, parent, rotatedAt, expiresAt = tonumber(r[3]), tonumber(r[4]), tonumber(r[6]), tonumber(r[9])
local since = rotatedAt > 0 and whole(math.max(0, clock - rotatedAt)) or ''

local function reused ()
  finish(KEYS[1], ARGV[15] .. r[1], id, KEYS[3], revocationTtl, ARGV[14])
  return { 'reused', since }
end
local function repeated ()
  return { 'repeated', since, whole(generation), r[8], r[9], r[11] }
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
    local life = expires - now + revocationTtl
    redis.call('PEXPIRE', KEYS[1], whole(life))
    redis.call('ZADD', KEYS[2], whole(clock + life), id)
    outlive(KEYS[2], life)
  end
  return { outcome, since, whole(from + 1), whole(now), whole(expires), r[11] }
end

if now >= expiresAt + tonumber(ARGV[16]) then return { 'expired', since } end
if nonce ~= r[2] or user ~= r[1] then return reused() end
if ARGV[7] == '0' then
  if presented < generation then return reused() end
  redis.call('HSET', KEYS[1], 'lastUsedAt', whole(now), 'ip', ARGV[12], 'userAgent', ARGV[13])
  return repeated()
end
local graceful = since ~= '' and math.abs(clock - rotatedAt) <= tonumber(ARGV[8])
if presented == generation and graceful then return repeated() end
if presented >= generation then return next('rotated', presented) end
if presented == parent and graceful then return repeated() end
if now < tonumber(r[8]) then return { 'late', since } end
if presented == parent and r[5] == '0' and math.abs(clock - tonumber(r[7])) <= tonumber(ARGV[9]) then return next('recovered', generation) end
return reused()
`)

/** KEYS: session, feed. ARGV: session id, generation, now, revocationTtl, channel, prefix of indexes. */
export const CONFIRM = script(`
local r = redis.call('HMGET', KEYS[1], 'generation', 'parentGeneration', 'userId')
if not r[1] then return 'unknown' end
local seen = tonumber(ARGV[2])
if seen > tonumber(r[2]) and seen < tonumber(r[1]) then
  finish(KEYS[1], ARGV[6] .. r[3], ARGV[1], KEYS[2], tonumber(ARGV[4]), ARGV[5])
  return 'reused'
end
if seen == tonumber(r[1]) then redis.call('HSET', KEYS[1], 'confirmed', '1', 'lastUsedAt', ARGV[3]) end
return 'confirmed'
`)

/** Takes the index of the record's own user. KEYS: session, feed. ARGV: session id, revocationTtl, channel, must exist, user id or '', prefix of indexes. */
export const REVOKE = script(`
local user = redis.call('HGET', KEYS[1], 'userId')
if not user and ARGV[4] == '1' then return 0 end
if user and ARGV[5] ~= '' and ARGV[5] ~= user then return 0 end
finish(KEYS[1], ARGV[6] .. (user or ARGV[5]), ARGV[1], KEYS[2], tonumber(ARGV[2]), ARGV[3])
return 1
`)

/** Sets the mark first: from here on, no sign-in that began before is kept. KEYS: user's index, user's mark. */
export const MARK_USER = script(`
redis.call('DEL', KEYS[2])
redis.call('SET', KEYS[2], whole(micros), 'PX', ${MARK_LIFE})
return redis.call('ZRANGE', KEYS[1], 0, -1)
`)

/** Returns the ids of the sessions that lived. KEYS: user's index, feed, then the sessions. ARGV: revocationTtl, channel, then the session ids. */
export const REVOKE_MANY = script(`
local ids, ended = { unpack(ARGV, 3) }, {}
for i, id in ipairs(ids) do
  if redis.call('DEL', KEYS[i + 2]) == 1 then ended[#ended + 1] = id end
end
redis.call('ZREM', KEYS[1], unpack(ids))
tell(KEYS[2], tonumber(ARGV[1]), ARGV[2], ids)
return ended
`)

/** KEYS: user's index. */
export const INDEX = script("return redis.call('ZRANGE', KEYS[1], 0, -1)")

/** Reads sessions and removes the ids of missing ones from the index. KEYS: user's index, then the sessions. ARGV: the session ids. */
export const READ_MANY = script(`
local records = {}
for i = 2, #KEYS do
  local r = redis.call('HGETALL', KEYS[i])
  if #r == 0 then redis.call('ZREM', KEYS[1], ARGV[i - 1]) else records[#records + 1] = r end
end
return records
`)

/**
 * Reads a page of the feed; for a full page, also returns the score of its last id and how many ids of that score were read,
 * because the next page begins there.
 * Some of the ids to skip may be forgotten by now. An epoch ends when the caller has seen the clock step, and when nobody has read the feed
 * for as long as it remembers: if the clock has stepped instead, this read would forget too much.
 *
 * KEYS: feed, epoch. ARGV: lowest score, ids to pass over, page size, revocationTtl, id of a new epoch, id of the epoch that is over or ''.
 */
export const REVOKED_SINCE = script(`
local longest = remember(KEYS[2], KEYS[1], ARGV[5], tonumber(ARGV[4]), function (id, readAt, longest)
  return id == ARGV[6] or clock - readAt > longest
end)
redis.pcall('HSET', KEYS[2], 'readAt', whole(clock))
local old = redis.call('ZCOUNT', KEYS[1], '-inf', '(' .. whole(clock - longest))
if old > 0 then redis.call('ZREMRANGEBYRANK', KEYS[1], 0, math.min(old, ${FORGOTTEN}) - 1) end
local skip = math.min(tonumber(ARGV[2]), redis.call('ZCOUNT', KEYS[1], ARGV[1], ARGV[1]))
local ids = redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[1], '(+inf', 'LIMIT', skip, ARGV[3])
local score, passed = '', 0
if #ids == tonumber(ARGV[3]) then
  score = redis.call('ZSCORE', KEYS[1], ids[#ids])
  passed = redis.call('ZRANK', KEYS[1], ids[#ids]) + 1 - redis.call('ZCOUNT', KEYS[1], '-inf', '(' .. score)
end
local info = redis.pcall('INFO', 'server')
local run = type(info) == 'string' and string.match(info, 'run_id:(%w+)') or ''
local epoch = redis.call('HMGET', KEYS[2], 'id', 'since')
return { epoch[1], run, whole(math.max(0, clock - tonumber(epoch[2]))), whole(clock), ids, score, passed }
`)
