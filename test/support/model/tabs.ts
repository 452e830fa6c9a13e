// Several tabs of one browser on one cookie jar: whoever is answered last writes it.
import fc from 'fast-check'
import { ms, NOTHING_LOST, step, type Game, type Step, type StepRange } from './game.ts'
import { createWorld, expiryOf, GRACE, refresh, sessionIn, signIn, use, type World } from './world.ts'

/** Logged out, and an exchange or a series of tries was under way when the grace of a rotation ran out. */
export const EXCUSED = 'tabs were logged out at the edge of grace'

interface Draw {
  /** A list of steps for each of three tabs. */
  readonly tabs: ReadonlyArray<readonly Step[]>
  readonly pace: readonly number[]
}

/** From a tab's first try to its answer. */
interface Span {
  readonly from: number
  readonly to: number
}

function tabs (range: StepRange, pace: fc.Arbitrary<number>): fc.Arbitrary<Draw> {
  return fc.record({
    tabs: fc.array(fc.array(step(range), { minLength: 4, maxLength: 10 }), { minLength: 3, maxLength: 3 }),
    pace: fc.array(pace, { maxLength: 5 })
  })
}

interface Habits {
  /** Tabs ask only when the access token in the jar has run out. */
  readonly patient: boolean
  /** Whether a logout may be put down to this. */
  readonly excused: (spans: readonly Span[], rotations: readonly number[]) => boolean
}

async function play (world: World, { tabs, pace }: Draw, { patient, excused }: Habits): Promise<string | null> {
  const { time, store } = world
  store.pace = pace
  let jar = await signIn(world)
  const sid = sessionIn(jar.token)
  const spans: Span[] = []
  let refusal: string | null = null

  await Promise.all(tabs.map(async steps => {
    let from: number | null = null
    for (const step of steps) {
      if (patient) await time.sleep(expiryOf(jar.token) - time.now())
      await time.sleep(step.wait)
      if (refusal !== null) return
      if (patient && time.now() < expiryOf(jar.token)) continue
      from ??= time.now()
      const answer = await refresh(world, step, jar.refresh_token)
      if (typeof answer === 'string') refusal ??= answer
      spans.push({ from, to: time.now() })
      if (answer === null || typeof answer === 'string') continue
      from = null
      jar = answer
      if (step.use === null) continue
      await time.sleep(step.use)
      refusal ??= use(world, step.process, answer.token)
    }
  }))

  if (refusal === null) return null
  const rotations = store.turnsOf(sid).flatMap(({ outcome, at }) => outcome === 'rotated' || outcome === 'recovered' ? [at] : [])
  return excused(spans, rotations) ? EXCUSED : `tabs were logged out: ${refusal as string}`
}

/**
 * The slowest request and the slowest reply together take less than grace, nothing is lost, and a tab asks only when the
 * access token in the jar has run out: all who ask with the same token are answered within grace.
 */
export const promptTabs: Game<Draw> = {
  open: createStore => createWorld(createStore),
  draws: tabs({
    wait: fc.oneof(ms(0, 5), ms(0, 15)),
    request: ms(0, 4),
    load: ms(0, 0.5),
    reply: ms(0, 4.7),
    lost: NOTHING_LOST
  }, ms(0, 0.3)),
  play: (world, draw) => play(world, draw, { patient: true, excused: () => false })
}

/** Requests and replies are lost, and tabs ask when they like and try again, often across the edge of grace. */
export const busyTabs: Game<Draw> = {
  open: createStore => createWorld(createStore),
  draws: tabs({ wait: fc.oneof(ms(0, 4), ms(0, 15), ms(0, 60)) }, ms(0, 0.4)),
  play: (world, draw) => play(world, draw, {
    patient: false,
    excused: (spans, rotations) => rotations.some(at => spans.some(({ from, to }) => from <= at + GRACE && at + GRACE <= to))
  })
}
