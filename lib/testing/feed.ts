// The contract of `revokedSince` and `subscribe`: a reader of the feed misses no revocation.
import assert from 'node:assert/strict'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { createRandom } from '../tokens/session-claims.ts'
import { GRACE, type Setting } from './setting.ts'

/** Milliseconds within which a push must arrive; a working store needs far less. */
const PATIENCE = 10_000
/** Calls under way at a time: a client may limit the time of each, as node-redis 6 does. */
const AT_ONCE = 2_050

export const feedCases = {
  async 'the feed tells of every way in which a session ends' (setting: Setting) {
    const { create, rotate, confirm, revoke, revokeUser, pass, readFeed } = setting
    const { cursor } = await readFeed()
    const [revoked, reused, displaced, ofUser] = [await create(), await create(), await create(), await create()]
    await revoke(revoked.id)
    await rotate(reused, 0, { nonceHash: '' })
    await rotate(displaced, 0)
    await pass(GRACE + 1, displaced)
    await rotate(displaced, 0)
    await confirm(displaced, 1)
    await revokeUser()
    for (const from of [null, cursor]) {
      const { ids } = await readFeed(from)
      for (const session of [revoked, reused, displaced, ofUser]) assert.ok(ids.has(session.id), 'the feed tells of each')
    }
  },

  async 'from its cursor, the feed tells of all that was revoked since' ({ revoke, readFeed }: Setting) {
    let { cursor } = await readFeed()
    for (let i = 0; i < 20; i++) {
      const id = createRandom()
      await revoke(id)
      const page = await readFeed(cursor)
      assert.ok(page.ids.has(id), 'it is told')
      cursor = page.cursor
    }
  },

  async 'from any cursor, however old, the feed tells of all that was revoked since' ({ revoke, readFeed }: Setting) {
    const ids: string[] = []
    const cursors: string[] = []
    for (let i = 0; i < 20; i++) {
      cursors.push((await readFeed()).cursor)
      ids.push(createRandom())
      await revoke(ids[i]!)
    }
    for (const [i, cursor] of cursors.entries()) {
      const page = await readFeed(cursor)
      assert.ok(ids.slice(i).every(id => page.ids.has(id)), 'all are told')
    }
  },

  async 'who reads while sessions are revoked misses none' ({ revoke, readFeed }: Setting) {
    const heard = new Set<string>()
    let { cursor } = await readFeed()
    const read = async (): Promise<void> => {
      const page = await readFeed(cursor)
      for (const id of page.ids) heard.add(id)
      cursor = page.cursor
    }
    for (let round = 0; round < 20; round++) {
      const ids = Array.from({ length: 20 }, createRandom)
      const all = ids.map(id => revoke(id))
      await Promise.all([...all.slice(10), read()])
      await Promise.all(all)
      await read()
      assert.ok(ids.every(id => heard.has(id)), 'all are told')
    }
  },

  async 'thousands of revocations at once are all told, page by page, and what is revoked between two pages too' (setting: Setting) {
    const { store, context, revoke, readFeed } = setting
    const { cursor } = await readFeed()
    const ids = Array.from({ length: 20_500 }, createRandom)
    for (let i = 0; i < ids.length; i += AT_ONCE) await Promise.all(ids.slice(i, i + AT_ONCE).map(id => revoke(id)))
    for (const from of [null, cursor]) {
      const first = await store.revokedSince(from, context())
      ids.push(createRandom())
      await revoke(ids.at(-1)!)
      const rest = await readFeed(first.cursor)
      const last = await readFeed(rest.cursor)
      const told = new Set([...first.sessionIds, ...rest.ids, ...last.ids])
      assert.ok(ids.every(id => told.has(id)), 'all are told')
    }
  },

  async 'the epoch stays while nothing is lost' ({ create, revoke, revokeUser, readFeed }: Setting) {
    const first = await readFeed()
    const session = await create()
    await revoke(session.id)
    await revokeUser()
    assert.equal((await readFeed(first.cursor)).epoch, first.epoch)
    assert.equal((await readFeed()).epoch, first.epoch)
  },

  async 'the feed says since when it remembers, and that moment stays' ({ pass, readFeed, revoke }: Setting) {
    const first = await readFeed()
    assert.ok(first.age >= 0, 'it began in the past')
    await revoke(createRandom())
    await pass(1000)
    const second = await readFeed(first.cursor)
    assert.ok(second.age >= first.age, 'it did not begin anew')
  },

  async 'a feed never began in the future, though its clock has stepped back' ({ readFeed, pass }: Setting) {
    const { cursor } = await readFeed()
    await pass(-24 * GRACE)
    for (const from of [null, cursor]) assert.ok((await readFeed(from)).age >= 0, 'it began now, or before')
  },

  async 'a subscriber hears of each revocation' (setting: Setting) {
    await whileListening(setting, async heard => {
      assert.ok([...heard].every(id => id.length === 22), 'ids are told one by one')
    })
  },

  async 'a subscriber hears of all sessions that revokeUser ends' (setting: Setting) {
    const { create, revokeUser } = setting
    await whileListening(setting, async heard => {
      const sessions = [await create(), await create(), await create()]
      await revokeUser()
      await untilPushed(() => sessions.every(({ id }) => heard.has(id)))
    })
  }
}

/** Runs a step with the pushed ids, after the first push of this case has arrived. Skips the step for a store that does not push. */
async function whileListening ({ store, revoke }: Setting, step: (heard: ReadonlySet<string>) => Promise<void>): Promise<void> {
  if (store.subscribe === undefined) return
  const heard = new Set<string>()
  const told: string[] = []
  const unsubscribe = store.subscribe(ids => { for (const id of ids) heard.add(id) })
  try {
    await untilPushed(async turn => {
      // A subscription may take a while to start, and misses earlier revocations. So this revokes again, ever less often.
      if (turn === 2 ** told.length) {
        told.push(createRandom())
        await revoke(told.at(-1)!)
      }
      return told.some(id => heard.has(id))
    })
    await step(heard)
  } finally {
    unsubscribe()
  }
}

/** @param isSo called at every turn of the event loop, with the number of the turn */
async function untilPushed (isSo: (turn: number) => boolean | Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + PATIENCE
  for (let turn = 1; !await isSo(turn); turn++) {
    assert.ok(performance.now() < giveUpAt, `revocations were not pushed within ${PATIENCE} ms`)
    await nextTurn()
  }
}
