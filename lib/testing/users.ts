// The contract of `create`, `list` and `revokeUser`: the sessions of one user, and of no other.
import assert from 'node:assert/strict'
import { createRandom } from '../tokens/session-claims.ts'
import type { SessionRecord } from '../sessions/store.ts'
import type { UserId } from '../tokens/types.ts'
import { assertGranted, newUserNumber, type Setting } from './setting.ts'

const MINUTE = 60_000

const ODD_NAMES = [
  ' ', '\t', '\n', '\0', '"', "'", '\\', '{', '}', '{}', '{a}', '}{', '[', ':', '*', '%s', '$1', '__proto__', 'constructor', 'null', 'true',
  'NaN', '\ud800', '\ud801', '\udc00', '\ufffd', '\u2028', 'é', 'e\u0301', '🦉', 'A', 'a', 'a '
]

function sorted (sessions: readonly SessionRecord[]): SessionRecord[] {
  return [...sessions].sort((a, b) => a.id < b.id ? -1 : 1)
}

/** Whether the store still creates a session whose sign-in began `elapsed` ms ago. */
async function creates ({ store, newSession, context }: Setting, userId: UserId, elapsed: number): Promise<boolean> {
  return await store.create(newSession({ userId }), { ...context(), elapsed }) === true
}

export const userCases = {
  async 'a session is listed as it was created, beside the others of its user' ({ create, list }: Setting) {
    const sessions = [
      await create(),
      await create({ ip: null, userAgent: null }),
      await create({ generation: 3, parentGeneration: 1, confirmed: true, rotatedAt: 2000, displacedAt: 1000 }),
      await create({ ip: '2001:db8::1', userAgent: `"{}[]:*\\%s\r\n${'x'.repeat(240)}` })
    ]
    assert.deepEqual(sorted(await list()), sorted(sessions))
  },

  async 'nobody without sessions is listed' ({ list, userId, create, revoke }: Setting) {
    assert.deepEqual(await list(), [])
    assert.deepEqual(await list(newUserNumber()), [])
    const session = await create({ userId })
    await revoke(session.id, { userId })
    assert.deepEqual(await list(), [])
  },

  async 'many sessions of one user are listed and ended' ({ create, list, revokeUser, readFeed }: Setting) {
    const sessions = await Promise.all(Array.from({ length: 1100 }, () => create()))
    assert.deepEqual(sorted(await list()), sorted(sessions))
    assert.deepEqual([...await revokeUser()].sort(), sessions.map(({ id }) => id).sort())
    assert.deepEqual(await list(), [])
    const { ids } = await readFeed()
    assert.ok(sessions.every(({ id }) => ids.has(id)), 'the feed tells of each')
  },

  async 'revokeUser ends all sessions of one user and no others, and names them' (setting: Setting) {
    const { create, rotate, revokeUser, assertEnded, assertUntouched } = setting
    const sessions = [await create(), await create(), await create()]
    const other = await create({ userId: createRandom() })
    await rotate(sessions[1]!, 0)
    assert.deepEqual([...await revokeUser()].sort(), sessions.map(({ id }) => id).sort())
    for (const session of sessions) await assertEnded(session)
    await assertUntouched(other)
  },

  async 'revokeUser does not name sessions that were ended before' (setting: Setting) {
    const { create, rotate, revoke, confirm, pass, revokeUser, userId } = setting
    const [first, second, third, fourth, fifth] = [await create(), await create(), await create(), await create(), await create()]
    await revoke(first.id)
    await revoke(second.id, { userId })
    await rotate(third, 0, { nonceHash: '' })
    await rotate(fourth, 0)
    await pass(2 * MINUTE * 60, fourth)
    await rotate(fourth, 0)
    await confirm(fourth, 1)
    assert.deepEqual(await revokeUser(), [fifth.id])
    assert.deepEqual(await revokeUser(), [])
  },

  async 'the user ids 7 and "7" are two users' ({ create, list, revokeUser, assertUntouched, assertEnded }: Setting) {
    const number = newUserNumber()
    const ofNumber = await create({ userId: number })
    const ofString = await create({ userId: String(number) })
    assert.deepEqual(await list(number), [ofNumber])
    assert.deepEqual(await list(String(number)), [ofString])
    assert.deepEqual(await revokeUser(number), [ofNumber.id])
    await assertEnded(ofNumber)
    await assertUntouched(ofString)
  },

  async 'a user id is any string, or any safe whole number' (setting: Setting) {
    const { create, list, rotate, revoke, revokeUser } = setting
    const random = createRandom()
    const userIds: UserId[] = [
      ...ODD_NAMES.map(name => `${name}${random}`), ...ODD_NAMES.map(name => `${random}${name}`), `${'🦉'.repeat(1500)}${random}`, random,
      newUserNumber(), -newUserNumber(), Number.MAX_SAFE_INTEGER - newUserNumber(), Number.MIN_SAFE_INTEGER + newUserNumber()
    ]
    const sessions: SessionRecord[] = []
    for (const userId of userIds) sessions.push(await create({ userId }), await create({ userId }))
    for (const [i, userId] of userIds.entries()) {
      const [first, second] = [sessions[2 * i]!, sessions[2 * i + 1]!]
      assert.deepEqual(sorted(await list(userId)), sorted([first, second]), JSON.stringify(userId))
      assertGranted(await rotate(first, 0), 'rotated')
      assert.equal(await revoke(second.id, { userId, mustExist: true }), true)
      assert.deepEqual(await revokeUser(userId), [first.id])
      assert.equal(await creates(setting, userId, MINUTE), false)
    }
  },

  async 'a sign-in that began before revokeUser is refused, and nothing is kept' (setting: Setting) {
    const { revokeUser, list, readFeed, rotate, newSession, context, store } = setting
    await revokeUser()
    for (const elapsed of [1000, MINUTE, 60 * MINUTE]) {
      const session = newSession()
      assert.equal(await store.create(session, { ...context(), elapsed: elapsed + MINUTE }), false)
      assert.equal((await rotate(session, 0)).outcome, 'unknown')
      assert.equal((await readFeed()).ids.has(session.id), false)
    }
    assert.deepEqual(await list(), [])
  },

  async 'a sign-in that began after revokeUser is kept' (setting: Setting) {
    await setting.revokeUser()
    assert.equal(await creates(setting, setting.userId, 0), true)
    assert.equal((await setting.list()).length, 1)
  },

  async 'revokeUser refuses no sign-in of another user' (setting: Setting) {
    const number = newUserNumber()
    await setting.revokeUser(number)
    assert.equal(await creates(setting, String(number), MINUTE), true)
    assert.equal(await creates(setting, number + 1, MINUTE), true)
    assert.equal(await creates(setting, number, MINUTE), false)
  },

  async 'revoke leaves no mark on its user' (setting: Setting) {
    const session = await setting.create()
    await setting.revoke(session.id, { userId: setting.userId })
    assert.equal(await creates(setting, setting.userId, MINUTE), true)
  }
}
