// A scale → what the real code of so many processes asks of one store, counted in virtual time.
import { strictEqual } from 'node:assert'
import Fastify from 'fastify'
import { createRefusals } from '../lib/errors.ts'
import { memoryStore } from '../lib/index.ts'
import { readSessions } from '../lib/options/sessions.ts'
import { createSessions, type Sessions } from '../lib/sessions/sessions.ts'
import type { SessionStore } from '../lib/sessions/store.ts'
import { createSessionClaims, type SessionClaims } from '../lib/tokens/session-claims.ts'
import type { RefreshClaims } from '../lib/tokens/types.ts'
import { createTime, type Time } from '../test/support/model/time.ts'
import { READ_TIME, SKEW, type Figures, type Scale } from './scale-formula.ts'

const CLIENT = { ip: '192.0.2.1', userAgent: 'bench' }
const REFRESH_LIFETIME = 1_209_600

/** What one client holds. */
interface Holder {
  readonly userId: number
  session: SessionClaims
}

/** @param seconds how long to count, once as much is forgotten as is told */
export async function simulate (scale: Scale, seconds: number): Promise<Figures> {
  const time = createTime()
  const random = createRandomNumbers()
  const { store, counts, kept } = createCountingStore(scale, time)
  const { log } = Fastify()
  const nodes = Array.from({ length: scale.nodes }, () => createSessions({
    settings: readSessions({ store, pollInterval: scale.pollInterval }, scale.accessLifetime, REFRESH_LIFETIME),
    now: time.now,
    userIdOf: claims => claims.user_id as number,
    createRefusal: createRefusals(undefined),
    log
  }))
  const anyNode = (): Sessions => nodes[Math.floor(random() * nodes.length)]!
  const ended: string[] = []

  async function signIn (userId: number): Promise<Holder> {
    const node = anyNode()
    const session = createSessionClaims(node.newId(userId), time.now(), REFRESH_LIFETIME)
    const origin = { userId, client: CLIENT, startedAt: performance.now(), label: null, lifetime: null }
    strictEqual(await node.create(session, origin), 'created')
    return { userId, session }
  }

  async function refresh (holder: Holder): Promise<void> {
    const { sid, gen, nonce, expiresAt } = holder.session
    const claims: RefreshClaims = { user_id: holder.userId, sid, gen, n: nonce, refresh: true, exp: expiresAt / 1000 }
    holder.session = await anyNode().rotate(claims, holder.userId, CLIENT, null)
  }

  function use ({ userId, session: { sid, gen, now } }: Holder): void {
    const iat = Math.floor(now / 1000)
    const exp = iat + scale.accessLifetime
    const verdict = { claims: { user_id: userId, sid, gen, refresh: false, iat, exp }, refusal: null, from: iat, until: exp, token: '' } as const
    strictEqual(anyNode().check(verdict).refusal, null)
  }

  async function play (): Promise<Figures> {
    for (const node of nodes) {
      await node.open(0)
      await time.sleep(scale.pollInterval * 1000 / nodes.length)
    }
    const holders: Holder[] = []
    for (let i = 0; i < scale.sessions; i++) holders.push(await signIn(i))

    /** Each holder comes `requests` times in an access lifetime, and refreshes at one of them. */
    const gap = scale.accessLifetime * 1000 / scale.sessions / scale.requests
    let visits = 0
    let owed = 0
    async function live (milliseconds: number): Promise<void> {
      for (const until = time.now() + milliseconds; time.now() < until; visits++) {
        await time.sleep(gap)
        const holder = holders[visits % scale.sessions]!
        const round = Math.floor(visits / scale.sessions)
        if ((round + visits % scale.sessions) % scale.requests === 0) await refresh(holder)
        use(holder)
        for (owed += gap / 1000 / scale.signedOutAfter * scale.sessions; owed >= 1; owed--) {
          const index = Math.floor(random() * holders.length)
          const { userId, session: { sid } } = holders[index]!
          strictEqual(await anyNode().revoke.session(sid, { userId, reason: 'logout' }), true)
          ended.push(sid)
          holders[index] = await signIn(userId)
        }
      }
    }

    await live((scale.accessLifetime + SKEW + scale.wire.overlap + 2 * scale.pollInterval) * 1000)
    const before = { ...counts }
    await live(seconds * 1000)
    const perSecond = (name: keyof typeof counts): number => (counts[name] - before[name]) / seconds
    const remembered = nodes.map(({ feed }) => ended.filter(feed.isRevoked).length).reduce((sum, count) => sum + count, 0)
    const figures = {
      refreshes: perSecond('rotate'),
      confirmations: perSecond('confirm'),
      revocations: perSecond('revoke'),
      polls: perSecond('polls'),
      ids: perSecond('ids') / nodes.length,
      bytes: perSecond('bytes') / nodes.length,
      remembered: remembered / nodes.length,
      kept: await kept()
    }
    await Promise.all(nodes.map(node => node.close()))
    return figures
  }

  return await time.run(play)
}

/** The memory store, as if it were at the other end of a wire: it is polled from `overlap` before the cursor, and each byte counts. */
function createCountingStore ({ wire, accessLifetime, sessions }: Scale, time: Time) {
  const { inProcess, subscribe, ...inner } = memoryStore({ maxSessions: sessions * 2 })
  const counts = { rotate: 0, confirm: 0, revoke: 0, polls: 0, ids: 0, bytes: 0 }
  let told: Array<{ readonly id: string, readonly at: number }> = []
  subscribe!(ids => { for (const id of ids) told.push({ id, at: time.now() }) })

  function toldSince (moment: number): string[] {
    const first = told.findLastIndex(({ at }) => at < moment) + 1
    return told.slice(first).map(({ id }) => id)
  }

  const store: SessionStore = {
    ...inner,
    rotate (attempt) {
      counts.rotate++
      return inner.rotate(attempt)
    },
    confirm (confirmation) {
      counts.confirm++
      return inner.confirm(confirmation)
    },
    revoke (revocation) {
      counts.revoke++
      return inner.revoke(revocation)
    },
    async revokedSince (cursor, context) {
      await time.sleep(READ_TIME * 1000)
      const startedAt = time.now()
      const page = await inner.revokedSince(wire.overlap === 0 ? cursor : null, context)
      told = told.filter(({ at }) => at >= startedAt - context.revocationTtl)
      const answer = wire.overlap === 0
        ? page
        : { ...page, more: false, cursor: String(startedAt), sessionIds: toldSince(Number(cursor ?? -Infinity) - wire.overlap * 1000) }
      counts.polls++
      counts.ids += answer.sessionIds.length
      counts.bytes += wire.shards * wire.poll + answer.sessionIds.length * wire.id
      return answer
    },
    ...(wire.push > 0 && {
      subscribe: (listener: (sessionIds: readonly string[]) => void) => subscribe!(ids => {
        counts.bytes += ids.length * wire.push
        listener(ids)
      })
    })
  }

  /** How many revocations the store itself remembers. */
  async function kept (): Promise<number> {
    const context = { now: time.now(), revocationTtl: (accessLifetime + SKEW) * 1000 }
    let count = 0
    for (let cursor: string | null = null, more = true; more;) {
      const page = await inner.revokedSince(cursor, context)
      count += page.sessionIds.length
      ;({ cursor, more } = page)
    }
    return count
  }

  return { store, counts, kept }
}

/** The same numbers at each run, from 0 to 1. */
function createRandomNumbers (): () => number {
  let state = 1
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}
