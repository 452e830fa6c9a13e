// The Lua text of a step → a script, with the functions it shares with others.
import { createHash } from 'node:crypto'

export interface Script {
  readonly text: string
  readonly sha: string
}

/** How many revocations one read of the feed forgets at most; they take a few milliseconds of the server's time. */
export const FORGOTTEN = 10_000

/** How long a `revokeUser` refuses sign-ins that began before it, in milliseconds. */
export const MARK_LIFE = 60_000

/** `%.0f` writes numbers, because Lua would round microseconds to fourteen digits. */
export const TIME = `
local time = redis.call('TIME')
local micros = time[1] * 1000000 + time[2]
local clock = math.floor(micros / 1000)
local function whole (number) return string.format('%.0f', number) end
local function outlive (key, ms)
  if redis.call('PTTL', key) < ms then redis.call('PEXPIRE', key, whole(ms)) end
end
`

/** Replies carry bytes as hexadecimal digits, because most clients decode replies as UTF-8. */
export const HEX = `
local function hex (bytes)
  local parts = {}
  for i = 1, #bytes, 1000 do
    local part = string.sub(bytes, i, i + 999)
    parts[#parts + 1] = string.format(string.rep('%02x', #part), string.byte(part, 1, -1))
  end
  return table.concat(parts)
end
`

export const TELL = `
local function tell (feed, revocationTtl, channel, ids)
  for _, id in ipairs(ids) do redis.call('ZADD', feed, 'NX', whole(clock), id) end
  outlive(feed, revocationTtl)
  redis.pcall('PUBLISH', channel, table.concat(ids, ' '))
end
`

/**
 * A script that ends a session deletes first: a full server refuses the first command that needs memory, but no command after a write.
 *
 * `finish` returns the session's owner when the index is another's, or none, so that the caller takes the id out of the owner's index.
 */
export const FINISH = `${HEX}${TELL}
local function finish (session, record, id, index, owner, feed, revocationTtl, channel)
  redis.call('DEL', session)
  local kept = record and string.sub(record, 78, 93)
  local isOwn = not kept or kept == owner
  if isOwn and index then redis.call('ZREM', index, id) end
  tell(feed, revocationTtl, channel, { id })
  return isOwn and '' or hex(kept)
end
`

/**
 * `remember` begins a new epoch when the feed or the epoch's key is lost: the feed carries the id of its epoch, with the score `+inf`.
 * It returns the longest `revocationTtl` of all processes that share the store, which no process may undercut; a process that has stopped
 * counts until its tokens have expired. Its optional writes use `pcall`, so that a full server does not fail a poll.
 */
export const REMEMBER = `
local function begin (epoch, feed, id)
  redis.call('DEL', epoch)
  redis.call('HSET', epoch, 'id', id, 'since', whole(clock))
  redis.call('ZREMRANGEBYSCORE', feed, '+inf', '+inf')
  redis.call('ZADD', feed, '+inf', id)
end
local function remember (epoch, feed, id, revocationTtl, isOver)
  local known = redis.call('HMGET', epoch, 'id', 'since', 'revocationTtl', 'keepUntil', 'readAt')
  local longest = math.max(revocationTtl, clock < tonumber(known[4] or 0) and tonumber(known[3]) or 0)
  if not known[1] or not redis.call('ZSCORE', feed, known[1]) or isOver(known[1], tonumber(known[5] or clock), longest) then
    begin(epoch, feed, id)
  elseif tonumber(known[2]) > clock then
    redis.pcall('HSET', epoch, 'since', whole(clock))
  end
  if revocationTtl == longest then redis.pcall('HSET', epoch, 'revocationTtl', whole(revocationTtl), 'keepUntil', whole(clock + revocationTtl)) end
  outlive(epoch, longest * 2)
  outlive(feed, longest * 2)
  return longest
end
`

export function script (...parts: string[]): Script {
  const text = parts.join('')
  return { text, sha: createHash('sha1').update(text).digest('hex') }
}
