// The server's clock at each read of the feed → whether it has stepped, compared with our monotonic time.

/** A smaller step does no harm: each read of the feed starts this much earlier, and revocations are kept this much longer. */
const TOLERANCE = 60_000

/**
 * @param clock the server's clock when it answered, in milliseconds
 * @param sentAt the moment, by `performance.now()`, at which the read was sent; the server answered between then and now
 * @returns true when the clock has stepped within one epoch, so that the feed may have forgotten too much
 */
export type ClockWatch = (clock: number, sentAt: number, epochId: string) => boolean

export function createClockWatch (): ClockWatch {
  let last = { clock: 0, sentAt: 0, receivedAt: 0, epochId: '' }

  return function hasStepped (clock, sentAt, epochId) {
    const receivedAt = performance.now()
    const before = last
    last = { clock, sentAt, receivedAt, epochId }
    if (before.epochId !== epochId) return false
    const passed = clock - before.clock
    return passed > receivedAt - before.sentAt + TOLERANCE || passed < sentAt - before.receivedAt - TOLERANCE
  }
}
