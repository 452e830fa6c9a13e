// The contract of the optional duties: what a store may leave out, and must keep once it names it.
import assert from 'node:assert/strict'
import { createRandom, isSessionId } from '../tokens/session-claims.ts'
import type { LimitReached, SessionLimit, SessionRecord, StoreDuty } from '../sessions/store.ts'
import { assertGranted, GRACE, LIFETIME, type Setting } from './setting.ts'
import { possessionCases } from './possession.ts'

/** A duty, or the optional method that carries it. */
export type OptionalDuty = StoreDuty | 'reauthenticate' | 'newSessionId'

const ROUNDS = 10

/** Presents a new session of the case's user to a limit. */
async function createWithin ({ store, newSession, context }: Setting, limit: SessionLimit, more?: Partial<SessionRecord>) {
  const session = newSession(more)
  return { session, result: await store.create(session, { ...context(), elapsed: 0, limit }) }
}

async function createThree ({ create, context }: Setting): Promise<[SessionRecord, SessionRecord, SessionRecord]> {
  const { now } = context()
  return [await create({ lastUsedAt: now - 2000 }), await create({ lastUsedAt: now - 3000 }), await create({ lastUsedAt: now - 1000 })]
}

function idsOf (sessions: readonly SessionRecord[]): string[] {
  return sessions.map(({ id }) => id).sort()
}

const limitCases = {
  async 'below the limit a session is kept, and nobody is ended' (setting: Setting) {
    for (const whenFull of ['end_oldest', 'refuse'] as const) {
      const { result } = await createWithin(setting, { max: 3, whenFull })
      assert.equal(result, true)
    }
    assert.equal((await setting.list()).length, 2)
  },

  async 'at the limit the least recently used session is ended, in the same step' (setting: Setting) {
    const [first, second, third] = await createThree(setting)
    const { session, result } = await createWithin(setting, { max: 3, whenFull: 'end_oldest' })
    assert.deepEqual(result, { kept: true, ended: [second.id] })
    assert.deepEqual(idsOf(await setting.list()), idsOf([first, third, session]))
    await setting.assertEnded(second)
  },

  async 'a refresh makes a session the most recently used' (setting: Setting) {
    const [first, second, third] = await createThree(setting)
    assertGranted(await setting.rotate(second, 0), 'rotated')
    const { result } = await createWithin(setting, { max: 3, whenFull: 'end_oldest' })
    assert.deepEqual(result, { kept: true, ended: [first.id] })
    assert.equal((await setting.list()).some(({ id }) => id === third.id), true)
  },

  async 'a limit that was lowered ends as many as it takes' (setting: Setting) {
    const [first, second, third] = await createThree(setting)
    const { session, result } = await createWithin(setting, { max: 1, whenFull: 'end_oldest' })
    assert.deepEqual([...(result as LimitReached).ended].sort(), idsOf([first, second, third]))
    assert.deepEqual(idsOf(await setting.list()), [session.id])
  },

  async 'at the limit a sign-in is refused, and nothing is written' (setting: Setting) {
    const sessions = await createThree(setting)
    const { session, result } = await createWithin(setting, { max: 3, whenFull: 'refuse' })
    assert.deepEqual(result, { kept: false, ended: [] })
    assert.equal((await setting.rotate(session, 0)).outcome, 'unknown')
    for (const each of sessions) await setting.assertUntouched(each)
  },

  async 'sessions that were ended or have expired do not count, nor do those of others' (setting: Setting) {
    const { create, revoke, context } = setting
    await create({ expiresAt: context().now })
    await revoke((await create()).id)
    await create({ userId: createRandom() })
    const { result } = await createWithin(setting, { max: 1, whenFull: 'refuse' })
    assert.equal(result, true)
  },

  async 'a sign-in that began before revokeUser is refused, limit or not' (setting: Setting) {
    const { store, newSession, context } = setting
    await setting.revokeUser()
    const session = newSession()
    assert.equal(await store.create(session, { ...context(), elapsed: 60_000, limit: { max: 1, whenFull: 'end_oldest' } }), false)
  },

  async '50 sign-ins at once with a limit of 3 leave 3' (setting: Setting) {
    const { list } = setting
    for (const whenFull of ['end_oldest', 'refuse'] as const) {
      for (let round = 0; round < ROUNDS; round++) {
        const userId = createRandom()
        const results = await Promise.all(Array.from({ length: 50 }, () => createWithin(setting, { max: 3, whenFull }, { userId })))
        const kept = results.filter(({ result }) => result === true || (result as LimitReached).kept)
        const ended = results.flatMap(({ result }) => typeof result === 'boolean' ? [] : result.ended)
        assert.equal((await list(userId)).length, 3)
        assert.equal(kept.length - ended.length, 3)
        assert.equal(new Set(ended).size, ended.length, 'each session is ended once')
      }
    }
  }
}

const recordCases = {
  async 'a label is listed as it was given' ({ create, list }: Setting) {
    const labels = ["Ada's phone", '🦉'.repeat(32), ' ', '{"a":1}', null]
    for (const label of labels) await create({ label })
    assert.deepEqual((await list()).map(({ label }) => String(label)).sort(), labels.map(String).sort())
  },

  async 'a refresh keeps the label' ({ create, rotate, read }: Setting) {
    const session = await create({ label: 'kitchen' })
    await rotate(session, 0)
    assert.equal((await read(session)).label, 'kitchen')
  }
}

const lifetimeOfSignInCases = {
  async 'a sliding session is renewed by the lifetime of its own sign-in, never by more than the option' (setting: Setting) {
    const { create, rotate, context } = setting
    const sliding = { lifetime: LIFETIME, maxLifetime: 10 * LIFETIME }
    for (const [lifetime, renewedBy] of [[LIFETIME / 2, LIFETIME / 2], [LIFETIME * 2, LIFETIME], [null, LIFETIME]] as const) {
      const rotation = await rotate(await create({ lifetime }), 0, { sliding })
      assertGranted(rotation, 'rotated')
      assert.equal(rotation.expiresAt, context().now + renewedBy)
    }
  }
}

const exceptCases = {
  async 'revokeUser ends all sessions but the one it is to spare' (setting: Setting) {
    const { create, store, userId, context, assertEnded, assertUntouched } = setting
    const [spared, first, second] = [await create(), await create(), await create()]
    const ended = await store.revokeUser({ userId, except: spared.id, ...context() })
    assert.deepEqual([...ended].sort(), idsOf([first, second]))
    for (const session of [first, second]) await assertEnded(session)
    await assertUntouched(spared)
    assertGranted(await setting.rotate(spared, 0), 'rotated')
  },

  async 'revokeUser with a session to spare refuses sign-ins that began before' ({ create, newSession, store, userId, context }: Setting) {
    const { id } = await create()
    await store.revokeUser({ userId, except: id, ...context() })
    assert.equal(await store.create(newSession(), { ...context(), elapsed: 60_000 }), false)
  }
}

const reauthenticateCases = {
  async 'reauthenticate moves the moment of authentication, and nothing else' (setting: Setting) {
    const { store, create, rotate, read, pass, userId, context } = setting
    const session = await create()
    await rotate(session, 0)
    await pass(1000)
    const before = await read(session)
    const { now } = context()
    assert.equal(await store.reauthenticate!({ sessionId: session.id, userId, ...context() }), true)
    await setting.assertUntouched({ ...before, authenticatedAt: now })
    await pass(GRACE + 1, session)
    const rotation = await rotate(session, 1)
    assertGranted(rotation, 'rotated')
    assert.equal(rotation.authenticatedAt, now, 'a refresh keeps it')
  },

  async 'reauthenticate writes nothing for another user, and for a session that is unknown, expired or ended' (setting: Setting) {
    const { store, create, revoke, userId, context, assertUntouched, assertEnded } = setting
    const [session, ended, expired] = [await create(), await create(), await create({ expiresAt: context().now })]
    await revoke(ended.id)
    assert.equal(await store.reauthenticate!({ sessionId: session.id, userId: createRandom(), ...context() }), false)
    for (const sessionId of [createRandom(), ended.id, expired.id]) {
      assert.equal(await store.reauthenticate!({ sessionId, userId, ...context() }), false)
    }
    await assertUntouched(session)
    await assertEnded(ended)
  }
}

const newSessionIdCases = {
  async 'a store names sessions itself: ids of 22 characters, each another, for any user' ({ store, create, rotate, revoke, userId }: Setting) {
    const ids = Array.from({ length: 1000 }, (_, i) => store.newSessionId!(i % 2 === 0 ? userId : i))
    assert.ok(ids.every(isSessionId))
    assert.equal(new Set(ids).size, ids.length)
    const session = await create({ id: ids[0]! })
    assertGranted(await rotate(session, 0), 'rotated')
    assert.equal(await revoke(session.id), true)
  }
}

export const DUTY_CASES: Readonly<Record<OptionalDuty, Readonly<Record<string, (setting: Setting) => Promise<void>>>>> = {
  limit: limitCases,
  label: recordCases,
  lifetime: lifetimeOfSignInCases,
  except: exceptCases,
  possession: possessionCases,
  reauthenticate: reauthenticateCases,
  newSessionId: newSessionIdCases
}
