import { setImmediate as nextTurn } from 'node:timers/promises'
import { Socket } from 'node:net'
import pg from 'pg'
import { test, type Test } from 'tap'
import { benchScale, reportOf, SIZES, tableOfSizes, tableOfTurned } from '../../bench/scale.ts'
import { predict, WIRES, type Wire } from '../../bench/scale-formula.ts'
import { postgresStore, redisStore, type SessionStore } from '../../lib/index.ts'
import { createRandom } from '../../lib/tokens/session-claims.ts'
import { readPage } from '../support/markdown.ts'
import { startPostgres, withoutPostgres } from '../support/postgres.ts'
import { startRedis, withoutServer } from '../support/redis.ts'

const TOLD = 1000

test('the real code of many processes asks of a store what the formula says', async t => {
  const text = await benchScale({ nodes: 20, sessions: 300, seconds: 60 })
  for (const name of ['like Redis', 'like Postgres', 'like SQLite']) t.match(text, name)
  t.notMatch(text, /NaN|Infinity|undefined/)
})

test('a figure that is off by more than a tenth is an error', async t => {
  const [scale] = SIZES
  const figures = predict(scale!)
  t.match(reportOf('near', scale!, figures, { ...figures, ids: figures.ids * 1.09 }), /ids .* 1\.09/)
  t.throws(() => reportOf('far', scale!, figures, { ...figures, ids: figures.ids * 1.11 }), /far, ids/)
  t.throws(() => reportOf('far', scale!, figures, { ...figures, kept: figures.kept * 0.89 }), /far, kept/)
})

test('the tables of docs/scale.md are those of the formula', async t => {
  const { text } = readPage('docs/scale.md')
  for (const row of [...tableOfSizes().split('\n'), ...tableOfTurned().split('\n')]) t.ok(text.includes(row), row)
})

/** What a store reads and writes for the feed, by the bytes of its connection and of one that listens. */
async function wireOf (store: SessionStore, connection: Socket, listener: Socket): Promise<Pick<Wire, 'poll' | 'id' | 'push'>> {
  const context = () => ({ now: Date.now(), revocationTtl: 7_260_000 })
  const poll = async (from: string | null) => {
    const before = connection.bytesRead + connection.bytesWritten
    const { cursor, sessionIds } = await store.revokedSince(from, context())
    return { cursor, count: sessionIds.length, bytes: connection.bytesRead + connection.bytesWritten - before }
  }
  // The first ones send the script, and keep the feed in order.
  const { cursor } = await poll((await poll(null)).cursor)
  const empty = await poll(cursor)
  const heardBefore = listener.bytesRead
  for (let i = 0; i < TOLD; i++) await store.revoke({ sessionId: createRandom(), mustExist: false, ...context() })
  const push = WIRES.Postgres.push * TOLD * 0.9
  while (listener.bytesRead - heardBefore < push) await nextTurn()
  // What is still under way is less than the tolerance.
  for (let turn = 0; turn < 100; turn++) await nextTurn()
  const full = await poll(empty.cursor)
  return { poll: empty.bytes, id: (full.bytes - empty.bytes) / full.count, push: (listener.bytesRead - heardBefore) / TOLD }
}

function agree (t: Test, found: Pick<Wire, 'poll' | 'id' | 'push'>, expected: Wire): void {
  for (const name of ['poll', 'id', 'push'] as const) {
    t.ok(Math.abs(found[name] / expected[name] - 1) <= 0.1, `${name}: ${found[name]} bytes, ${expected[name]} expected`)
  }
}

/** The member of a client that is its socket. */
function socketIn (client: object, name: string): Socket {
  const socket: unknown = Reflect.get(client, name)
  if (!(socket instanceof Socket)) throw new TypeError('not connected')
  return socket
}

test('the feed of Redis takes as many bytes as the formula has', { skip: withoutServer }, async t => {
  const server = await startRedis(t)
  const [client, listener] = [await server.connect(), await server.connect()]
  await listener.subscribe('dual-token:revoked')
  agree(t, await wireOf(redisStore(client), socketIn(client, 'stream'), socketIn(listener, 'stream')), WIRES.Redis)
})

test('the feed of Postgres takes as many bytes as the formula has', { skip: withoutPostgres }, async t => {
  const server = await startPostgres(t)
  const [client, listener] = [new pg.Client(server.url()), new pg.Client(server.url())]
  t.teardown(() => Promise.all([client.end(), listener.end()]))
  await Promise.all([client.connect(), listener.connect()])
  const store = postgresStore(client)
  await store.open!()
  await listener.query('LISTEN "public.dual_token_revoked"')
  const socketOf = (one: pg.Client) => socketIn(Object(Reflect.get(one, 'connection')), 'stream')
  agree(t, await wireOf(store, socketOf(client), socketOf(listener)), WIRES.Postgres)
})
