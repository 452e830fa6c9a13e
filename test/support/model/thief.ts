// An owner, and a thief who copies the jar at some moment and acts when he likes.
import fc from 'fast-check'
import { ms, step, type Game, type Step } from './game.ts'
import { liveGenerations } from './live.ts'
import { createFallibleWorld, generationIn, GRACE, refresh, sessionIn, signIn, use, type FallibleWorld } from './world.ts'
import type { PairReply } from '../../../lib/tokens/types.ts'

interface Draw {
  readonly owner: readonly Step[]
  readonly thief: readonly Step[]
  readonly copiesAfter: number
  readonly pace: readonly number[]
}

interface Party {
  jar: PairReply
  /** New refresh tokens it has got since both held the same one. */
  alone: number
  works: boolean
}

const PROMPT = { process: 0, request: 0, load: 0, reply: 0, lost: null }

/**
 * From the moment at which owner and thief hold different tokens, one of the two gets at most one more. Only a thief who
 * refreshes within grace of each of the owner's rotations holds the same token again.
 */
export const thief: Game<Draw, FallibleWorld> = {
  open: () => createFallibleWorld(),

  draws: fc.record({
    owner: fc.array(step(), { minLength: 1, maxLength: 8 }),
    thief: fc.array(step(), { minLength: 1, maxLength: 8 }),
    copiesAfter: fc.oneof(ms(0, 20), ms(0, 7200)),
    pace: fc.array(ms(0, 0.9), { maxLength: 5 })
  }),

  async play (world, draw) {
    const { time, store, fallible } = world
    store.pace = draw.pace
    const owner: Party = { jar: await signIn(world), alone: 0, works: true }
    const sid = sessionIn(owner.jar.token)
    const thief: Party = { jar: owner.jar, alone: 0, works: false }
    let caught = false
    let flaw: string | null = null

    async function act (party: Party, other: Party, step: Step): Promise<void> {
      const answer = await refresh(world, step, party.jar.refresh_token)
      const record = fallible.peek(sid)
      if (record === null) caught = true
      else if (store.turnsOf(sid).some(({ outcome }) => outcome === 'reused')) flaw ??= 'a theft was seen and the session goes on'
      else flaw ??= liveGenerations(record, store.turnsOf(sid), time.now())
      if (typeof answer === 'string') party.works = false
      if (answer === null || typeof answer === 'string') return
      if (generationIn(answer.refresh_token) !== generationIn(party.jar.refresh_token)) party.alone++
      party.jar = answer
      if (generationIn(owner.jar.refresh_token) === generationIn(thief.jar.refresh_token)) owner.alone = thief.alone = 0
      if (thief.works && Math.min(owner.alone, thief.alone) > 1) flaw ??= 'thief and owner both kept working'
      if (step.use === null) return
      await time.sleep(step.use)
      if (use(world, step.process, answer.token) !== null) party.works = false
    }

    async function live (party: Party, other: Party, steps: readonly Step[]): Promise<void> {
      for (const step of steps) {
        await time.sleep(step.wait)
        if (!party.works) return
        await act(party, other, step)
      }
    }

    async function steal (): Promise<void> {
      await time.sleep(draw.copiesAfter)
      Object.assign(thief, { jar: owner.jar, alone: 0, works: true })
      owner.alone = 0
      await live(thief, owner, draw.thief)
    }

    await Promise.all([live(owner, thief, draw.owner), steal()])
    if (flaw !== null) return flaw

    store.pace = []
    // In the end both try to go on, in turn, never within grace of each other.
    for (let round = 0; round < 2; round++) {
      for (const [party, other] of [[owner, thief], [thief, owner]] as const) {
        await time.sleep(GRACE + 1)
        await act(party, other, { ...PROMPT, wait: 0, use: 0 })
      }
    }
    if (owner.works && thief.works) return 'thief and owner both work in the end'
    if (caught && (owner.works || thief.works)) return 'a session that was ended works'
    return flaw
  }
}
