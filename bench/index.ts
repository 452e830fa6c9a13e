// All the benchmarks, one after the other.
import { startRedis, withoutServer } from '../test/support/redis.ts'
import { benchCookies } from './cookies.ts'
import { benchGuardedRoute } from './guarded-route.ts'
import { benchGuards } from './guards.ts'
import { benchIssue } from './issue.ts'
import { benchKeys } from './keys.ts'
import { benchPossession } from './possession.ts'
import { benchRefused } from './refused.ts'
import { benchScale } from './scale.ts'
import { benchSessions } from './sessions.ts'
import { benchStores } from './stores.ts'
import { benchVerify } from './verify.ts'

console.log(await benchGuardedRoute({ rounds: 15, count: 5_000, warmUp: 20_000, tokens: 5_000 }))
console.log(await benchRefused({ rounds: 31, count: 1_000, warmUp: 10_000 }))
console.log(await benchGuards({ rounds: 101, count: 10_000, warmUp: 100_000 }))
console.log(await benchCookies({ rounds: 101, count: 10_000, warmUp: 100_000 }))
console.log(await benchVerify({ rounds: 101, count: 3_000, warmUp: 60_000 }))
console.log(await benchIssue({ rounds: 51, count: 2_000, warmUp: 20_000 }))
console.log(await benchKeys({ rounds: 31, count: 300, warmUp: 3_000 }))

console.log(await benchPossession({ rounds: 31, count: 300, warmUp: 3_000 }))
console.log(await benchScale({ nodes: 200, sessions: 600, seconds: 60 }))

const ends: Array<() => unknown> = []
const owner = { teardown: (end: () => unknown) => ends.push(end) }
const redis = withoutServer ? undefined : await startRedis(owner)
console.log(await benchSessions({ rounds: 45, count: 5_000, warmUp: 20_000, tokens: 1_000 }, redis?.url))
console.log(await benchStores(owner, { rounds: 9, count: 1_000, warmUp: 2_000, sessions: 100_000 }))
for (const end of ends.reverse()) await end()
