// Processes of their own on one Redis: what they promise together, and what they do when it fails.
import type { Redis } from 'ioredis'
import { test, type Test } from 'tap'
import { commandsDuring, dumpOf, eventOf, keysOf, startRedis, withoutServer } from '../../support/redis.ts'
import { backdate as age, isConfirmed, keysFor } from '../../support/redis-record.ts'
import {
  login, logout, patiently, refresh, refreshesAtOnce, sessionIn, signIn, signInBothWays, startSessionServer, tokensOf, until, visit,
  type Reply, type ServerProcess
} from '../../support/session-process.ts'
import { accessToken } from '../../support/tokens.ts'

const KEYS = keysFor()
const HOUR = 3_600_000

/** Polled at boot and never again while a test runs, so that whatever they hear later was pushed. Nothing is beyond their grace by itself. */
const PUSHED = { pollInterval: '1h', maxStaleness: '2h', grace: '1h' } as const
const POLLED = { pollInterval: 0.05, grace: '1h' } as const
/** Each refresh rotates. */
const GRACELESS = { pollInterval: 0.05, grace: 0 } as const

/** As if a session had been rotated so much earlier. */
async function backdate (admin: Redis, token: string, milliseconds: number): Promise<void> {
  await age(admin, KEYS.session(sessionIn(token).sid), milliseconds)
}

function isUnavailable (t: Test, { status, headers, body }: Reply, what: string): void {
  t.equal(status, 503, what)
  t.equal(body.code, 'FST_DUAL_TOKEN_STORE_UNAVAILABLE', what)
  t.match(headers.get('retry-after'), /^\d+$/, what)
}

test('processes on one Redis', { skip: withoutServer }, async t => {
  const redis = await startRedis(t, [
    '--appendonly', 'yes', '--appendfsync', 'always',
    '--user', 'here', 'on', '>here', '~*', '&*', '+@all',
    '--user', 'deaf', 'on', '>deaf', '~*', '&*', '+@all', '-subscribe'
  ])
  const admin = await redis.connect({ retryStrategy: () => 20 })
  await beginAnew()

  const [here, there, deaf, graceless] = await Promise.all([
    startSessionServer(t, redis.url.replace('//', '//here:here@'), PUSHED),
    startSessionServer(t, redis.url, PUSHED),
    startSessionServer(t, redis.url.replace('//', '//deaf:deaf@'), POLLED),
    startSessionServer(t, redis.url, GRACELESS)
  ])
  const servers = [here, there, deaf, graceless]
  const issued: string[] = []
  const everywhere = (i: number): ServerProcess => servers[i % 3]!

  /** An empty Redis, whose feed remembers the last hour. */
  async function beginAnew (): Promise<void> {
    const [seconds] = await admin.time()
    await admin.multi().flushall().hset(KEYS.epoch, 'id', 'first', 'since', Number(seconds) * 1000 - HOUR).zadd(KEYS.feed, '+inf', 'first').exec()
  }

  async function listeners (): Promise<unknown> {
    const [, count] = await admin.pubsub('NUMSUB', KEYS.channel) as unknown[]
    return count
  }

  /** Ends a session on one process, when all that can listen do so, and asks the others until they refuse it, too. */
  async function isHeard (t: Test): Promise<void> {
    while (await listeners() !== 3) await admin.ping()
    const others = [there, deaf]
    const { access, refresh: token } = tokensOf(await patiently(() => login(here)))
    for (const other of others) t.equal((await visit(other, access)).status, 200)
    t.equal((await patiently(() => logout(here, token))).status, 204)
    t.equal((await visit(here, access)).status, 401, 'where it was ended, it is refused at once')
    for (const other of others) t.equal((await until(401, () => visit(other, access))).body.code, 'FST_DUAL_TOKEN_ACCESS_REVOKED')
  }

  await t.test('50 refreshes of one token at once end with one successor, round after round', async t => {
    issued.push(...await refreshesAtOnce(t, here, everywhere, async token => await backdate(admin, token, 2 * HOUR)))
  })

  await t.test('after a logout, no token of the session refreshes, whatever was in flight', async t => {
    for (let round = 0; round < 8; round++) {
      const { access, refresh: token } = await signIn(everywhere(round))
      const racing = Array.from({ length: 12 }, (_, i) => i === round ? logout(here, token) : refresh(everywhere(i), token))
      const replies = await Promise.all(racing)
      t.equal(replies[round]!.status, 204)
      const granted = replies.filter(({ status }) => status === 201).map(tokensOf)
      for (const { status, body } of replies.filter(({ status }) => status !== 201 && status !== 204)) {
        t.equal(status, 403)
        t.equal(body.code, 'FST_DUAL_TOKEN_REFRESH_REVOKED')
      }
      for (const old of new Set([token, ...granted.map(({ refresh }) => refresh)])) {
        for (const server of servers) t.equal((await refresh(server, old)).status, 403)
      }
      for (const old of [access, ...granted.map(({ access }) => access)]) t.equal((await visit(here, old)).status, 401)
    }
  })

  await t.test('a revocation is pushed to other processes, and polled where push is cut', async t => {
    await isHeard(t)
    t.equal(await listeners(), 3, 'all but one listen')
  })

  await t.test('1,000 guarded requests send no command, and a refresh sends one', async t => {
    const { access, refresh: token } = tokensOf(await refresh(here, (await signIn(here)).refresh))
    await visit(here, access)
    while (!await isConfirmed(admin, KEYS.session(sessionIn(token).sid))) await admin.ping()

    const list = await admin.client('LIST') as string
    const addresses = list.split('\n').filter(line => line.includes(' user=here ')).map(line => / addr=(\S+)/.exec(line)![1]!)
    t.equal(addresses.length, 2, 'one that asks and one that listens')
    const sentFromHere = async (happen: () => Promise<unknown>): Promise<string[]> =>
      (await commandsDuring(redis, happen)).filter(({ source }) => addresses.includes(source)).map(({ command }) => command)

    const guarded = await sentFromHere(async () => {
      for (let i = 0; i < 20; i++) {
        const replies = await Promise.all(Array.from({ length: 50 }, () => visit(here, access)))
        t.ok(replies.every(({ status }) => status === 200))
      }
    })
    t.strictSame(guarded, [])
    await backdate(admin, token, 2 * HOUR)
    t.strictSame(await sentFromHere(async () => tokensOf(await refresh(here, token))), ['evalsha'])
  })

  await t.test('Redis holds one key per live session, one per user, and the feed; every key expires, and none can be turned into a token', async t => {
    await beginAnew()
    const users = ['b', 'c', 'd']
    const signedIn = await Promise.all(Array.from({ length: 12 }, (_, i) => signIn(everywhere(i), users[i % 3])))
    const rotated = await Promise.all(signedIn.slice(0, 6).map(async ({ refresh: token }, i) => tokensOf(await refresh(everywhere(i), token))))
    await Promise.all(signedIn.slice(8).map(({ access }, i) => logout(everywhere(i), access)))
    issued.push(...[...signedIn, ...rotated].flatMap(tokens => Object.values(tokens)))

    const keys = await keysOf(admin)
    const count = (start: string): number => keys.filter(key => key.startsWith(start)).length
    t.strictSame([count(KEYS.session('')), count(KEYS.index('').slice(0, -22)), count(KEYS.feed), count(KEYS.epoch)], [8, 3, 1, 1])
    t.equal(keys.length, 13)
    for (const key of keys) t.ok(await admin.pttl(key) > 0, key)

    const dump = await dumpOf(admin)
    t.ok(dump.includes(sessionIn(rotated[0]!.refresh).sid))
    for (const secretOf of [(token: string) => token.split('.')[2]!, (token: string) => sessionIn(token).n]) {
      t.strictSame(issued.map(secretOf).filter(secret => dump.includes(secret)), [])
    }
    t.notMatch(dump, /eyJ/)
  })

  await t.test('while Redis hangs, requests that need it get a 503, guards go on, and the same tokens work afterwards', async t => {
    const [kept, leaving] = [await signInBothWays(here), await signIn(here)]
    redis.process.kill('SIGSTOP')
    const asked = ['refresh', 'refresh', 'login', 'logout'] as const
    const replies = Promise.all([...kept.map(({ refresh: token }) => refresh(here, token)), login(here), logout(here, leaving.refresh)])
    for (const server of servers) t.equal((await visit(server, kept[0].access)).status, 200)
    for (const [i, reply] of (await replies).entries()) isUnavailable(t, reply, asked[i]!)
    t.equal((await visit(here, leaving.access)).status, 200, 'nothing was ended that was not answered')
    redis.process.kill('SIGCONT')

    for (const { refresh: token } of kept) {
      const next = tokensOf(await patiently(() => refresh(here, token)))
      t.equal(sessionIn(next.refresh).gen, 1, 'the refresh that was not answered and the one that was are one')
      t.equal((await visit(there, next.access)).status, 200)
    }
    t.equal((await patiently(() => logout(here, leaving.refresh))).status, 204)
    t.equal((await refresh(there, leaving.refresh)).status, 403)
    await isHeard(t)
  })

  for (const [name, breakIt, mendIt] of [
    ['is full', () => admin.config('SET', 'maxmemory', '1'), () => admin.config('SET', 'maxmemory', '0')],
    ['has become a replica', () => admin.call('REPLICAOF', '127.0.0.1', '1'), () => admin.call('REPLICAOF', 'NO', 'ONE')]
  ] as const) {
    await t.test(`a Redis that ${name} refuses nobody for good`, async t => {
      const [kept, leaving] = [await signInBothWays(here), await signIn(here)]
      await breakIt()
      for (const { refresh: token } of kept) isUnavailable(t, await refresh(here, token), 'refresh')
      isUnavailable(t, await login(here), 'login')
      if (name === 'is full') t.equal((await logout(here, leaving.refresh)).status, 204, 'who signs out is signed out')
      else isUnavailable(t, await logout(here, leaving.refresh), 'logout')
      for (const server of servers) t.equal((await visit(server, kept[0].access)).status, 200)
      await mendIt()
      for (const { refresh: token } of kept) {
        t.equal(sessionIn(tokensOf(await refresh(here, token)).refresh).gen, 1)
        t.equal((await logout(there, token)).status, 204)
      }
      await isHeard(t)
    })
  }

  await t.test('a lost connection or a lost Redis crashes no idle process', async t => {
    const kept = await signInBothWays(here)
    for (const type of ['normal', 'pubsub']) await admin.call('CLIENT', 'KILL', 'TYPE', type)
    for (const { refresh: token } of kept) t.equal((await patiently(() => refresh(here, token))).status, 201)
    await isHeard(t)

    const ready = eventOf(admin, 'ready')
    await redis.stop()
    for (const server of servers) t.equal((await visit(server, kept[0].access)).status, 200)
    for (const { refresh: token } of kept) isUnavailable(t, await refresh(here, token), 'refresh')
    while (!deaf.log.some(line => line.includes('Cannot read'))) await visit(deaf, kept[0].access)
    await redis.restart()
    await ready
    for (const { refresh: token } of kept) t.equal((await patiently(() => refresh(here, token))).status, 201)
    await isHeard(t)
  })

  await t.test('killing Redis during a stream of rotations makes no second successor and logs nobody out', async t => {
    /** A client that has one refresh under way at a time. */
    const createPatient = async (): Promise<(times: number) => Promise<void>> => {
      let { refresh: token } = tokensOf(await patiently(() => login(graceless)))
      return async times => {
        for (let i = 0; i < times; i++) {
          const { refresh: successor } = tokensOf(await patiently(() => refresh(graceless, token)))
          t.ok(sessionIn(successor).gen > sessionIn(token).gen || successor === token)
          token = successor
        }
      }
    }
    /** A client that refreshes each token on two processes at once. */
    const twice = async (times: number): Promise<void> => {
      for (let i = 0; i < times; i++) {
        const { refresh: token } = tokensOf(await patiently(() => login(here)))
        const pairs = await Promise.all([here, there].map(async server => tokensOf(await patiently(() => refresh(server, token)))))
        t.equal(pairs[0]!.refresh, pairs[1]!.refresh)
        t.equal(sessionIn(pairs[0]!.refresh).gen, 1)
      }
    }
    const clients = [await createPatient(), await createPatient(), twice, twice]
    for (let kills = 0; kills < 3; kills++) {
      await Promise.all(clients.map(client => client(4)))
      const stream = Promise.all(clients.map(client => client(8)))
      const ready = eventOf(admin, 'ready')
      await redis.stop()
      await redis.restart()
      await Promise.all([stream, ready])
    }
    await isHeard(t)
  })

  await t.test('when Redis has lost its data, guards refuse older access tokens after the next poll, and no session is revived', async t => {
    const { refresh: token } = await signIn(deaf)
    const now = Math.floor(Date.now() / 1000)
    const access = accessToken({ user_id: 'a', ...sessionIn(token), iat: now - 60, exp: now + 60 })
    t.equal((await visit(deaf, access)).status, 200)
    await admin.flushall()
    t.equal((await until(401, () => visit(deaf, access))).body.code, 'FST_DUAL_TOKEN_ACCESS_EXPIRED')
    for (const server of servers) t.equal((await refresh(server, token)).body.code, 'FST_DUAL_TOKEN_REFRESH_REVOKED')
    t.equal((await visit(deaf, (await signIn(here)).access)).status, 200)
  })

  await t.test('no process has crashed, and the logs only say that the feed was unreadable and is readable again', async t => {
    for (const { process: server, log } of servers) {
      t.equal(server.exitCode, null)
      t.equal(server.signalCode, null)
      t.strictSame(issued.filter(token => log.some(line => line.includes(token))), [])
    }
    t.ok(deaf.log.some(line => line.includes('Cannot read the feed of revoked sessions')))
    t.ok(deaf.log.some(line => line.includes('The feed of revoked sessions can be read again')))
  })
})
