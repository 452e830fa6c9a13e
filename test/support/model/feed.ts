// Revocations that travel to the other process by polls alone, late in the feed or lost with all the store's memory.
import fc from 'fast-check'
import { ms, type Game } from './game.ts'
import { createFallibleWorld, refresh, sessionIn, signIn, use, type FallibleWorld } from './world.ts'

const POLL = 2000

interface Draw {
  /** Sign-ins that end: when, by which process, and how long the store takes until it shows it. */
  readonly logouts: ReadonlyArray<{ readonly after: number, readonly process: number, readonly commit: number }>
  readonly flushAfter: number | null
  readonly pace: readonly number[]
}

interface Kind {
  readonly overlap: number
  readonly commit: fc.Arbitrary<number>
  readonly flush: fc.Arbitrary<number | null>
  /** Seconds. */
  readonly accessLifetime: number
}

function game ({ overlap, commit, flush, accessLifetime }: Kind): Game<Draw, FallibleWorld> {
  return {
    async open () {
      const world = await createFallibleWorld({ pollInterval: POLL / 1000, storeTimeout: '2m' }, `${accessLifetime}s`)
      world.fallible.pushes = false
      world.fallible.overlap = overlap
      return world
    },

    draws: fc.record({
      logouts: fc.array(fc.record({ after: ms(3, 30), process: fc.nat(1), commit }), { minLength: 1, maxLength: 8 }),
      flushAfter: flush,
      pace: fc.array(ms(0, 0.3), { maxLength: 4 })
    }),

    async play (world, { logouts, flushAfter, pace }) {
      const { time, store, fallible, processes } = world
      store.pace = []
      fallible.reset()
      await time.sleep(2 * POLL)
      const pairs = await Promise.all(logouts.map(() => signIn(world)))
      store.pace = pace
      let flaw: string | null = null

      async function leave ({ after, process, commit }: Draw['logouts'][number], index: number): Promise<void> {
        const { token, refresh_token: refreshToken } = pairs[index]!
        await time.sleep(after)
        fallible.commitDelay = commit
        await processes[process]!.dualToken.revokeSession(sessionIn(token))
        if (use(world, process, token) !== 'ACCESS_REVOKED') flaw ??= 'the process that ended a session lets it pass'
        // A poll may be under way, and the next one takes its time, a page after the other.
        await time.sleep(4 * POLL)
        for (const each of [0, 1]) {
          // Whoever has not heard of it knows that the store began anew since: a refresh tells.
          const refusal = use(world, each, token) ?? (flushAfter === null ? 'good' : expiredOrGood(world, each, token))
          if (refusal === 'good') flaw ??= 'a process that has polled lets an ended session pass'
          const answer = await refresh(world, { process: each, request: 0, load: 0, reply: 0, lost: null }, refreshToken)
          if (answer === null || typeof answer !== 'string') flaw ??= 'a token refreshes after the logout'
        }
      }

      async function flush (): Promise<void> {
        if (flushAfter === null) return
        await time.sleep(flushAfter)
        fallible.flush()
      }

      await Promise.all([...logouts.map(leave), flush()])
      // Until no process remembers these sessions any more, and so tells of none in the next game.
      if (flushAfter !== null) await time.sleep((accessLifetime + 60) * 1000 + 2 * POLL)
      return flaw
    }
  }
}

function expiredOrGood ({ processes }: FallibleWorld, process: number, token: string): string {
  try {
    processes[process]!.dualToken.verifyToken(token)
    return 'good'
  } catch {
    return 'ACCESS_EXPIRED'
  }
}

const OVERLAP = 60_000
const LATE = { commit: ms(0, 59), flush: fc.constant(null), accessLifetime: 7200 }

/** Late by less than the minute that stores read back. */
export const lateFeed = game({ ...LATE, overlap: OVERLAP })

/** The same with a store that breaks its contract: it reads on from its cursor. */
export const carelessFeed = game({ ...LATE, overlap: 0 })

export const flushedFeed = game({
  overlap: OVERLAP, commit: fc.constant(0), flush: fc.oneof(fc.constant(null), ms(3, 34)), accessLifetime: 120
})
