// The contract of sessions that are bound to a key: served to the key alone, and never ended by reuse.
import assert from 'node:assert/strict'
import type { SessionRecord } from '../sessions/store.ts'
import { assertGranted, GRACE, isGranted, RECOVERY, type Setting } from './setting.ts'

const KEY = 'thumbprint of the key'
const ROUNDS = 10

/** A bound session, rotated twice, beyond grace; its owner may hold any of its tokens. */
async function createBound ({ create, rotate, confirm, pass }: Setting): Promise<SessionRecord> {
  const session = await create({ jkt: KEY })
  await rotate(session, 0, { jkt: KEY })
  await confirm(session, 1)
  await pass(GRACE + 1, session)
  await rotate(session, 1, { jkt: KEY })
  await confirm(session, 2)
  await pass(GRACE + 1, session)
  return session
}

export const possessionCases = {
  async 'a bound session is refreshed by its key alone; another key, or none, ends nothing' (setting: Setting) {
    const session = await createBound(setting)
    const before = await setting.read(session)
    for (const jkt of [null, 'another', '']) {
      for (const generation of [0, 1, 2, 3]) assert.equal((await setting.rotate(session, generation, { jkt })).outcome, 'unproven')
    }
    await setting.assertUntouched(before)
    assertGranted(await setting.rotate(session, 2, { jkt: KEY }), 'rotated')
  },

  async 'a key does not make up for a wrong nonce, and a wrong nonce ends no bound session' (setting: Setting) {
    const session = await setting.create({ jkt: KEY })
    assert.equal((await setting.rotate(session, 0, { jkt: KEY, nonceHash: '' })).outcome, 'unproven')
    await setting.assertUntouched(session)
  },

  async 'an unbound session takes no notice of a key' ({ create, rotate }: Setting) {
    assertGranted(await rotate(await create(), 0, { jkt: KEY }), 'rotated')
  },

  async 'with its key any older generation is recovered beyond grace, and repeated within' (setting: Setting) {
    const session = await createBound(setting)
    let generation = 2
    for (const presented of [0, 1, 0]) {
      const recovered = await setting.rotate(session, presented, { jkt: KEY })
      assertGranted(recovered, 'recovered')
      assert.equal(recovered.generation, ++generation)
      for (const older of [0, 1, 2]) {
        const repeated = await setting.rotate(session, older, { jkt: KEY })
        assertGranted(repeated, 'repeated')
        assert.equal(repeated.generation, generation)
      }
      await setting.pass(RECOVERY + 1, session)
    }
  },

  async 'an access token of a displaced generation does not end a bound session' (setting: Setting) {
    const session = await createBound(setting)
    assertGranted(await setting.rotate(session, 0, { jkt: KEY }), 'recovered')
    const before = await setting.read(session)
    assert.notEqual(await setting.confirm(session, 2), 'reused')
    await setting.assertUntouched(before)
  },

  async '50 refreshes of a bound session at once, by any of its tokens, get one successor' (setting: Setting) {
    const session = await createBound(setting)
    const rotations = await Promise.all(Array.from({ length: 50 }, (_, i) => setting.rotate(session, i % 3, { jkt: KEY })))
    const granted = rotations.filter(isGranted)
    assert.equal(granted.length, 50)
    assert.deepEqual([...new Set(granted.map(({ generation }) => generation))], [3])
    assert.equal(rotations.filter(({ outcome }) => outcome !== 'repeated').length, 1)
  },

  async 'a bound session that is ended amid its refreshes stays ended' (setting: Setting) {
    for (let round = 0; round < ROUNDS; round++) {
      const session = await createBound(setting)
      const refreshes = (generation: number) => Array.from({ length: 5 }, () => setting.rotate(session, generation, { jkt: KEY }))
      await Promise.all([...refreshes(0), setting.revoke(session.id), ...refreshes(2)])
      await setting.assertEnded(session)
    }
  },

  async 'an older generation of a bound session is checked, where refresh tokens are not rotated' (setting: Setting) {
    const session = await createBound(setting)
    assertGranted(await setting.rotate(session, 0, { jkt: KEY, rotate: false }), 'repeated')
  }
}
