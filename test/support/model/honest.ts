// An honest client with one refresh in flight: however often requests and replies are lost, it stays signed in.
import fc from 'fast-check'
import type { Game, Step } from './game.ts'
import { ms, PAUSE, step } from './game.ts'
import { liveGenerations } from './live.ts'
import { createFallibleWorld, generationIn, RECOVERY, refresh, sessionIn, signIn, use, type FallibleWorld } from './world.ts'

interface Draw {
  readonly steps: ReadonlyArray<Step & { readonly storeLoses: boolean }>
  readonly pace: readonly number[]
}

const LONG_PAUSE = fc.oneof({ weight: 3, arbitrary: PAUSE }, ms(3600, 30 * 3600))

export const honestClient: Game<Draw, FallibleWorld> = {
  open: () => createFallibleWorld(),

  draws: fc.record({
    steps: fc.array(
      fc.record({ step: step({ wait: LONG_PAUSE, load: ms(0, 20) }), storeLoses: fc.nat(9).map(n => n === 0) })
        .map(({ step, storeLoses }) => ({ ...step, storeLoses })),
      { minLength: 2, maxLength: 12 }),
    // A call that takes longer than a second is answered 503, but it must not arrive after that.
    pace: fc.array(ms(0, 0.9), { maxLength: 5 })
  }),

  async play (world, { steps, pace }) {
    const { time, store, fallible } = world
    store.pace = pace
    let jar = await signIn(world)
    const sid = sessionIn(jar.token)
    let loses = false
    let ended = false
    let flaw: string | null = null

    async function useLater (delay: number, process: number, token: string): Promise<void> {
      await time.sleep(delay)
      const refusal = use(world, process, token)
      if (refusal !== null && !ended) flaw ??= `an honest client's access token was refused: ${refusal}`
    }

    for (const step of steps) {
      await time.sleep(step.wait)
      if (step.storeLoses) {
        fallible.loseLastWrite(sid)
        loses = true
      }
      const answer = await refresh(world, step, jar.refresh_token)
      const turns = store.turnsOf(sid)
      const last = turns.at(-1)
      if (last !== undefined) {
        const displaced = turns.find(({ outcome, presented }) => outcome === 'rotated' && presented === last.presented)
        const since = displaced === undefined ? 0 : last.at - displaced.at
        if (last.outcome === 'reused' && since <= RECOVERY) flaw ??= 'an honest client was logged out'
        if (last.outcome === 'recovered' && since > RECOVERY && !loses) flaw ??= 'a lost reply was recovered too late'
        if (turns[0]!.outcome !== 'rotated') flaw ??= "the login's own token was not rotated"
      }
      if (flaw !== null) return flaw
      if (typeof answer === 'string' || last?.outcome === 'reused') {
        ended = true
        if (last?.outcome === 'reused') return null
        return `an honest client was refused: ${answer as string}`
      }
      flaw ??= liveGenerations(fallible.peek(sid)!, turns, time.now())
      if (answer === null) continue
      if (generationIn(answer.refresh_token) < generationIn(jar.refresh_token)) flaw ??= 'a refresh gave an older token'
      jar = answer
      if (step.use !== null) useLater(step.use, step.process, jar.token)
    }
    return flaw
  }
}
