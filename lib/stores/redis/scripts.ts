// The other Lua scripts of the Redis store, one per operation: each is one atomic step on the server, timed by its clock, and names its keys.
import { FLAGS } from './record.ts'
import { FINISH, FORGOTTEN, HEX, MARK_LIFE, REMEMBER, script, TELL, TIME } from './script.ts'

/**
 * A mark in the future was made before the clock stepped back: it counts as made now, so that it refuses no later sign-in.
 *
 * At a limit, `decideLimit` decides. It needs the user's sessions, whose keys the caller must name: when the index has one that is not named,
 * nothing is written and the reply is the index, to be called with.
 *
 * KEYS: session, user's index, user's mark, epoch, feed, then the user's sessions. ARGV: elapsed µs, time to live, revocationTtl, epoch id,
 * session id, record, channel, now, most sessions ('' for any number), 1 to refuse, then the ids of the user's sessions.
 *
 * Replies with `barred` when the user was revoked, `refused` at the limit, `name` and the index, or `kept` and the ids of the ended sessions.
 */
export const CREATE = script(TIME, TELL, REMEMBER, `
local mark = tonumber(redis.call('GET', KEYS[3]) or 0)
if mark > micros then
  mark = micros
  redis.call('SET', KEYS[3], whole(mark), 'PX', ${MARK_LIFE})
end
if micros - tonumber(ARGV[1]) < mark then return { 'barred' } end

local keys, ended = {}, {}
local most = tonumber(ARGV[9])
if most and redis.call('ZCARD', KEYS[2]) >= most then
  local ids, living = redis.call('ZRANGE', KEYS[2], 0, -1), {}
  for i = 11, #ARGV do keys[ARGV[i]] = KEYS[i - 5] end
  for i, id in ipairs(ids) do
    if not keys[id] then
      table.insert(ids, 1, 'name')
      return ids
    end
    local record = redis.call('GET', keys[id])
    if record then
      local lastUsedAt, expiresAt, createdAt = struct.unpack('>I6', record, 2), struct.unpack('>I6I6', record, 34)
      if tonumber(ARGV[8]) < expiresAt then living[#living + 1] = { id, lastUsedAt, createdAt, i } end
    end
  end
  local excess = #living + 1 - most
  if excess > 0 and ARGV[10] == '1' then return { 'refused' } end
  table.sort(living, function (a, b)
    for i = 2, 3 do if a[i] ~= b[i] then return a[i] < b[i] end end
    return a[4] < b[4]
  end)
  for i = 1, excess do ended[i] = living[i][1] end
end

local life = tonumber(ARGV[2])
redis.call('SET', KEYS[1], ARGV[6], 'PX', whole(life))
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', '(' .. whole(clock))
redis.call('ZADD', KEYS[2], whole(clock + life), ARGV[5])
outlive(KEYS[2], life)
remember(KEYS[4], KEYS[5], ARGV[4], tonumber(ARGV[3]), function () return false end)
for _, id in ipairs(ended) do
  redis.call('DEL', keys[id])
  redis.call('ZREM', KEYS[2], id)
end
if #ended > 0 then tell(KEYS[5], tonumber(ARGV[3]), ARGV[7], ended) end
table.insert(ended, 1, 'kept')
return ended
`)

/** KEYS: session, feed. ARGV: session id, generation, now, revocationTtl, channel. Replies with the outcome and, when it is `reused`, the owner. */
export const CONFIRM = script(TIME, FINISH, `
local record = redis.call('GET', KEYS[1])
if not record then return { 'unknown' } end
local flags, lastUsedAt, generation, parent = struct.unpack('>BI6I4I4', record)
local seen = tonumber(ARGV[2])
if seen >= parent and seen < generation and bit.band(flags, ${FLAGS.jkt}) == 0 then
  return { 'reused', finish(KEYS[1], record, ARGV[1], nil, '', KEYS[2], tonumber(ARGV[4]), ARGV[5]) }
end
if seen == generation then
  redis.call('SETRANGE', KEYS[1], 0, struct.pack('>BI6', bit.bor(flags, ${FLAGS.confirmed}), math.floor(tonumber(ARGV[3]))))
end
return { 'confirmed' }
`)

/**
 * KEYS: session, feed, index of the expected owner (when one is expected). ARGV: session id, revocationTtl, channel, must exist, expected owner or ''.
 * Replies with whether it was added to the feed, and what `finish` returns.
 */
export const REVOKE = script(TIME, FINISH, `
local record = redis.call('GET', KEYS[1])
if not record and ARGV[4] == '1' then return { 0 } end
if record and ARGV[5] ~= '' and ARGV[5] ~= string.sub(record, 78, 93) then return { 0 } end
return { 1, finish(KEYS[1], record, ARGV[1], KEYS[3], ARGV[5], KEYS[2], tonumber(ARGV[2]), ARGV[3]) }
`)

/** Takes an ended session out of its user's index, where no step could name that. KEYS: user's index. ARGV: session id. */
export const TIDY = script("return redis.call('ZREM', KEYS[1], ARGV[1])")

/** Sets the mark first: from here on, no sign-in that began before is kept. KEYS: user's index, user's mark. */
export const MARK_USER = script(TIME, `
redis.call('DEL', KEYS[2])
redis.call('SET', KEYS[2], whole(micros), 'PX', ${MARK_LIFE})
return redis.call('ZRANGE', KEYS[1], 0, -1)
`)

/** Returns the ids of the sessions that lived. KEYS: user's index, feed, then the sessions. ARGV: revocationTtl, channel, then the session ids. */
export const REVOKE_MANY = script(TIME, TELL, `
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

/**
 * Reads sessions and removes the ids of missing ones from the index. KEYS: user's index, then the sessions. ARGV: the session ids. Replies with
 * ids and records in turn.
 */
export const READ_MANY = script(HEX, `
local records = {}
for i, id in ipairs(ARGV) do
  local record = redis.call('GET', KEYS[i + 1])
  if not record then
    redis.call('ZREM', KEYS[1], id)
  else
    records[#records + 1] = id
    records[#records + 1] = hex(record)
  end
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
export const REVOKED_SINCE = script(TIME, REMEMBER, `
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

/**
 * Keeps the number of shards, unless one is kept, and returns the one that is. A full server does not fail the boot.
 * KEYS: the number. ARGV: number, time to live.
 */
export const OPEN = script(`
local kept = redis.call('GET', KEYS[1])
if kept then redis.pcall('PEXPIRE', KEYS[1], ARGV[2]) else redis.pcall('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
return kept or ARGV[1]
`)
