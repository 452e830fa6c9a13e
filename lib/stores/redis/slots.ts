// A number of shards → one hash tag for each, so that a Redis Cluster spreads them evenly over its slots.

const SLOTS = 16_384
/** How far a tag's slot may lie from the middle of its part of the slots, in parts of that part. */
const NEARNESS = 1 / 20

/**
 * Returns the tags of `count` shards: the slot of tag i lies in the middle of the i-th of `count` equal parts of all slots. Clusters give each
 * node a run of neighbouring slots, so that each node gets its share of the shards.
 */
export function tagsOf (count: number): string[] {
  const width = SLOTS / count
  return Array.from({ length: count }, (_, i) => tagNear((i + 0.5) * width, width * NEARNESS))
}

function tagNear (slot: number, distance: number): string {
  let number = 0
  while (Math.abs(slotOf(number.toString(36)) - slot) > distance) number++
  return number.toString(36)
}

/** The slot of a hash tag: CRC16 (XMODEM) of its bytes, modulo 16,384, as the Redis Cluster specification says. */
export function slotOf (tag: string): number {
  let crc = 0
  for (const byte of Buffer.from(tag)) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021
    crc &= 0xffff
  }
  return crc % SLOTS
}
