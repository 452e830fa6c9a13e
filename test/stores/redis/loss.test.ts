// What Redis may lose, and what its clock may do, without a session that was ended coming back.
import type { Redis } from 'ioredis'
import { test, type Test } from 'tap'
import { redisStore } from '../../../lib/index.ts'
import { bearer } from '../../support/app.ts'
import { eventOf, startRedis, startSteppingRedis, withoutServer, withoutSteppedClock } from '../../support/redis.ts'
import { keysFor } from '../../support/redis-record.ts'
import { createSessionApp, createToldStore, outcomeOf, PATH, type SessionApp, type SessionAppOptions } from '../../support/session-app.ts'
import { claimsIn, NOW } from '../../support/tokens.ts'

const KEYS = keysFor()
const HOUR = 3600
const POLLED = { pollInterval: 0.01, storeTimeout: 5 }

/** A process: its own client, store and memory. Its clock is a minute late if it is to have been there before. */
async function boot (t: Test, client: Redis, options: SessionAppOptions = {}): Promise<SessionApp> {
  return await createSessionApp(t, { told: createToldStore(redisStore(client), false), sessions: POLLED, ...options })
}

const BEFORE = { now: () => (NOW - 60) * 1000 }

async function signOut ({ app }: SessionApp, token: string): Promise<void> {
  await app.inject({ method: 'DELETE', url: PATH, headers: bearer(token) })
}

async function until (isSo: () => Promise<boolean>): Promise<void> {
  while (!await isSo());
}

const keyOf = (token: string): string => KEYS.session(claimsIn(token).sid as string)

test('every process that remembers a sign-out writes it again when Redis has lost it', { skip: withoutServer }, async t => {
  const redis = await startRedis(t)
  const [client, other] = [await redis.connect({ retryStrategy: () => 20 }), await redis.connect({ retryStrategy: () => 20 })]
  const here = await boot(t, client)
  const [leaving, staying] = [await here.signIn(), await here.signIn()]
  const removed = await here.app.dualToken.issueTokens({ user_id: 'x', role: 'member' })
  await client.save()
  await signOut(here, leaving.token)
  await here.app.dualToken.revokeUser('x')

  const back = [eventOf(client, 'ready'), eventOf(other, 'ready')]
  await redis.stop()
  await redis.restart()
  await Promise.all(back)
  for (const { token } of [leaving, removed]) await until(async () => await client.exists(keyOf(token)) === 0)

  const there = await boot(t, other)
  for (const process of [here, there]) {
    for (const { token, refresh_token: refreshed } of [leaving, removed]) {
      t.equal(await process.me(token), 'ACCESS_REVOKED')
      t.equal(outcomeOf(await process.renew(refreshed)), 'REFRESH_REVOKED')
    }
    t.equal(await process.me(staying.token), '200')
    t.equal(outcomeOf(await process.renew(staying.refresh_token)), '201')
  }
})

test('a sign-out that no running process remembers is lost with Redis', { skip: withoutServer }, async t => {
  const redis = await startRedis(t)
  const client = await redis.connect({ retryStrategy: () => 20 })
  const before = await boot(t, client)
  const leaving = await before.signIn()
  await client.save()
  await signOut(before, leaving.token)
  await before.app.close()
  const back = eventOf(client, 'ready')
  await redis.stop()
  await redis.restart()
  await back
  t.equal(outcomeOf(await (await boot(t, client)).renew(leaving.refresh_token)), '201')
})

test('when only the feed or its epoch is lost, a new process refuses older access tokens, and nothing else', { skip: withoutServer }, async t => {
  const redis = await startRedis(t)
  for (const lost of ['feed', 'epoch'] as const) {
    const client = await redis.connect()
    await client.flushall()
    const here = await boot(t, client, { ...BEFORE, sessions: { ...POLLED, pollInterval: '1h', maxStaleness: '2h' } })
    const signedIn = [await here.signIn(), await here.signIn()]
    for (const { token } of signedIn) await signOut(here, token)
    await client.del(KEYS[lost])

    const there = await boot(t, client)
    for (const { token } of signedIn) t.equal(await there.me(token), lost === 'feed' ? 'ACCESS_EXPIRED' : 'ACCESS_REVOKED')
    t.equal(await there.me((await there.signIn()).token), '200')
  }
})

test('when the clock of Redis has stepped, a new process accepts no token that was revoked, and every fresh one', { skip: withoutSteppedClock }, async t => {
  for (const steps of [[3 * HOUR], [3 * HOUR, 0], [5 * HOUR, 0], [-3 * HOUR], [-3 * HOUR, 0], [90]]) {
    const redis = await startSteppingRedis(t)
    const [client, other] = [await redis.connect(), await redis.connect()]
    const here = await boot(t, client, BEFORE)
    const signedIn = await Promise.all(Array.from({ length: 20 }, () => here.signIn()))
    for (const { token } of signedIn) await signOut(here, token)
    for (const seconds of steps) {
      redis.step(seconds)
      // Reads that began before the step are over after the second one that was asked after it.
      const calls = here.calls.length
      await until(async () => {
        await client.ping()
        return here.calls.slice(calls).filter(([method]) => method === 'revokedSince').length > 2
      })
    }
    const there = await boot(t, other)
    for (const { token, refresh_token: refreshed } of signedIn) {
      t.match(await there.me(token), /^ACCESS_(EXPIRED|REVOKED)$/, `steps to ${steps}`)
      t.equal(outcomeOf(await there.renew(refreshed)), 'REFRESH_REVOKED')
    }
    t.equal(await there.me((await there.signIn()).token), '200', `a fresh one, after steps to ${steps}`)
  }
})

test('when the clock of Redis has stepped back, the mark of revokeUser refuses no later sign-in', { skip: withoutSteppedClock }, async t => {
  const redis = await startSteppingRedis(t)
  const { app } = await boot(t, await redis.connect())
  await app.dualToken.revokeUser(7)
  redis.step(-HOUR)
  const earlier = performance.now()
  await t.rejects(app.dualToken.issueTokens({ user_id: 7, role: 'member' }, { startedAt: earlier - 1000 }), { code: 'FST_DUAL_TOKEN_LOGIN_REFUSED' })
  await t.resolves(app.dualToken.issueTokens({ user_id: 7, role: 'member' }))
})

test('when the clock of Redis has stepped back, a displaced token has no grace again', { skip: withoutSteppedClock }, async t => {
  const redis = await startSteppingRedis(t)
  const { signIn, renew, me, clock } = await boot(t, await redis.connect())
  const { refresh_token: first } = await signIn()
  clock.advance(1)
  const next = (await renew(first)).json()
  t.equal(await me(next.token), '200')
  t.equal(outcomeOf(await renew(first)), '201', 'within grace')
  redis.step(HOUR)
  redis.step(-HOUR)
  clock.advance(60)
  t.equal(outcomeOf(await renew(first)), 'REFRESH_REUSED')
})

test('while Redis hangs, a bounded number of calls waits for it, and a sign-out takes effect when it recovers', { skip: withoutServer }, async t => {
  const redis = await startRedis(t)
  const client = await redis.connect()
  const { app, signIn, renew } = await boot(t, client, { sessions: { ...POLLED, storeTimeout: 0.05, pollInterval: '1h', maxStaleness: '2h' } })
  const [leaving, staying] = [await signIn(), await signIn()]
  const { commandQueue, offlineQueue } = client as unknown as Record<'commandQueue' | 'offlineQueue', { length: number }>
  const queued = (): number => commandQueue.length + offlineQueue.length
  redis.process.kill('SIGSTOP')
  const post = () => app.inject({ method: 'POST', url: PATH, payload: { password: 'good' } })
  const replies = await Promise.all(Array.from({ length: 3000 }, post))
  t.ok(queued() <= 1000, `${queued()} commands wait`)
  t.strictSame(new Set(replies.map(outcomeOf)), new Set(['STORE_UNAVAILABLE']))
  t.equal(outcomeOf(await app.inject({ method: 'DELETE', url: PATH, headers: bearer(leaving.token) })), 'STORE_UNAVAILABLE')
  t.equal(queued(), 1001, 'that of who signs out has its place')
  t.equal(outcomeOf(await renew(staying.refresh_token)), 'STORE_UNAVAILABLE')
  redis.process.kill('SIGCONT')

  await until(async () => await client.exists(keyOf(leaving.token)) === 0)
  const sessions = await client.zcard(KEYS.index(7))
  t.ok(sessions <= 1001, `${sessions} sessions were made in vain`)
  await until(async () => outcomeOf(await renew(staying.refresh_token)) === '201')
})
