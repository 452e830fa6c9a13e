import fc from 'fast-check'
import t from 'tap'
t.setTimeout(0)
import { boundOwner } from '../support/model/bound.ts'
for (const [name, game] of [['bound', boundOwner]] as const) {
  t.test(name, { timeout: 0 }, async t => {
    const world = await game.open()
    t.teardown(() => world.close())
    let games = 0
    const details = await fc.check(fc.asyncProperty(game.draws, async draw => {
      games++
      const flaw = await world.time.run(() => game.play(world, draw))
      if (flaw !== null) throw new Error(flaw)
    }), { seed: 1, numRuns: Number(process.env.MODEL_RUNS ?? 50) })
    console.error(`${games} games`, details.failed)
    t.notOk(details.failed, (fc.defaultReportMessage(details) ?? 'ok').slice(0, 3000))
  })
}
