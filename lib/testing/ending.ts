// The contract of `revoke`: one session ended, once and for ever.
import assert from 'node:assert/strict'
import { createRandom } from '../tokens/session-claims.ts'
import { assertGranted, newUserNumber, type Setting } from './setting.ts'

const MINUTE = 60_000
const DAY = 86_400_000

export const endingCases = {
  async 'a revoked session is ended for ever' ({ create, rotate, revoke, assertEnded }: Setting) {
    const session = await create()
    assert.equal(await revoke(session.id), true)
    await assertEnded(session)

    const rotated = await create()
    await rotate(rotated, 0)
    assert.equal(await revoke(rotated.id), true)
    await assertEnded(rotated)
  },

  async 'a revocation ends no other session' ({ create, rotate, revoke, list, assertUntouched }: Setting) {
    const [first, second] = [await create(), await create()]
    await revoke(first.id)
    assert.deepEqual(await list(), [second])
    await assertUntouched(second)
    assertGranted(await rotate(second, 0), 'rotated')
  },

  async 'a session can be revoked again' ({ create, revoke, assertEnded }: Setting) {
    const session = await create()
    for (let i = 0; i < 3; i++) assert.equal(await revoke(session.id), true)
    await assertEnded(session)
  },

  async 'a session that must exist is revoked once' ({ create, revoke, assertEnded }: Setting) {
    const session = await create()
    assert.equal(await revoke(session.id, { mustExist: true }), true)
    assert.equal(await revoke(session.id, { mustExist: true }), false)
    await assertEnded(session)
  },

  async "a session is revoked by its user's id" ({ create, revoke, assertEnded }: Setting) {
    for (const userId of [newUserNumber(), createRandom()]) {
      for (const mustExist of [true, false]) {
        const session = await create({ userId })
        assert.equal(await revoke(session.id, { userId, mustExist }), true)
        await assertEnded(session)
      }
    }
  },

  async "another user's session is not revoked, and nothing is written" ({ create, rotate, revoke, assertUntouched }: Setting) {
    const userId = newUserNumber()
    const session = await create({ userId })
    for (const other of [userId + 1, String(userId), 'somebody else']) {
      for (const mustExist of [true, false]) assert.equal(await revoke(session.id, { userId: other, mustExist }), false)
    }
    await assertUntouched(session)
    assertGranted(await rotate(session, 0), 'rotated')
  },

  async 'a store that is full ends sessions all the same' (setting: Setting) {
    const { create, rotate, revoke, revokeUser, assertEnded, fill } = setting
    if (fill === null) return
    const [revoked, reused, ofUser] = [await create(), await create(), await create({ userId: createRandom() })]
    const makeRoom = await fill()
    await assert.rejects(create(), 'it keeps no new session')
    assert.equal(await revoke(revoked.id), true)
    assert.equal((await rotate(reused, 0, { nonceHash: '' })).outcome, 'reused')
    assert.deepEqual(await revokeUser(ofUser.userId), [ofUser.id])
    for (const session of [revoked, reused, ofUser]) await assertEnded(session)
    await makeRoom()
    await create()
  },

  async 'a process ends again what it remembers: sessions that are live, expired, ended or unknown, several times at once' (setting: Setting) {
    const { create, revoke, pass, readFeed, assertEnded, assertUntouched } = setting
    const { cursor } = await readFeed()
    // As after a restored backup, the store believes that the first one lives.
    const [living, ended, untold] = [await create(), await create(), await create()]
    const expired = await create({ expiresAt: living.createdAt + 1 })
    await pass(1)
    await revoke(ended.id)
    const ids = [living.id, ended.id, expired.id, createRandom()]
    assert.deepEqual(await Promise.all([...ids, ...ids, ...ids].map(id => revoke(id))), Array(12).fill(true))
    for (const from of [null, cursor]) {
      const told = (await readFeed(from)).ids
      assert.deepEqual(ids.map(id => told.has(id)), [true, true, true, true], 'the feed tells of each')
    }
    for (const session of [living, ended]) await assertEnded(session)
    await assertUntouched(untold)
  },

  async 'what is ended stays ended when the clock steps back' (setting: Setting) {
    const { create, revoke, revokeUser, pass, store, context, assertEnded } = setting
    const [revoked, ofUser] = [await create({ userId: createRandom() }), await create()]
    await revoke(revoked.id)
    await revokeUser()
    await pass(-DAY)
    for (const session of [revoked, ofUser]) await assertEnded(session)
    const late = setting.newSession()
    assert.equal(await store.create(late, { ...context(), elapsed: MINUTE }), false, 'a sign-in that began before is refused')
  },

  async 'revoke adds an unknown session to the feed, unless the session must exist' ({ userId, revoke, readFeed }: Setting) {
    const [first, second, third] = [createRandom(), createRandom(), createRandom()]
    assert.equal(await revoke(first), true)
    assert.equal(await revoke(second, { userId }), true)
    assert.equal(await revoke(third, { mustExist: true }), false)
    const { ids } = await readFeed()
    assert.deepEqual([first, second, third].map(id => ids.has(id)), [true, true, false])
  }
}
