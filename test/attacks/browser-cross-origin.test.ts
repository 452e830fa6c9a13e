// Pages of neighbours, in a real browser, that try to act in the name of a user who is signed in by cookie: nothing happens. Each attack runs
// again with a defence switched off, and once with all of them off, where it succeeds.
import { isDeepStrictEqual } from 'node:util'
import type { FastifyError, FastifyInstance } from 'fastify'
import { test, type Test } from 'tap'
import { ATTACKS, attackBy, FORM } from '../support/attacks.ts'
import { openProfile, withoutBrowser } from '../support/browser.ts'
import {
  jarOf, openTab, sendCookiesAnywhere, signInBy, startHome, startNeighbours, vouchForEverybody, whoIs
} from '../support/neighbours.ts'

interface Damage {
  /** How the server answered each attack, by its name. */
  readonly outcomes: Record<string, string>
  /** The attacks that succeeded. */
  readonly successes: string[]
  /** Whether the cookies of the browser are what they were. */
  readonly jarIsSame: boolean
  /** Who the server takes the user's own page for. */
  readonly user: unknown
}

/** User 7 is signed in at home, and opens one page of a neighbour after the other. */
async function attack (t: Test, here: string, weaken: ReadonlyArray<(app: FastifyInstance) => unknown>): Promise<Damage> {
  const home = await startHome(t, { weaken })
  const context = await openProfile(t)
  const own = await openTab(context, home.origin)
  await signInBy(own)
  const jar = await jarOf(context)
  const outcomes: Record<string, string> = {}
  const successes: string[] = []
  for (const one of ATTACKS) {
    // Where the attack before has signed user 666 in, there is a user 7 to sign out again.
    if (one.name === 'a sign-out' && successes.length > 0) await signInBy(own)
    home.arrivals.length = 0
    home.acts.length = 0
    const tab = await openTab(context, here)
    outcomes[one.name] = await attackBy(tab, here, home, one)
    if (home.acts.includes(one.act)) successes.push(one.name)
    await tab.close()
  }
  return { outcomes, successes, jarIsSame: isDeepStrictEqual(await jarOf(context), jar), user: await whoIs(own) }
}

const names = ATTACKS.map(({ name }) => name)
const NEIGHBOURS = ['a sibling host', 'another port', 'another site', 'an address'] as const

for (const neighbour of NEIGHBOURS) {
  test(`a page of a neighbouring host changes nothing: ${neighbour}`, { skip: withoutBrowser }, async t => {
    const { origins } = await startNeighbours(t)
    const here = origins[neighbour]
    const isSameSite = neighbour === 'a sibling host' || neighbour === 'another port'
    const untouched = { successes: [], jarIsSame: true, user: 7 }

    await t.test('by the cookies as they are', async t => {
      const { outcomes, ...damage } = await attack(t, here, [])
      t.strictSame(damage, untouched)
      for (const [name, outcome] of Object.entries(outcomes)) {
        // SameSite keeps the cookies away from other sites, and from a frame whose origin is null.
        const carries = name === 'a sign-in as the attacker' || (isSameSite && !name.includes('sandboxed'))
        t.match(outcome, carries ? /^CROSS_ORIGIN$/ : /^(?:ACCESS|REFRESH)_MISSING$/, name)
      }
    })

    await t.test('by the proof alone, where a proxy strips SameSite', async t => {
      const { outcomes, ...damage } = await attack(t, here, [sendCookiesAnywhere])
      t.strictSame(damage, untouched)
      t.strictSame(outcomes, Object.fromEntries(names.map(name => [name, 'CROSS_ORIGIN'])))
    })

    await t.test('and every attack succeeds where a proxy vouches for everybody, too', async t => {
      const { successes, jarIsSame, user } = await attack(t, here, [sendCookiesAnywhere, vouchForEverybody])
      t.strictSame(successes, names)
      t.equal(jarIsSame, false)
      t.equal(user, 'ACCESS_MISSING', 'the last of them has signed the user out')
    })
  })
}

test('SameSite alone stops no page of the same site', { skip: withoutBrowser }, async t => {
  const { origins } = await startNeighbours(t)
  const { successes } = await attack(t, origins['a sibling host'], [vouchForEverybody])
  t.strictSame(successes, names.filter(name => !name.includes('sandboxed')))
})

/** What an application must not send: a page for 403 that loads itself again, here once. */
const RELOADING = '<!doctype html><title>Again</title><script>if (performance.getEntriesByType("navigation")[0].type !== "reload") location.reload()</script>'

test('an error page that reloads itself repeats the attack', { skip: withoutBrowser }, async t => {
  const { origins } = await startNeighbours(t)
  for (const reloads of [false, true]) {
    const home = await startHome(t, {
      weaken: [app => app.setErrorHandler((error: FastifyError, _request, reply) => {
        reply.code(error.statusCode ?? 500).type('text/html').send(reloads ? RELOADING : '<!doctype html><title>Refused</title>')
      })]
    })
    const context = await openProfile(t)
    await signInBy(await openTab(context, home.origin))
    const tab = await openTab(context, origins['a sibling host'])
    await tab.evaluate(`(() => { ${FORM}\n submit(${JSON.stringify(`${home.origin}/transfer`)}) })()`)
    const first = await home.arrived(/^POST \/transfer$/)
    t.match(first, { outcome: 'CROSS_ORIGIN', site: 'same-site' })
    if (reloads) {
      // Chromium takes the page that reloads for the one that sends: browsers may change that, and this test then fails.
      await tab.getByText('"user":7').waitFor()
      t.match(home.arrivals.filter(({ method }) => method === 'POST').at(-1), { url: '/transfer', site: 'same-origin', outcome: '200' })
    } else {
      await tab.waitForFunction('document.title === "Refused"')
    }
    t.strictSame(home.acts.filter(act => act === '7 transfers'), reloads ? ['7 transfers'] : [])
  }
})
