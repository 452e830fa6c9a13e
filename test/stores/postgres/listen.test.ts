// A connection that hears of revocations: which clients have one to give, that it comes back, and that it holds nothing up.
import { setTimeout as delay } from 'node:timers/promises'
import fastifyPostgres from '@fastify/postgres'
import Fastify from 'fastify'
import pg from 'pg'
import { test } from 'tap'
import { dualToken, postgresStore, type PostgresClient, type SessionStore } from '../../../lib/index.ts'
import { createRandom } from '../../../lib/tokens/session-claims.ts'
import { startPostgres, withoutPostgres } from '../../support/postgres.ts'
import { SECRET } from '../../support/tokens.ts'

const CONTEXT = { now: Date.now(), revocationTtl: 7_200_000 }

function revoke (store: SessionStore, sessionId: string): Promise<boolean> {
  return store.revoke({ sessionId, mustExist: false, ...CONTEXT })
}

test('who listens', { skip: withoutPostgres }, async t => {
  const server = await startPostgres(t)
  const admin = server.pool()
  const listeners = async (): Promise<number[]> =>
    (await admin.query("SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN %'").catch(() => ({ rows: [] }))).rows.map(({ pid }) => pid)
  const until = async (isSo: () => Promise<boolean> | boolean): Promise<void> => { while (!await isSo()) await delay(10) }

  /** A store that listens, and the ids that it has heard. */
  async function hear (client: PostgresClient) {
    const store = postgresStore(client)
    await store.open!()
    const heard = new Set<string>()
    const stop = store.subscribe!(ids => { for (const id of ids) heard.add(id) })
    t.teardown(stop)
    const hears = async (): Promise<void> => {
      const id = createRandom()
      await until(async () => {
        await revoke(store, id).catch(() => {})
        return heard.has(id)
      })
    }
    return { store, stop, hears }
  }

  await t.test('a pool lends a connection, and gets it back, closed, at the end', async t => {
    const pool = server.pool({ max: 2 })
    const { stop, hears } = await hear(pool)
    await hears()
    t.equal((await listeners()).length, 1)
    stop()
    stop()
    await until(async () => (await listeners()).length === 0)
    t.ok(pool.totalCount <= 1)
  })

  await t.test('fastify.pg lends one; its hook that ends the pool first does not hold up the server', async t => {
    const app = Fastify()
    await app.register(dualToken, { secret: SECRET, sessions: { store: { ...postgresStore(admin), subscribe: () => () => {} } } })
    const other = Fastify()
    await other.register(fastifyPostgres, { connectionString: server.url() })
    const { hears } = await hear(other.pg)
    await hears()
    // Nobody has unsubscribed: the pool waits for the connection.
    await other.close()
    await until(async () => (await listeners()).length === 0)
    await app.close()
  })

  await t.test('a pool that ends while a connection is on its way, or lost, is left alone', async t => {
    const pool = server.pool()
    const { hears, stop } = await hear(pool)
    await hears()
    const ending = pool.end()
    await admin.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE \'LISTEN %\'')
    await ending
    stop()
    const late = server.pool()
    const store = postgresStore(late)
    const stopLate = store.subscribe!(() => {})
    stopLate()
    await late.end()
    t.equal(late.totalCount, 0)
  })

  await t.test('a Client, a pool of one connection and PGlite lend none: they are polled', async t => {
    const client = new pg.Client(server.url())
    await client.connect()
    t.teardown(() => client.end())
    for (const each of [client, server.pool({ max: 1 }), { query: admin.query.bind(admin) }]) {
      const store = postgresStore(each as PostgresClient)
      t.equal(store.subscribe, undefined)
      await store.open!()
      const id = createRandom()
      await revoke(store, id)
      t.ok((await store.revokedSince(null, CONTEXT)).sessionIds.includes(id))
    }
  })

  await t.test('a connection that is lost comes back by itself, also when the server is gone for a while, and ends no process', async t => {
    const pool = new pg.Pool({ connectionString: server.url() }) // Without a listener for errors.
    t.teardown(() => pool.end())
    const { hears } = await hear(pool)
    await hears()
    const [pid] = await listeners()
    await admin.query('SELECT pg_terminate_backend($1)', [pid])
    await hears()
    t.not((await listeners())[0], pid)
    await server.kill()
    await delay(1500) // Beyond the first attempt to come back.
    await server.restart()
    await hears()
  })
})
