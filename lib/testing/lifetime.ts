// The contract of lifetimes: fixed or sliding, and how long a session is kept.
import assert from 'node:assert/strict'
import type { SessionRecord } from '../sessions/store.ts'
import { assertGranted, GRACE, REVOCATION_TTL, LIFETIME, type Setting } from './setting.ts'

const DAY = 86_400_000
const SLIDING = { lifetime: LIFETIME, maxLifetime: 20 * DAY }

async function passTo (moment: number, { pass, context }: Setting, session: SessionRecord): Promise<void> {
  await pass(moment - context().now, session)
}

export const lifetimeCases = {
  async 'a session expires at its end, not before' (setting: Setting) {
    const session = await setting.create()
    await passTo(session.expiresAt - 1, setting, session)
    assertGranted(await setting.rotate(session, 0), 'rotated')
    await passTo(session.expiresAt, setting, session)
    assert.equal((await setting.rotate(session, 1)).outcome, 'expired')
  },

  async 'a session that expired is still refreshed within the tolerance of clocks, and its end stays' (setting: Setting) {
    const session = await setting.create()
    await passTo(session.expiresAt + 29_999, setting, session)
    assert.equal((await setting.rotate(session, 0)).outcome, 'expired')
    const rotation = await setting.rotate(session, 0, { clockTolerance: 30_000 })
    assertGranted(rotation, 'rotated')
    assert.equal(rotation.expiresAt, session.expiresAt)
    await passTo(session.expiresAt + 30_000, setting, session)
    assert.equal((await setting.rotate(session, 1, { clockTolerance: 30_000 })).outcome, 'expired')
  },

  async 'an expired session is expired, whatever else is wrong, and nothing is written' (setting: Setting) {
    const { create, rotate, readFeed, revoke } = setting
    const session = await create()
    await rotate(session, 0)
    await passTo(session.expiresAt, setting, session)
    for (const generation of [0, 1, 5]) assert.equal((await rotate(session, generation)).outcome, 'expired')
    assert.equal((await rotate(session, 1, { nonceHash: '' })).outcome, 'expired')
    assert.equal((await rotate(session, 1, { userId: 'somebody else' })).outcome, 'expired')
    assert.equal((await readFeed()).ids.has(session.id), false)
    assert.equal(await revoke(session.id, { mustExist: true }), true)
  },

  async 'an expired session is not listed, and can be ended as long as its last access token may live' (setting: Setting) {
    const { create, list, revoke, assertEnded } = setting
    const session = await create()
    await passTo(session.expiresAt - 1, setting, session)
    assert.deepEqual(await list(), [session])
    await passTo(session.expiresAt, setting, session)
    assert.deepEqual(await list(), [])
    await passTo(session.expiresAt + REVOCATION_TTL - 1, setting, session)
    assert.equal(await revoke(session.id, { mustExist: true, userId: session.userId }), true)
    await assertEnded(session)
  },

  async 'revokeUser ends sessions that expired but may still have an access token' (setting: Setting) {
    const session = await setting.create()
    await passTo(session.expiresAt + REVOCATION_TTL - 1, setting, session)
    assert.deepEqual(await setting.revokeUser(), [session.id])
    await setting.assertEnded(session)
  },

  async 'a fixed lifetime is not renewed by use' (setting: Setting) {
    const { create, rotate, pass, read } = setting
    const session = await create()
    for (let generation = 0; generation < 3; generation++) {
      const rotation = await rotate(session, generation)
      assertGranted(rotation, 'rotated')
      assert.equal(rotation.expiresAt, session.expiresAt)
      await pass(GRACE + 1, session)
    }
    assert.equal((await read(session)).expiresAt, session.expiresAt)
  },

  async 'a sliding lifetime is renewed by each rotation, up to its absolute end' (setting: Setting) {
    const { create, rotate, pass, read, context } = setting
    const session = await create()
    const end = session.createdAt + SLIDING.maxLifetime
    for (let generation = 0; generation < 10; generation++) {
      await pass(2 * DAY - 1000, session)
      const rotation = await rotate(session, generation, { sliding: SLIDING })
      assertGranted(rotation, 'rotated')
      assert.equal(rotation.expiresAt, Math.min(context().now + LIFETIME, end))
      assert.equal((await read(session)).expiresAt, rotation.expiresAt)
    }
    await passTo(end, setting, session)
    assert.equal((await rotate(session, 10, { sliding: SLIDING })).outcome, 'expired')
  },

  async 'a sliding lifetime is renewed by a recovery, and not by a repetition' (setting: Setting) {
    const { create, rotate, pass, context } = setting
    const session = await create()
    const first = await rotate(session, 0, { sliding: SLIDING })
    assertGranted(first, 'rotated')
    await pass(1000, session)
    const repeated = await rotate(session, 0, { sliding: SLIDING })
    assertGranted(repeated, 'repeated')
    assert.equal(repeated.expiresAt, first.expiresAt)
    await pass(GRACE, session)
    const recovered = await rotate(session, 0, { sliding: SLIDING })
    assertGranted(recovered, 'recovered')
    assert.equal(recovered.expiresAt, context().now + LIFETIME)
  },

  async 'a clock that tells parts of milliseconds is no error' ({ store, create, context, rotate, read, revokeUser, pass }: Setting) {
    await pass(0.25)
    const session = await create({ expiresAt: Math.floor(context().now) + LIFETIME })
    await pass(1000.5, session)
    assertGranted(await rotate(session, 0, { sliding: SLIDING }), 'rotated')
    await store.confirm({ sessionId: session.id, generation: 1, ...context() })
    assert.equal((await read(session)).confirmed, true)
    assert.deepEqual(await revokeUser(), [session.id])
  }
}
