import { randomUUID } from 'node:crypto'
import { test } from 'tap'
import { newSession } from '../../lib/testing/setting.ts'
import { memoryStore, type SessionStore } from '../../lib/index.ts'
import { runStoreContract, storeContract } from '../../lib/testing/index.ts'

test('the memory store keeps the contract', async t => {
  const cases = storeContract(() => memoryStore({ maxSessions: 5000 }), {
    async fill (store) {
      const now = Date.now()
      const userId = randomUUID()
      const fillOne = async (): Promise<unknown> => await store.create(newSession(userId, now), { now, revocationTtl: 0, elapsed: 0 })
      await t.rejects(async () => { for (;;) await fillOne() }, { message: 'the memory store is full: 5000 sessions' })
      return async () => await store.revokeUser({ userId, now, revocationTtl: 0 })
    }
  })
  for (const { name, run } of cases) await t.test(name, run)
})

test('runStoreContract resolves for a store that keeps it, with the optional duties that it leaves out', async t => {
  t.strictSame(await runStoreContract(() => memoryStore()), ['newSessionId'])
  const simple = (): SessionStore => {
    const { duties, reauthenticate, ...store } = memoryStore()
    return store
  }
  t.strictSame(await runStoreContract(simple), ['limit', 'label', 'lifetime', 'except', 'possession', 'reauthenticate', 'newSessionId'])
})

test('a case says whether its duty is an optional one, and whether it was tried', async t => {
  const cases = storeContract(() => memoryStore())
  t.equal(await cases.find(({ duty }) => duty === 'newSessionId')!.run(), false)
  t.equal(await cases.find(({ duty }) => duty === 'limit')!.run(), true)
  t.equal(await cases.find(({ duty }) => duty === null)!.run(), true)
})

test('runStoreContract names the cases that fail, and closes every store', async t => {
  let closed = 0
  const close = async () => { closed++ }
  const forgetful = (): SessionStore => {
    const { subscribe, ...store } = memoryStore()
    return { ...store, close, revoke: async () => true }
  }
  const error = await runStoreContract(forgetful).catch(error => error)
  t.ok(error instanceof AggregateError)
  t.match(error.message, /^The store does not keep its contract:\n- /)
  const names = error.message.split('\n- ').slice(1)
  t.ok(names.includes('a revoked session is ended for ever'))
  t.notOk(names.includes("the login's own token is rotated, at once too"))
  t.equal(error.errors.length, names.length)
  t.equal(closed, storeContract(forgetful).length)
})

test('a case that fails ends its subscription, and has not revoked without end', async t => {
  let [moment, revoked, listening] = [0, 0, 0]
  performance.now = () => moment++
  t.teardown(() => Reflect.deleteProperty(performance, 'now'))
  const mute = (): SessionStore => {
    const store = memoryStore()
    return {
      ...store,
      revoke (attempt) {
        revoked++
        return store.revoke(attempt)
      },
      subscribe () {
        listening++
        return () => { listening-- }
      }
    }
  }
  const cases = storeContract(mute).filter(({ name }) => name.startsWith('a subscriber'))
  t.equal(cases.length, 2)
  for (const { run } of cases) await t.rejects(run(), { code: 'ERR_ASSERTION', message: /were not pushed within/ })
  t.equal(listening, 0)
  t.ok(revoked < 50, `${revoked} revocations`)
})
