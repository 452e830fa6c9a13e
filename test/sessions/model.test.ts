// Random games of clients, thieves and failing stores against the real plugin, in virtual time. MODEL_RUNS and MODEL_SEED play more and others.
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { boundOwner, unboundOwner } from '../support/model/bound.ts'
import { bursts } from '../support/model/bursts.ts'
import { carelessFeed, flushedFeed, lateFeed } from '../support/model/feed.ts'
import type { Game } from '../support/model/game.ts'
import { honestClient } from '../support/model/honest.ts'
import { logout } from '../support/model/logout.ts'
import { slowLogin } from '../support/model/slow-login.ts'
import { busyTabs, EXCUSED, promptTabs } from '../support/model/tabs.ts'
import { openDatabase } from '../support/sqlite.ts'
import { thief } from '../support/model/thief.ts'
import { memoryStore, sqliteStore, type SessionStore } from '../../lib/index.ts'
import type { World } from '../support/model/world.ts'

const SEED = Number(process.env.MODEL_SEED ?? 1)
const RUNS = Number(process.env.MODEL_RUNS ?? 200)

/** The stores that the games are played over which bring none of their own. */
const STORES: ReadonlyMap<string, () => SessionStore> = new Map([
  ['memory', () => memoryStore()],
  ['SQLite', () => sqliteStore(openDatabase(':memory:'))]
])

/** @returns what fast-check found, the smallest game and the seed included, and how many games were excused */
async function playAll<Draw, Place extends World> (t: Test, { open, draws, play }: Game<Draw, Place>, createStore = STORES.get('memory')!, numRuns = RUNS) {
  const world = await open(createStore)
  t.teardown(() => world.close())
  let excused = 0
  const property = fc.asyncProperty(draws, async draw => {
    const flaw = await world.time.run(() => play(world, draw))
    if (flaw === EXCUSED) excused++
    else if (flaw !== null) throw new Error(flaw)
  })
  return { details: await fc.check(property, { seed: SEED, numRuns }), excused: () => excused }
}

function rule<Draw, Place extends World> (name: string, game: Game<Draw, Place>, numRuns?: number): void {
  t.test(name, async t => {
    const { details } = await playAll(t, game, STORES.get('memory')!, numRuns)
    t.notOk(details.failed, fc.defaultReportMessage(details) ?? 'in every game')
  })
}

function ruleOfStores<Draw, Place extends World> (name: string, game: Game<Draw, Place>): void {
  for (const [store, createStore] of STORES) {
    t.test(`${name} (${store})`, async t => {
      const { details } = await playAll(t, game, createStore)
      t.notOk(details.failed, fc.defaultReportMessage(details) ?? 'in every game')
    })
  }
}

rule('an honest client with one refresh in flight stays signed in, whatever is lost, until the recovery window has passed', honestClient)
ruleOfStores('tabs on one jar stay signed in when no exchange is under way as grace runs out', bursts)
ruleOfStores('tabs that ask only when the access token has run out stay signed in while a request and a reply take less than grace', promptTabs)
rule('a thief and the owner do not both get a second token that the other has not', thief)
ruleOfStores('a logout is final, amid refreshes too', logout)
rule('a logout reaches the other process with the next poll, also when it is committed late', lateFeed)
rule('a logout stays one when the store forgets everything', flushedFeed)
ruleOfStores('a sign-in that began before its user was revoked is refused', slowLogin)

rule('the owner of a bound session stays signed in, whatever copies, stores and thieves do, and a thief without the key gets nothing', boundOwner)

t.test('the owner of an unbound session who does the same is logged out, or a thief is served', async t => {
  const { details } = await playAll(t, unboundOwner)
  t.ok(details.failed)
  t.match(String(details.errorInstance), /the owner was refused|a thief without the key was served/)
})

t.test('tabs that try again are logged out only across the edge of grace, and rarely', async t => {
  const { details, excused } = await playAll(t, busyTabs)
  t.notOk(details.failed, fc.defaultReportMessage(details) ?? 'in every game')
  t.comment(`three busy tabs were logged out in ${excused()} of ${RUNS} games`)
  t.ok(excused() <= RUNS * 0.08, `${excused()} of ${RUNS} games`)
})

t.test('a store that reads from its cursor, without the minute before, misses logouts that are committed late', async t => {
  const { details } = await playAll(t, carelessFeed)
  t.ok(details.failed)
  t.match(String(details.errorInstance), /a process that has polled lets an ended session pass/)
})
