// Tabs that wake together: any number of exchanges that are over within grace, again and again, requests and replies lost among them.
import fc from 'fast-check'
import { ms, step, type Game, type Step } from './game.ts'
import { createWorld, GRACE, refresh, signIn, use } from './world.ts'

interface Draw {
  readonly bursts: ReadonlyArray<{
    readonly pause: number
    /** No reply of this burst gets through. */
    readonly offline: boolean
    readonly exchanges: readonly Step[]
  }>
  readonly pace: readonly number[]
}

/** No exchange is under way when the grace of a rotation runs out: then nobody is logged out. */
export const bursts: Game<Draw> = {
  open: createStore => createWorld(createStore),

  draws: fc.record({
    bursts: fc.array(fc.record({
      pause: fc.oneof(ms(GRACE / 1000, 30), ms(11, 7200)),
      offline: fc.boolean(),
      exchanges: fc.array(step({ wait: ms(0, 5), request: ms(0, 2), reply: ms(0, 2), use: fc.oneof(fc.constant(null), ms(0, 5)) }), { minLength: 2, maxLength: 6 })
    }), { minLength: 2, maxLength: 6 }),
    pace: fc.array(ms(0, 0.4), { maxLength: 5 })
  }),

  async play (world, { bursts, pace }) {
    const { time, store } = world
    store.pace = pace
    let jar = await signIn(world)
    let refusal: string | null = null

    async function exchange (step: Step): Promise<void> {
      await time.sleep(step.wait)
      const answer = await refresh(world, step, jar.refresh_token)
      if (typeof answer === 'string') refusal ??= answer
      if (answer === null || typeof answer === 'string') return
      jar = answer
      if (step.use === null) return
      await time.sleep(step.use)
      refusal ??= use(world, step.process, answer.token)
    }

    for (const { pause, offline, exchanges } of bursts) {
      await time.sleep(pause)
      await Promise.all(exchanges.map(step => exchange(offline ? { ...step, lost: 'reply' } : step)))
    }
    return refusal === null ? null : `tabs were logged out: ${refusal as string}`
  }
}
