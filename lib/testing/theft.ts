// The contract of `rotate`: what counts as theft and ends the session.
import assert from 'node:assert/strict'
import { createRandom, hashNonce } from '../tokens/session-claims.ts'
import { GRACE, newUserNumber, type Setting } from './setting.ts'

export const theftCases = {
  async 'a wrong nonce ends the session, whatever the generation' ({ create, rotate, pass, assertEnded }: Setting) {
    for (const generation of [0, 1, 2, 3]) {
      const session = await create()
      await rotate(session, 0)
      await pass(GRACE + 1, session)
      await rotate(session, 1)
      const nonceHash = hashNonce(createRandom())
      assert.equal((await rotate(session, generation, { nonceHash })).outcome, 'reused', `generation ${generation}`)
      await assertEnded(session)
    }
  },

  async 'the id of another user ends the session' ({ create, rotate, assertEnded }: Setting) {
    const userId = newUserNumber()
    for (const other of [userId + 1, String(userId)]) {
      const session = await create({ userId })
      assert.equal((await rotate(session, 0, { userId: other })).outcome, 'reused')
      await assertEnded(session)
    }
  },

  async 'a generation below the parent ends the session, within grace too' ({ create, rotate, pass, assertEnded }: Setting) {
    const session = await create()
    await rotate(session, 0)
    await pass(GRACE + 1, session)
    await rotate(session, 1)
    assert.equal((await rotate(session, 0)).outcome, 'reused')
    await assertEnded(session)
  },

  async 'the parent after grace ends the session when its successor was seen in use' ({ create, rotate, confirm, pass, assertEnded }: Setting) {
    const session = await create()
    await rotate(session, 0)
    await confirm(session, 1)
    await pass(GRACE + 1, session)
    assert.equal((await rotate(session, 0)).outcome, 'reused')
    await assertEnded(session)
  }
}
