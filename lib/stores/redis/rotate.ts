// The table of sessions/decide.ts in Lua, over the packed record of record.ts: one refresh is one atomic step on the server.
import { FLAGS } from './record.ts'
import { FINISH, script, TIME } from './script.ts'

/** Reads what a record carries only sometimes; `at` is where the bytes of the client begin, counted from 1. */
const REST = `
local function rest (record, flags, createdAt)
  local at, authenticatedAt, lifetime, jkt = 94, createdAt, nil, nil
  if flags > 1 then
    if bit.band(flags, ${FLAGS.authenticatedAt}) ~= 0 then authenticatedAt, at = struct.unpack('>I6', record, at) end
    if bit.band(flags, ${FLAGS.lifetime}) ~= 0 then lifetime, at = struct.unpack('>I6', record, at) end
    if bit.band(flags, ${FLAGS.jkt}) ~= 0 then jkt, at = struct.unpack('>Bc0', record, at) end
    if bit.band(flags, ${FLAGS.label}) ~= 0 then at = at + 2 + struct.unpack('>I2', record, at) end
  end
  return at, authenticatedAt, lifetime, jkt
end
`

/**
 * KEYS: session, index of the attempt's user, feed. ARGV: session id, owner, generation, hash of the nonce, now, revocationTtl, rotate, grace,
 * recovery, sliding lifetime ('' when fixed), maxLifetime, client, channel, clockTolerance, '=' and the key's thumbprint ('' for none).
 *
 * Replies with the outcome, the milliseconds since the last rotation ('' when there was none), and, of a granted one, its four numbers; of one
 * that is `reused`, what `finish` returns.
 */
export const ROTATE = script(TIME, FINISH, REST, `
local record = redis.call('GET', KEYS[1])
if not record then
  return { redis.call('ZSCORE', KEYS[3], ARGV[1]) and 'revoked' or 'unknown', '' }
end
local flags, lastUsedAt, generation, parent, rotatedAt, displacedAt, issuedAt, expiresAt, createdAt = struct.unpack('>BI6I4I4I6I6I6I6I6', record)
local presented, now = tonumber(ARGV[3]), math.floor(tonumber(ARGV[5]))
parent = parent - 1
local at, authenticatedAt, lifetime, jkt = rest(record, flags, createdAt)
local since = rotatedAt > 0 and whole(math.max(0, clock - rotatedAt)) or ''

local function reused ()
  return { 'reused', since, finish(KEYS[1], record, ARGV[1], KEYS[2], ARGV[2], KEYS[3], tonumber(ARGV[6]), ARGV[13]) }
end
local function repeated ()
  return { 'repeated', since, whole(generation), whole(issuedAt), whole(expiresAt), whole(authenticatedAt) }
end
local function save (life)
  local saved = struct.pack('>BI6I4I4I6I6I6I6', flags, now, generation, parent + 1, rotatedAt, displacedAt, issuedAt, expiresAt)
    .. string.sub(record, 40, at - 1) .. ARGV[12]
  if life then redis.call('SET', KEYS[1], saved, 'PX', whole(life)) else redis.call('SET', KEYS[1], saved, 'KEEPTTL') end
end
local function next (outcome, from)
  local life
  if ARGV[10] ~= '' then
    local renewed = math.min(tonumber(ARGV[10]), lifetime or math.huge)
    local expires = math.floor(math.min(now + renewed, createdAt + tonumber(ARGV[11])))
    if expires ~= expiresAt then expiresAt, life = expires, expires - now + tonumber(ARGV[6]) end
  end
  if outcome == 'rotated' then parent, displacedAt = from, clock end
  generation, rotatedAt, issuedAt, flags = from + 1, clock, now, flags - flags % 2
  save(life)
  if life then
    redis.call('ZADD', KEYS[2], whole(clock + life), ARGV[1])
    outlive(KEYS[2], life)
  end
  return { outcome, since, whole(generation), whole(issuedAt), whole(expiresAt), whole(authenticatedAt) }
end

if now >= expiresAt + tonumber(ARGV[14]) then return { 'expired', since } end
local bound = jkt ~= nil
if bound and ARGV[15] ~= '=' .. jkt then return { 'unproven', since } end
if string.sub(record, 46, 77) ~= ARGV[4] or string.sub(record, 78, 93) ~= ARGV[2] then
  return bound and { 'unproven', since } or reused()
end
if ARGV[7] == '0' then
  if presented < generation and not bound then return reused() end
  save()
  return repeated()
end
local graceful = since ~= '' and math.abs(clock - rotatedAt) <= tonumber(ARGV[8])
if presented == generation and graceful then return repeated() end
if presented >= generation then return next('rotated', presented) end
local isParent = presented == parent
if (isParent or bound) and graceful then return repeated() end
if now < issuedAt then return { 'late', since } end
if bound then return next('recovered', generation) end
if isParent and flags % 2 == 0 and math.abs(clock - displacedAt) <= tonumber(ARGV[9]) then return next('recovered', generation) end
return reused()
`)

/** Moves authenticatedAt alone. KEYS: session. ARGV: owner, now. */
export const REAUTHENTICATE = script(`
local record = redis.call('GET', KEYS[1])
local now = math.floor(tonumber(ARGV[2]))
if not record or string.sub(record, 78, 93) ~= ARGV[1] then return 0 end
local flags, expiresAt, createdAt = string.byte(record), struct.unpack('>I6I6', record, 34)
if now >= expiresAt then return 0 end
local has = bit.band(flags, ${FLAGS.authenticatedAt})
local behind = string.sub(record, has == 0 and 94 or 100)
local moved = now == createdAt and '' or struct.pack('>I6', now)
flags = flags - has + (moved == '' and 0 or ${FLAGS.authenticatedAt})
redis.call('SET', KEYS[1], struct.pack('>B', flags) .. string.sub(record, 2, 93) .. moved .. behind, 'KEEPTTL')
return 1
`)
