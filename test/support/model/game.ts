// What is drawn for a game, and the games' common shape.
import fc from 'fast-check'
import type { SessionStore } from '../../../lib/sessions/store.ts'
import { GRACE, type Exchange, type World } from './world.ts'

/** A family of random games with a rule that must hold in each. */
export interface Game<Draw, Place extends World = World> {
  /** @param createStore makes the store that all processes share, where the game needs none of its own */
  open (createStore: () => SessionStore): Promise<Place>
  readonly draws: fc.Arbitrary<Draw>
  /** @returns how the rule was broken, or null */
  play (world: Place, draw: Draw): Promise<string | null>
}

/** A refresh by a client: it waits, asks, and sooner or later or never uses the access token it gets. */
export interface Step extends Exchange {
  readonly wait: number
  readonly use: number | null
}

export function ms (min: number, max: number): fc.Arbitrary<number> {
  return fc.integer({ min: Math.round(min * 1000), max: Math.round(max * 1000) })
}

/** Soon, at the edge of grace, or when the access token has run out. */
export const PAUSE = fc.oneof(ms(0, 4), ms(GRACE / 1000 - 2, GRACE / 1000 + 2), ms(11, 7200))

export interface StepRange {
  readonly wait?: fc.Arbitrary<number>
  readonly request?: fc.Arbitrary<number>
  readonly load?: fc.Arbitrary<number>
  readonly reply?: fc.Arbitrary<number>
  readonly lost?: fc.Arbitrary<Exchange['lost']>
  readonly use?: fc.Arbitrary<number | null>
}

export const NOTHING_LOST: fc.Arbitrary<null> = fc.constant(null)

export function step ({
  wait = PAUSE,
  request = ms(0, 3),
  load = fc.constant(0),
  reply = ms(0, 3),
  lost = fc.oneof({ weight: 3, arbitrary: NOTHING_LOST }, fc.constantFrom('request' as const, 'reply' as const)),
  use = fc.oneof(fc.constant(0), fc.constant(null), ms(0, 30))
}: StepRange = {}): fc.Arbitrary<Step> {
  return fc.record({ wait, request, load, reply, lost, use, process: fc.nat(1) })
}
