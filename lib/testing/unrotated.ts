// The contract of `rotate` without rotation: one token for the whole lifetime of its session.
import assert from 'node:assert/strict'
import { hashNonce } from '../tokens/session-claims.ts'
import { GRACE, isGranted, type Setting } from './setting.ts'

export const unrotatedCases = {
  async 'a wrong nonce ends the session without rotation too' ({ create, rotate, assertEnded }: Setting) {
    const session = await create()
    assert.equal((await rotate(session, 0, { rotate: false, nonceHash: hashNonce('') })).outcome, 'reused')
    await assertEnded(session)
  },

  async 'without rotation the one token serves again and again' ({ create, rotate, pass, read }: Setting) {
    const session = await create()
    for (let i = 0; i < 3; i++) {
      const rotation = await rotate(session, 0, { rotate: false })
      assert.deepEqual(rotation, {
        outcome: 'repeated',
        generation: 0,
        issuedAt: session.issuedAt,
        expiresAt: session.expiresAt,
        authenticatedAt: session.authenticatedAt,
        sinceRotation: null
      })
      await pass(GRACE + 1, session)
    }
    const { lastUsedAt, ...rest } = await read(session)
    const { lastUsedAt: signedInAt, ...before } = session
    assert.deepEqual(rest, { ...before, ip: '198.51.100.2', userAgent: 'contract/2.0' })
    assert.equal(lastUsedAt > signedInAt, true, 'the session was used')
  },

  async 'without rotation an ended or expired session grants nothing' ({ create, rotate, revoke, pass }: Setting) {
    const session = await create()
    await revoke(session.id)
    assert.equal(isGranted(await rotate(session, 0, { rotate: false })), false)
    const other = await create()
    await pass(other.expiresAt - other.createdAt)
    assert.equal((await rotate(other, 0, { rotate: false })).outcome, 'expired')
  }
}
