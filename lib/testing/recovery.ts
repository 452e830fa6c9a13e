// The contract of recovery and confirmation: a lost reply, and the sign that it was not lost.
import assert from 'node:assert/strict'
import type { SessionRecord } from '../sessions/store.ts'
import { assertGranted, GRACE, RECOVERY, type Setting } from './setting.ts'

/** A session rotated once, beyond grace; the holder of token 0 never got the reply. */
async function createLost ({ create, rotate, pass }: Setting): Promise<SessionRecord> {
  const session = await create()
  await rotate(session, 0)
  await pass(GRACE + 1, session)
  return session
}

export const recoveryCases = {
  async 'the parent after grace is recovered, when its successor was never seen in use' (setting: Setting) {
    const { rotate, read, context } = setting
    const session = await createLost(setting)
    const before = await read(session)
    const rotation = await rotate(session, 0)
    assertGranted(rotation, 'recovered')
    const { now } = context()
    assert.deepEqual([rotation.generation, rotation.issuedAt, rotation.expiresAt], [2, now, session.expiresAt])
    const after = await read(session)
    assert.deepEqual(after, { ...before, generation: 2, rotatedAt: after.rotatedAt, issuedAt: now, lastUsedAt: now })
    assert.ok(after.rotatedAt > before.rotatedAt, 'grace begins anew')
  },

  async 'a recovery can be lost too: the parent recovers again and again' (setting: Setting) {
    const { rotate, pass } = setting
    const session = await createLost(setting)
    for (let generation = 2; generation < 6; generation++) {
      const rotation = await rotate(session, 0)
      assertGranted(rotation, 'recovered')
      assert.equal(rotation.generation, generation)
      await pass(GRACE + 1, session)
    }
  },

  async 'after a recovery the parent is repeated within grace: the same successor, and nothing is written' (setting: Setting) {
    const { rotate, read, pass, within, assertUntouched } = setting
    for (const span of within(GRACE)) {
      const session = await createLost(setting)
      const first = await rotate(session, 0)
      assertGranted(first, 'recovered')
      await pass(span, session)
      const before = await read(session)
      const again = await rotate(session, 0)
      assertGranted(again, 'repeated')
      assert.deepEqual([again.generation, again.issuedAt, again.expiresAt], [first.generation, first.issuedAt, first.expiresAt])
      await assertUntouched(before)
    }
  },

  async 'the parent is recovered until the end of recovery, counted from its own rotation' (setting: Setting) {
    const { create, rotate, pass, within } = setting
    for (const span of within(RECOVERY).filter(span => span > GRACE)) {
      const session = await create()
      await rotate(session, 0)
      await pass(span, session)
      assertGranted(await rotate(session, 0), 'recovered')
    }
  },

  async 'the parent after recovery ends the session' ({ create, rotate, pass, assertEnded }: Setting) {
    const session = await create()
    await rotate(session, 0)
    await pass(RECOVERY + 1, session)
    assert.equal((await rotate(session, 0)).outcome, 'reused')
    await assertEnded(session)
  },

  async 'a recovery does not extend recovery' ({ create, rotate, pass, assertEnded }: Setting) {
    const session = await create()
    await rotate(session, 0)
    await pass(RECOVERY - GRACE, session)
    assertGranted(await rotate(session, 0), 'recovered')
    await pass(GRACE + 1, session)
    assert.equal((await rotate(session, 0)).outcome, 'reused')
    await assertEnded(session)
  },

  async 'without recovery the parent after grace ends the session' (setting: Setting) {
    const session = await createLost(setting)
    assert.equal((await setting.rotate(session, 0, { recovery: 0 })).outcome, 'reused')
    await setting.assertEnded(session)
  },

  async 'a refresh token that a recovery displaced ends the session, within grace too' (setting: Setting) {
    const session = await createLost(setting)
    await setting.rotate(session, 0)
    assert.equal((await setting.rotate(session, 1)).outcome, 'reused')
    await setting.assertEnded(session)
  },

  async 'an access token that a recovery displaced ends the session' (setting: Setting) {
    const { rotate, confirm, pass, assertEnded } = setting
    const session = await createLost(setting)
    await rotate(session, 0)
    await pass(GRACE + 1, session)
    await rotate(session, 0)
    for (const displaced of [1, 2]) {
      const other = await createLost(setting)
      await rotate(other, 0)
      await pass(GRACE + 1, other)
      await rotate(other, 0)
      assert.equal(await confirm(other, displaced), 'reused', `generation ${displaced}`)
      await assertEnded(other)
    }
    assert.equal(await confirm(session, 3), 'confirmed')
  },

  async 'a confirmation closes recovery' (setting: Setting) {
    const session = await createLost(setting)
    assert.equal(await setting.confirm(session, 1), 'confirmed')
    assert.equal((await setting.rotate(session, 0)).outcome, 'reused')
    await setting.assertEnded(session)
  },

  async 'a confirmation is of one generation: the next one can be recovered' (setting: Setting) {
    const { rotate, confirm, pass } = setting
    const session = await createLost(setting)
    await confirm(session, 1)
    await rotate(session, 1)
    await pass(GRACE + 1, session)
    const rotation = await rotate(session, 1)
    assertGranted(rotation, 'recovered')
    assert.equal(rotation.generation, 3)
  },

  async 'a confirmation of a recovered generation closes recovery' (setting: Setting) {
    const { rotate, confirm, pass, assertEnded } = setting
    const session = await createLost(setting)
    await rotate(session, 0)
    await confirm(session, 2)
    await pass(GRACE + 1, session)
    assert.equal((await rotate(session, 0)).outcome, 'reused')
    await assertEnded(session)
  },

  async 'a confirmation of the current generation is written, and no clock moves' (setting: Setting) {
    const { create, rotate, read, pass, confirm, context } = setting
    const session = await create()
    await rotate(session, 0)
    await pass(2000, session)
    const before = await read(session)
    assert.equal(before.confirmed, false)
    assert.equal(await confirm(session, 1), 'confirmed')
    assert.deepEqual(await read(session), { ...before, confirmed: true, lastUsedAt: context().now })
  },

  async 'a confirmation of the parent, or of one never made, changes nothing' (setting: Setting) {
    const { create, rotate, read, pass, confirm, assertUntouched } = setting
    const session = await create()
    await rotate(session, 0)
    await pass(2000, session)
    const before = await read(session)
    for (const generation of [0, 2, 2 ** 31]) assert.notEqual(await confirm(session, generation), 'reused')
    await assertUntouched(before)
  },

  async 'an ended session cannot be confirmed' ({ create, rotate, revoke, confirm }: Setting) {
    const session = await create()
    await rotate(session, 0)
    await revoke(session.id)
    assert.equal(await confirm(session, 1), 'unknown')
  },

  async 'a recovered token is rotated after grace, and is then the parent' (setting: Setting) {
    const { rotate, read, pass } = setting
    const session = await createLost(setting)
    await rotate(session, 0)
    await pass(GRACE + 1, session)
    const rotation = await rotate(session, 2)
    assertGranted(rotation, 'rotated')
    const { generation, parentGeneration, rotatedAt, displacedAt } = await read(session)
    assert.deepEqual([generation, parentGeneration], [3, 2])
    assert.equal(displacedAt, rotatedAt)
    assertGranted(await rotate(session, 2), 'repeated')
  }
}
