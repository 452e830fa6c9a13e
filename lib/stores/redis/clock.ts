// The server's clock at each read of the feed → whether it has stepped: gone on by more or less than our own monotonic time.

/** As far as it may step unnoticed: each read of the feed starts so much earlier, and revocations are kept so much longer. */
const TOLERANCE = 60_000

/**
 * @param clock the server's clock when it answered, in milliseconds
 * @param sentAt the moment, by `performance.now()`, at which it was asked; it answered between then and now
 * @returns true when it has stepped within one epoch: what the feed remembers then cannot be told from what it has forgotten
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
