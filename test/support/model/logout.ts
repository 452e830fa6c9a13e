// A logout amid refreshes: once it is answered, nothing of the session works any more.
import fc from 'fast-check'
import { ms, step, type Game, type Step } from './game.ts'
import { ACCESS_LIFETIME, createWorld, refresh, sessionIn, signIn, use } from './world.ts'

interface Draw {
  readonly clients: ReadonlyArray<readonly Step[]>
  readonly after: number
  readonly process: number
  readonly pace: readonly number[]
}

const PROMPT = { request: 0, load: 0, reply: 0, lost: null }

export const logout: Game<Draw> = {
  open: createStore => createWorld(createStore),

  draws: fc.record({
    clients: fc.array(fc.array(step({ wait: ms(0, 1), request: ms(0, 0.5), load: ms(0, 0.5), reply: fc.constant(0) }), { minLength: 2, maxLength: 5 }), { minLength: 1, maxLength: 4 }),
    after: ms(0, 5),
    process: fc.nat(1),
    // Refreshes and the logout overtake each other on the way back from the store.
    pace: fc.array(ms(0, 0.49), { minLength: 2, maxLength: 7 })
  }),

  async play (world, draw) {
    const { time, store, processes } = world
    store.pace = draw.pace
    const first = await signIn(world)
    const sid = sessionIn(first.token)
    const pairs = [first]
    let over = false
    let flaw: string | null = null

    async function live (steps: readonly Step[]): Promise<void> {
      let jar = first
      for (const step of steps) {
        await time.sleep(step.wait)
        const late = over
        const answer = await refresh(world, step, jar.refresh_token)
        if (answer === null || typeof answer === 'string') continue
        jar = answer
        pairs.push(answer)
        if (late) flaw ??= 'a token was refreshed after the logout'
        if (over && step.process === draw.process) flaw ??= 'the process that ended a session answered a refresh with new tokens'
      }
    }

    async function leave (): Promise<void> {
      await time.sleep(draw.after)
      over = await processes[draw.process]!.dualToken.revokeSession(sid)
      flaw ??= await refusals([draw.process])
    }

    async function refusals (asked: readonly number[]): Promise<string | null> {
      for (const { token, refresh_token: refreshToken } of [...pairs]) {
        for (const process of asked) {
          const refusal = use(world, process, token)
          if (refusal !== 'ACCESS_REVOKED' && expires > time.now()) return `after the logout an access token is ${refusal ?? 'good'}`
        }
        for (const process of [0, 1]) {
          const answer = await refresh(world, { ...PROMPT, process }, refreshToken)
          if (answer !== null && typeof answer !== 'string') return 'a token refreshes after the logout'
        }
      }
      return null
    }

    const expires = time.now() + ACCESS_LIFETIME - 60_000
    await Promise.all([...draw.clients.map(live), leave()])
    flaw ??= await refusals([0, 1])
    await time.sleep(2 * ACCESS_LIFETIME)
    return flaw ?? await refusals([0, 1])
  }
}
