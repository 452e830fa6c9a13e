// The contract under concurrency: every method is one step, and none interleaves with another on the same session.
import assert from 'node:assert/strict'
import type { Rotation, SessionRecord } from '../sessions/store.ts'
import { assertGranted, GRACE, isGranted, type Setting } from './setting.ts'

const AT_ONCE = 50
const ROUNDS = 100

function times<T> (count: number, step: () => T): T[] {
  return Array.from({ length: count }, step)
}

/** Asserts that one call made the successor and that all others got the same one. */
function assertOneSuccessor (rotations: Rotation[], outcome: 'rotated' | 'recovered', generation: number): void {
  const granted = rotations.filter(isGranted)
  assert.deepEqual(granted.map(({ outcome }) => outcome).sort(), [outcome, ...Array(AT_ONCE - 1).fill('repeated')].sort())
  const successors = new Set(granted.map(({ generation, issuedAt, expiresAt }) => `${generation} ${issuedAt} ${expiresAt}`))
  assert.equal(successors.size, 1)
  assert.equal(granted[0]!.generation, generation)
}

/** Starts the steps at once; each round uses another order. */
async function race (round: number, ...steps: Array<() => Promise<unknown>>): Promise<unknown[]> {
  const shift = round % steps.length
  const rotated = [...steps.slice(shift), ...steps.slice(0, shift)]
  const inOrder = Math.floor(round / steps.length) % 2 === 0 ? rotated : rotated.reverse()
  const results = await Promise.all(inOrder.map(step => step()))
  return steps.map(step => results[inOrder.indexOf(step)])
}

export const raceCases = {
  async '50 refreshes at once make one successor, which is good' ({ create, rotate, pass }: Setting) {
    for (let round = 0; round < 10; round++) {
      const session = await create()
      assertOneSuccessor(await Promise.all(times(AT_ONCE, () => rotate(session, 0))), 'rotated', 1)
      await pass(GRACE + 1, session)
      assertOneSuccessor(await Promise.all(times(AT_ONCE, () => rotate(session, 1))), 'rotated', 2)
    }
  },

  async '50 recoveries at once make one successor, which is good' ({ create, rotate, pass }: Setting) {
    for (let round = 0; round < 10; round++) {
      const session = await create()
      await rotate(session, 0)
      await pass(GRACE + 1, session)
      assertOneSuccessor(await Promise.all(times(AT_ONCE, () => rotate(session, 0))), 'recovered', 2)
      assertGranted(await rotate(session, 2), 'repeated')
    }
  },

  async '50 adoptions at once make one successor, which is good' ({ create, rotate }: Setting) {
    for (let round = 0; round < 10; round++) {
      const session = await create()
      assertOneSuccessor(await Promise.all(times(AT_ONCE, () => rotate(session, 7))), 'rotated', 8)
      assertGranted(await rotate(session, 8), 'repeated')
    }
  },

  async 'parent and child at once, within grace, end with the same token' ({ create, rotate }: Setting) {
    for (let round = 0; round < ROUNDS; round++) {
      const session = await create()
      await rotate(session, 0)
      const rotations = await race(round, () => rotate(session, 0), () => rotate(session, 1)) as Rotation[]
      for (const rotation of rotations) {
        assertGranted(rotation, 'repeated')
        assert.equal(rotation.generation, 1)
      }
    }
  },

  async 'parent and child at once, beyond grace, are a theft: at most one is served, and the session is ended' (setting: Setting) {
    const { create, rotate, pass, assertEnded } = setting
    for (let round = 0; round < ROUNDS; round++) {
      const session = await create()
      await rotate(session, 0)
      await pass(GRACE + 1, session)
      const rotations = await race(round, () => rotate(session, 0), () => rotate(session, 1)) as Rotation[]
      assert.ok(rotations.filter(isGranted).length <= 1, 'at most one is served')
      await assertEnded(session)
    }
  },

  async 'a recovery and an access token of its rival at once are a theft: the session is ended' (setting: Setting) {
    const { create, rotate, confirm, pass, assertEnded } = setting
    for (let round = 0; round < ROUNDS; round++) {
      const session = await create()
      await rotate(session, 0)
      await pass(GRACE + 1, session)
      await race(round, () => rotate(session, 0), () => confirm(session, 1))
      await assertEnded(session)
    }
  },

  async 'a sign-out during refreshes is final' (setting: Setting) {
    await endDuring(setting, session => setting.revoke(session.id))
  },

  async "a sign-out by the user's id during refreshes is final" (setting: Setting) {
    await endDuring(setting, ({ id, userId }) => setting.revoke(id, { userId, mustExist: true }))
  },

  async 'revokeUser during refreshes is final' (setting: Setting) {
    await endDuring(setting, () => setting.revokeUser())
  },

  async 'a theft noticed during refreshes is final' (setting: Setting) {
    await endDuring(setting, session => setting.rotate(session, 0, { nonceHash: '' }))
  },

  async 'revokeUser during sign-ins that began before leaves none of them' ({ store, context, newSession, list, revokeUser }: Setting) {
    for (let round = 0; round < ROUNDS; round++) {
      const signIn = () => store.create(newSession(), { ...context(), elapsed: 30_000 })
      await race(round, signIn, () => revokeUser(), signIn, signIn)
      assert.deepEqual(await list(), [])
    }
  }
}

async function endDuring (setting: Setting, end: (session: SessionRecord) => Promise<unknown>): Promise<void> {
  const { create, rotate, confirm, pass, assertEnded } = setting
  for (let round = 0; round < ROUNDS; round++) {
    const session = await create()
    await rotate(session, 0)
    if (round % 2 === 0) await pass(GRACE + 1, session)
    await race(round, () => rotate(session, 1), () => end(session), () => rotate(session, 1), () => confirm(session, 1))
    await assertEnded(session)
  }
}
