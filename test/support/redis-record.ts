// What tests change in the packed record of a session, on the server and in one step.
import type { Redis } from 'ioredis'
import { createPlaces, ownerOf, type PlacesOptions } from '../../lib/stores/redis/places.ts'
import type { UserId } from '../../lib/index.ts'

const AGE = `
local record = redis.call('GET', KEYS[1])
if not record then return end
local rotatedAt, displacedAt = struct.unpack('>I6I6', record, 16)
local function aged (instant) return instant > 0 and instant - tonumber(ARGV[1]) or 0 end
redis.call('SETRANGE', KEYS[1], 15, struct.pack('>I6I6', aged(rotatedAt), aged(displacedAt)))
`
const ADVANCE = "redis.call('SETRANGE', KEYS[1], 7, struct.pack('>I4', ARGV[1]))"
const FLAGS = "return string.byte(redis.call('GETRANGE', KEYS[1], 0, 0))"

/** The client of a server, of whatever library, by its ability to run a script. */
type Scripts = Pick<Redis, 'eval'>

/** The keys of a store that has been given the same options. */
export function keysFor (options: PlacesOptions = {}) {
  const places = createPlaces(options, false)
  const { feed, epoch } = places.shards[0]!
  return {
    feed,
    epoch,
    channel: places.channel,
    session: (id: string) => places.ofSession(id).session(id),
    index: (userId: UserId) => places.ofUser(ownerOf(userId)).index(ownerOf(userId)),
    mark: (userId: UserId) => places.ofUser(ownerOf(userId)).mark(ownerOf(userId))
  }
}

/** As if a session had been rotated so much earlier. */
export async function backdate (client: Scripts, key: string, milliseconds: number): Promise<void> {
  await client.eval(AGE, 1, key, milliseconds)
}

export async function setGeneration (client: Scripts, key: string, generation: number): Promise<void> {
  await client.eval(ADVANCE, 1, key, generation)
}

export async function isConfirmed (client: Scripts, key: string): Promise<boolean> {
  return Number(await client.eval(FLAGS, 1, key)) % 2 === 1
}
