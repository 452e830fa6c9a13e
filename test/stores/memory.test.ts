import { test } from 'tap'
import { newSession } from '../../lib/testing/setting.ts'
import { memoryStore, type SessionStore } from '../../lib/index.ts'

const NOW = 1_750_000_000_000
const REVOCATION_TTL = 7_260_000
const CONTEXT = { now: NOW, revocationTtl: REVOCATION_TTL }

async function create (store: SessionStore, userId: string | number, now = NOW, elapsed = 0): Promise<boolean> {
  return await store.create(newSession(userId, now), { now, revocationTtl: REVOCATION_TTL, elapsed }) === true
}

test('maxSessions is a whole number, at least 1', async t => {
  for (const maxSessions of [0, -1, 1.5, NaN, Infinity, 2 ** 53, '5', null, {}, 10n]) {
    t.throws(() => memoryStore({ maxSessions: maxSessions as number }), {
      name: 'RangeError', message: 'maxSessions must be a whole number, at least 1.'
    })
  }
  for (const maxSessions of [1, 100, undefined]) t.doesNotThrow(() => memoryStore(maxSessions === undefined ? {} : { maxSessions }))
})

test('a full store rejects with a clear message, and evicts no session', async t => {
  const store = memoryStore({ maxSessions: 3 })
  for (const userId of ['a', 'b', 'c']) t.equal(await create(store, userId), true)
  for (let i = 0; i < 5; i++) await t.rejects(create(store, 'd'), { message: 'the memory store is full: 3 sessions' })
  for (const userId of ['a', 'b', 'c']) t.equal((await store.list({ userId, ...CONTEXT })).length, 1)
  t.strictSame(await store.list({ userId: 'd', ...CONTEXT }), [])
})

test('a full store has room again when a session is ended', async t => {
  const store = memoryStore({ maxSessions: 1 })
  await create(store, 'a')
  await t.rejects(create(store, 'b'))
  await store.revokeUser({ userId: 'a', ...CONTEXT })
  t.equal(await create(store, 'b'), true)
})

test('a full store has room again once no access token of a session can be valid', async t => {
  const store = memoryStore({ maxSessions: 1 })
  const session = newSession('a', NOW)
  await store.create(session, { ...CONTEXT, elapsed: 0 })
  const last = session.expiresAt + REVOCATION_TTL
  await t.rejects(create(store, 'b', last - 2000))
  t.equal(await create(store, 'b', last), true)
  t.strictSame(await store.revokeUser({ userId: 'a', now: last, revocationTtl: REVOCATION_TTL }), [])
})

test('a session is forgotten on time, swept or not', async t => {
  const store = memoryStore()
  const session = newSession('a', NOW)
  await store.create(session, { ...CONTEXT, elapsed: 0 })
  const now = session.expiresAt + REVOCATION_TTL
  const call = { sessionId: session.id, generation: 0, now, revocationTtl: REVOCATION_TTL }
  t.equal(await store.confirm(call), 'unknown')
  t.match(await store.rotate({
    ...call, userId: 'a', nonceHash: session.nonceHash, rotate: true, grace: 0, recovery: 0, sliding: null, clockTolerance: 0, jkt: null, ip: null, userAgent: null
  }), { outcome: 'unknown' })
  t.equal(await store.revoke({ ...call, mustExist: true }), false)
})

test('a fresh store knows nothing of the sessions of another, and has another epoch', async t => {
  const [first, second] = [memoryStore(), memoryStore()]
  const session = newSession('a', NOW)
  await first.create(session, { ...CONTEXT, elapsed: 0 })
  await first.revoke({ sessionId: 'other', mustExist: false, ...CONTEXT })
  t.strictSame(await second.list({ userId: 'a', ...CONTEXT }), [])
  t.equal(await second.confirm({ sessionId: session.id, generation: 0, ...CONTEXT }), 'unknown')
  const [ofFirst, ofSecond] = [await first.revokedSince(null, CONTEXT), await second.revokedSince(null, CONTEXT)]
  t.strictSame(ofFirst.sessionIds, ['other'])
  t.strictSame(ofSecond.sessionIds, [])
  t.not(ofFirst.epoch, ofSecond.epoch)
})

test('the feed remembers from its first read on', async t => {
  const store = memoryStore()
  t.equal((await store.revokedSince(null, CONTEXT)).age, 0)
  t.equal((await store.revokedSince(null, { ...CONTEXT, now: NOW + 5000 })).age, 5000)
})

test('the feed reports a session once, however often it is ended', async t => {
  const store = memoryStore()
  const heard: string[] = []
  store.subscribe!(ids => { heard.push(...ids) })
  for (let i = 0; i < 1000; i++) await store.revoke({ sessionId: 'again', mustExist: false, ...CONTEXT })
  t.strictSame((await store.revokedSince(null, CONTEXT)).sessionIds, ['again'])
  t.strictSame(heard, ['again'])
})

test('the feed forgets a revocation once no access token can be valid, and cursors stay valid', async t => {
  const store = memoryStore()
  const revoke = (sessionId: string, now: number) => store.revoke({ sessionId, mustExist: false, now, revocationTtl: REVOCATION_TTL })
  const read = (cursor: string | null, now: number) => store.revokedSince(cursor, { now, revocationTtl: REVOCATION_TTL })
  await revoke('first', NOW)
  const { cursor: afterFirst } = await read(null, NOW)
  await revoke('second', NOW + 10)
  const { cursor: afterSecond } = await read(null, NOW + 10)
  t.strictSame((await read(null, NOW + REVOCATION_TTL - 1)).sessionIds, ['first', 'second'])
  t.strictSame((await read(null, NOW + REVOCATION_TTL)).sessionIds, ['second'])
  t.strictSame((await read(afterFirst, NOW + REVOCATION_TTL)).sessionIds, ['second'])
  t.strictSame((await read(afterSecond, NOW + REVOCATION_TTL)).sessionIds, [])
  t.strictSame((await read(null, NOW + REVOCATION_TTL + 10)).sessionIds, [])
  await revoke('first', NOW + REVOCATION_TTL + 20)
  for (const cursor of [null, afterFirst, afterSecond]) {
    t.strictSame((await read(cursor, NOW + REVOCATION_TTL + 20)).sessionIds, ['first'], 'what is ended anew is told anew')
  }
})

test('a subscription ends when its end function is called', async t => {
  const store = memoryStore()
  const heard: string[] = []
  const unsubscribe = store.subscribe!(ids => { heard.push(...ids) })
  await store.revoke({ sessionId: 'first', mustExist: false, ...CONTEXT })
  unsubscribe()
  await store.revoke({ sessionId: 'second', mustExist: false, ...CONTEXT })
  t.strictSame(heard, ['first'])
})

test('the mark of revokeUser is swept after a minute', async t => {
  let moment = 1000
  t.intercept(performance, 'now', { value: () => moment })
  const store = memoryStore()
  await store.revokeUser({ userId: 'a', ...CONTEXT })
  moment += 60_000
  await store.revokedSince(null, { ...CONTEXT, now: NOW + 60_000 })
  t.equal(await create(store, 'a', NOW, 60_001), false)
  moment += 1
  await store.revokedSince(null, { ...CONTEXT, now: NOW + 120_000 })
  t.equal(await create(store, 'a', NOW, 60_002), true)
})
