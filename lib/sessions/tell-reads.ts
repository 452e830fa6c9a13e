// Each read of the feed of revocations → a message on a diagnostics channel.
import diagnostics from 'node:diagnostics_channel'

/** A read of the feed of revocations, as a message on the diagnostics channel `fastify-dual-token:feed`. */
export interface FeedEvent {
  readonly outcome: 'read' | 'failed'
  /** Milliseconds since the last complete read began; null when there was none. Compare it with `maxStaleness`. */
  readonly age: number | null
  /** How many revoked sessions this process remembers. */
  readonly size: number
  /** How many reads have failed since the process began. */
  readonly failedReads: number
}

const channel = diagnostics.channel('fastify-dual-token:feed')

/**
 * Wraps a read of the feed, so that subscribers of the channel hear of each read.
 *
 * @param age milliseconds; Infinity before the first complete read
 */
export function createTellReads<Values extends unknown[], Result> (
  read: (...values: Values) => Promise<Result>, age: () => number, size: () => number
): (...values: Values) => Promise<Result> {
  let failedReads = 0

  function tell (outcome: FeedEvent['outcome']): void {
    if (!channel.hasSubscribers) return
    const milliseconds = age()
    const event: FeedEvent = { outcome, age: milliseconds === Infinity ? null : milliseconds, size: size(), failedReads }
    channel.publish(Object.freeze(event))
  }

  return async function readAndTell (...values) {
    try {
      const result = await read(...values)
      tell('read')
      return result
    } catch (error) {
      failedReads++
      tell('failed')
      throw error
    }
  }
}
