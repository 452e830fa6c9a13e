// The contract of `rotate`: the rows of the rotation table that grant tokens, and those for late, unknown or ended ones.
import assert from 'node:assert/strict'
import { createRandom, hashNonce } from '../tokens/session-claims.ts'
import type { SessionRecord } from '../sessions/store.ts'
import { assertGranted, GRACE, type Setting } from './setting.ts'

export const rotationCases = {
  async "the login's own token is rotated, at once too" ({ create, rotate, context }: Setting) {
    const session = await create()
    const rotation = await rotate(session, 0)
    assert.deepEqual(rotation, {
      outcome: 'rotated', generation: 1, issuedAt: context().now, expiresAt: session.expiresAt, authenticatedAt: session.authenticatedAt, sinceRotation: null
    })
  },

  async 'a rotation changes the generation, its times and its client, and nothing else' (setting: Setting) {
    const { create, rotate, pass, read, context } = setting
    const session = await create()
    await pass(5000, session)
    await rotate(session, 0)
    const { rotatedAt, displacedAt, ...rest } = await read(session)
    const { rotatedAt: _, displacedAt: __, ...before } = session
    const { now } = context()
    assert.deepEqual(rest, {
      ...before, generation: 1, parentGeneration: 0, issuedAt: now, lastUsedAt: now, ip: '198.51.100.2', userAgent: 'contract/2.0'
    })
    assert.ok(rotatedAt > 0, 'the moment of the rotation is kept')
    assert.equal(displacedAt, rotatedAt)
  },

  async 'a client that is not known is kept as null' ({ create, rotate, read }: Setting) {
    const session = await create({ ip: null, userAgent: null })
    assert.deepEqual(await read(session), session)
    const other = await create()
    await rotate(other, 0, { ip: null, userAgent: null })
    const { ip, userAgent } = await read(other)
    assert.deepEqual([ip, userAgent], [null, null])
  },

  async 'within grace the current token is repeated: the same successor is signed again, and nothing is written' (setting: Setting) {
    for (const span of setting.within(GRACE)) {
      await assertRepeated(setting, await setting.create(), { rotated: 0, presented: 1, span })
    }
  },

  async 'after grace the current token is rotated' ({ create, rotate, pass }: Setting) {
    const session = await create()
    await rotate(session, 0)
    await pass(GRACE + 1, session)
    const rotation = await rotate(session, 1)
    assertGranted(rotation, 'rotated')
    assert.equal(rotation.generation, 2)
  },

  async 'within grace the parent is repeated: the same successor is signed again, and nothing is written' (setting: Setting) {
    const { create, rotate, pass, within } = setting
    for (const span of within(GRACE)) {
      const session = await create()
      await rotate(session, 0)
      await pass(GRACE + 1, session)
      await assertRepeated(setting, session, { rotated: 1, presented: 1, span })
    }
  },

  async 'within grace the parent is repeated, confirmed or not' ({ create, rotate, confirm }: Setting) {
    const session = await create()
    await rotate(session, 0)
    await confirm(session, 1)
    assertGranted(await rotate(session, 0), 'repeated')
  },

  async 'a repetition restarts no clock' ({ create, rotate, confirm, pass, within }: Setting) {
    const span = within(GRACE).at(-1)!
    const session = await create()
    await rotate(session, 0)
    await confirm(session, 1)
    await pass(span, session)
    assertGranted(await rotate(session, 0), 'repeated')
    assertGranted(await rotate(session, 1), 'repeated')
    await pass(GRACE + 1 - span, session)
    assertGranted(await rotate(session, 1), 'rotated')

    const other = await create()
    await rotate(other, 0)
    await confirm(other, 1)
    await pass(span, other)
    assertGranted(await rotate(other, 0), 'repeated')
    await pass(GRACE + 1 - span, other)
    assert.equal((await rotate(other, 0)).outcome, 'reused')
  },

  async 'a clock that steps back by more than grace gives a displaced token no grace again' ({ create, rotate, confirm, pass }: Setting) {
    const session = await create()
    await rotate(session, 0)
    await confirm(session, 1)
    await pass(-2 * GRACE, session)
    // The plugin's clock has stepped as well: the attempt looks like one from before the rotation.
    assert.equal((await rotate(session, 0)).outcome, 'late')
  },

  async 'an attempt that was sent before the current generation was made is late: beyond grace it is told so, and nothing is written' (setting: Setting) {
    const { create, rotate, confirm, pass, read, context, assertUntouched } = setting
    for (const seen of [false, true]) {
      const session = await create()
      await pass(1000, session)
      await rotate(session, 0)
      await pass(GRACE + 1, session)
      await rotate(session, 1)
      const { now } = context()
      if (seen) await confirm(session, 2)
      await pass(GRACE + 1, session)
      const before = await read(session)
      assert.equal((await rotate(session, 0, { now: now - 1 })).outcome, 'late')
      // For a store without its own clock, that is within grace.
      assert.ok(['late', 'repeated'].includes((await rotate(session, 1, { now: now - 1 })).outcome))
      await assertUntouched(before)
      assert.equal((await rotate(session, 1)).outcome, seen ? 'reused' : 'recovered', 'sent later, it is not')
    }
  },

  async 'a generation above the current one is adopted: the store has lost a write' ({ create, rotate, read, pass, context }: Setting) {
    for (const ahead of [1, 2, 2 ** 31 - 1]) {
      const session = await create()
      await pass(1000)
      const rotation = await rotate(session, ahead)
      const { now } = context()
      assert.deepEqual(rotation, {
        outcome: 'rotated',
        generation: ahead + 1,
        issuedAt: now,
        expiresAt: session.expiresAt,
        authenticatedAt: session.authenticatedAt,
        sinceRotation: null
      })
      const after = await read(session)
      assert.deepEqual([after.generation, after.parentGeneration, after.confirmed], [ahead + 1, ahead, false])
      assert.equal(after.displacedAt, after.rotatedAt)
      assertGranted(await rotate(session, ahead), 'repeated')
      assertGranted(await rotate(session, ahead + 1), 'repeated')
    }
  },

  async 'grace does not hold up the adoption of a generation' ({ create, rotate }: Setting) {
    const session = await create()
    await rotate(session, 0)
    const rotation = await rotate(session, 2)
    assertGranted(rotation, 'rotated')
    assert.equal(rotation.generation, 3)
  },

  async 'a refusal says how long ago the last rotation was, and so does a grant' ({ create, rotate, confirm, pass }: Setting) {
    const session = await create()
    assert.equal((await rotate(session, 0)).sinceRotation, null)
    await confirm(session, 1)
    await pass(GRACE - 1000, session)
    const { sinceRotation: first } = await rotate(session, 1)
    assert.ok(first !== null && first >= GRACE - 1000 && first < 2 * GRACE, String(first))
    await pass(2000, session)
    const { sinceRotation: last, outcome } = await rotate(session, 0)
    assert.equal(outcome, 'reused')
    assert.ok(last !== null && last >= GRACE + 1000 && last < 2 * GRACE, String(last))
  },

  async 'an unknown session is unknown, and the feed is not told' ({ rotate, create, readFeed, store, context }: Setting) {
    const session = { ...await create(), id: createRandom() }
    assert.deepEqual(await rotate(session, 0), { outcome: 'unknown', sinceRotation: null })
    assert.equal(await store.confirm({ sessionId: session.id, generation: 0, ...context() }), 'unknown')
    assert.equal((await readFeed()).ids.has(session.id), false)
  },

  async 'an ended session grants nothing, and is not reused' ({ create, rotate, revoke, assertEnded }: Setting) {
    const session = await create()
    await rotate(session, 0)
    await revoke(session.id)
    assert.notEqual((await rotate(session, 1, { nonceHash: hashNonce('') })).outcome, 'reused')
    await assertEnded(session)
  }
}

/** Rotates one generation and, after the span, presents another: asserts that it gets the same successor and that the store writes nothing. */
async function assertRepeated (
  { rotate, pass, read, assertUntouched }: Setting,
  session: SessionRecord,
  { rotated, presented, span }: { rotated: number, presented: number, span: number }
): Promise<void> {
  const first = await rotate(session, rotated)
  assertGranted(first, 'rotated')
  await pass(span, session)
  const before = await read(session)
  const again = await rotate(session, presented)
  assertGranted(again, 'repeated')
  assert.deepEqual([again.generation, again.issuedAt, again.expiresAt], [first.generation, first.issuedAt, first.expiresAt], `after ${span} ms`)
  await assertUntouched(before)
}
