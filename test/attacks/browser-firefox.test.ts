// The attacks of a sibling host and of another site once more, in Firefox.
import { test } from 'tap'
import { ATTACKS, attackBy } from '../support/attacks.ts'
import { ACCESS, REFRESH } from '../support/cookies.ts'
import { openFirefox, withoutFirefox } from '../support/firefox.ts'
import { signInBy, startHome, startNeighbours, vouchForEverybody, whoIs } from '../support/neighbours.ts'

const names = ATTACKS.map(({ name }) => name)

test('in Firefox, a page of a neighbouring host changes nothing', { skip: withoutFirefox }, async t => {
  const { origins } = await startNeighbours(t)
  // One for all: a sign-in at another port of the host overwrites the cookies of the one before.
  const firefox = await openFirefox(t)
  for (const neighbour of ['a sibling host', 'another site'] as const) {
    for (const weaken of [[], [vouchForEverybody]]) {
      const home = await startHome(t, { weaken })
      const own = await firefox.open(home.origin)
      await signInBy(own)
      const jar = await firefox.cookies()
      t.strictSame(Object.keys(jar).sort(), [ACCESS, REFRESH])
      const successes: string[] = []
      const outcomes: Record<string, string> = {}
      for (const attack of ATTACKS) {
        if (attack.name === 'a sign-out' && successes.length > 0) await signInBy(own)
        home.arrivals.length = 0
        home.acts.length = 0
        const tab = await firefox.open(origins[neighbour])
        outcomes[attack.name] = await attackBy(tab, origins[neighbour], home, attack)
        if (home.acts.includes(attack.act)) successes.push(attack.name)
        await tab.close()
      }
      const name = `${neighbour}${weaken.length > 0 ? ', a proxy that vouches for everybody' : ''}`
      if (weaken.length === 0) {
        t.strictSame(successes, [], name)
        t.strictSame(await firefox.cookies(), jar, name)
        t.equal(await whoIs(own), 7, name)
        t.equal(outcomes['a form in a frame'], neighbour === 'a sibling host' ? 'CROSS_ORIGIN' : 'ACCESS_MISSING', name)
        t.equal(outcomes['a sign-in as the attacker'], 'CROSS_ORIGIN', name)
      } else {
        // SameSite still keeps the cookies away from other sites, and from a frame whose origin is null.
        const open = neighbour === 'a sibling host' ? names.filter(name => !name.includes('sandboxed')) : ['a sign-in as the attacker']
        t.strictSame(successes, open, name)
      }
    }
  }
})
