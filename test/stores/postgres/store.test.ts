// What the contract does not say: boot and its tables, options, the feed's epochs, what is swept, and that a session's size and writes stay small.
import { PGlite } from '@electric-sql/pglite'
import Fastify from 'fastify'
import { test } from 'tap'
import { dualToken, postgresStore, type PostgresClient, type RotationAttempt, type SessionRecord, type SessionStore } from '../../../lib/index.ts'
import { newSession } from '../../../lib/testing/setting.ts'
import { createRandom } from '../../../lib/tokens/session-claims.ts'
import { newPrefix, openPGlite } from '../../support/pglite.ts'
import { SECRET } from '../../support/tokens.ts'

const NOW = Date.now()
const HOUR = 3_600_000
const DAY = 24 * HOUR
const CONTEXT = { now: NOW, revocationTtl: 2 * HOUR }
const OPTION_INVALID = 'FST_DUAL_TOKEN_OPTION_INVALID'

async function create (store: SessionStore, userId: string | number = 'a', more: Partial<SessionRecord> = {}): Promise<SessionRecord> {
  const session = newSession(userId, NOW, more)
  await store.create(session, { ...CONTEXT, elapsed: 0 })
  return session
}

function attempt ({ id, userId, nonceHash }: SessionRecord, generation = 0): RotationAttempt {
  return {
    ...CONTEXT,
    sessionId: id,
    userId,
    generation,
    nonceHash,
    rotate: true,
    grace: 10_000,
    recovery: DAY,
    sliding: null,
    clockTolerance: 0,
    jkt: null,
    ip: '::1',
    userAgent: null
  }
}

function revoke (store: SessionStore, sessionId: string): Promise<boolean> {
  return store.revoke({ sessionId, mustExist: false, ...CONTEXT })
}

interface Watched {
  readonly client: PostgresClient
  /** The statements that were asked, in order. */
  readonly asked: string[]
  /** What happens before a statement that begins like this, each time while it is set. */
  before: { readonly text: RegExp, happen (): unknown } | null
}

/** A client whose statements are written down, and can be preceded by what another process does. */
function watch (db: PGlite): Watched {
  const watched: Watched = {
    asked: [],
    before: null,
    client: {
      async query (text, values) {
        watched.asked.push(text)
        if (watched.before?.text.test(text)) await watched.before.happen()
        return await db.query(text, values)
      }
    }
  }
  return watched
}

function conflict (code = '40001'): () => never {
  return () => { throw Object.assign(new Error('could not serialize access'), { code }) }
}

test('over PGlite', async t => {
  const { db, createStore, backdate } = await openPGlite(t)

  /** A store with a prefix, and its rows. */
  async function open (client: PostgresClient = db) {
    const tablePrefix = newPrefix()
    const store = postgresStore(client, { tablePrefix })
    await store.open!()
    const rows = async (table: string): Promise<Array<Record<string, unknown>>> => (await db.query<Record<string, unknown>>(`SELECT * FROM ${tablePrefix}${table}`)).rows
    const set = async (table: string, change: string): Promise<unknown> => await db.query(`UPDATE ${tablePrefix}${table} SET ${change}`)
    return { store, tablePrefix, rows, set }
  }

  await t.test('options that are not valid are refused', async t => {
    const name = 'must be lower-case letters, digits and _, and must not begin with a digit.'
    for (const tablePrefix of ['', 'A_', 'a-', '1a', 'a"', 'a;b', 'é', 7, null]) {
      t.throws(() => postgresStore(db, { tablePrefix: tablePrefix as string }), { name: 'TypeError', message: `tablePrefix ${name}` })
    }
    t.throws(() => postgresStore(db, { schema: 'a.b' }), { message: `schema ${name}` })
    t.throws(() => postgresStore(db, { schema: 's'.repeat(38) }), { message: 'schema and tablePrefix must have at most 48 characters together.' })
    t.throws(() => postgresStore(db, { createTables: 'no' as never }), { message: 'createTables must be true or false.' })
    for (const client of [undefined, null, {}, 'postgres://']) {
      t.throws(() => postgresStore(client as never), { name: 'TypeError', message: /^client must be/ })
    }
  })

  await t.test('several boots at the same time make the tables once, in any schema', async t => {
    const options = { tablePrefix: newPrefix(), schema: 'elsewhere' }
    await Promise.all(Array.from({ length: 5 }, () => postgresStore(db, options).open!()))
    const { rows } = await db.query("SELECT table_name FROM information_schema.tables WHERE table_schema = 'elsewhere'")
    t.equal(rows.length, 4)
    const store = postgresStore(db, { ...options, createTables: false })
    await store.open!()
    t.same(await store.list({ userId: (await create(store)).userId, ...CONTEXT }).then(list => list.length), 1)
  })

  await t.test('with createTables: false, missing tables fail the boot at once, and the error says what to run', async t => {
    const run = 'A role that may create them can run what `npx fastify-dual-token schema postgres'
    for (const [options, more] of [
      [{}, ''],
      [{ tablePrefix: 'no_' }, ' --table-prefix no_'],
      [{ schema: 'nowhere', tablePrefix: 'no_' }, ' --table-prefix no_ --schema nowhere']
    ] as const) {
      const app = Fastify()
      t.teardown(() => app.close())
      app.register(dualToken, { secret: SECRET, sessions: { store: postgresStore(db, { ...options, createTables: false }) } })
      const startedAt = performance.now()
      await t.rejects(async () => await app.ready(), { code: OPTION_INVALID, message: `The tables of sessions.store are missing. ${run}${more}\` prints.` })
      t.ok(performance.now() - startedAt < 5000, 'without trying again')
    }
  })

  await t.test('tables of another version, or tables of which some are missing, fail the boot', async t => {
    const { tablePrefix, set } = await open()
    await set('meta', 'version = 2')
    const boot = async (createTables: boolean): Promise<void> => await postgresStore(db, { tablePrefix, createTables }).open!()
    for (const createTables of [true, false]) {
      await t.rejects(boot(createTables), { code: OPTION_INVALID, message: /are of version 2, and this release needs version 1\. .*--table-prefix t/ })
    }
    await db.query(`DELETE FROM ${tablePrefix}meta`)
    await t.rejects(boot(false), { code: OPTION_INVALID, message: /are missing/ })
    await boot(true)
  })

  await t.test('a role that may not make the tables, or use them, gets an error that says so', async t => {
    await db.exec('CREATE ROLE stranger; REVOKE CREATE ON SCHEMA public FROM PUBLIC')
    const { tablePrefix } = await open()
    await db.exec('SET ROLE stranger')
    t.teardown(() => db.exec('RESET ROLE'))
    for (const prefix of [tablePrefix, 'other_']) {
      await t.rejects(postgresStore(db, { tablePrefix: prefix }).open!(), { code: OPTION_INVALID, message: /are not open to this role \(permission denied for/ })
    }
    await db.exec('RESET ROLE')
  })

  await t.test('a table or a function that was dropped is made again at boot, or fails it', async t => {
    const { tablePrefix } = await open()
    const boot = async (createTables: boolean): Promise<void> => await postgresStore(db, { tablePrefix, createTables }).open!()
    for (const drop of [`TABLE ${tablePrefix}users`, `FUNCTION ${tablePrefix}keep`]) {
      await db.exec(`DROP ${drop}`)
      await t.rejects(boot(false), { code: OPTION_INVALID, message: /are missing/ })
      await boot(true)
      await boot(false)
    }
  })

  await t.test('a role that lacks one right is told which at boot', async t => {
    const { tablePrefix } = await open()
    const all = `${tablePrefix}sessions, ${tablePrefix}users, ${tablePrefix}revocations, ${tablePrefix}meta`
    await db.exec(`CREATE ROLE half; GRANT USAGE ON SCHEMA public TO half; GRANT SELECT, INSERT, UPDATE, DELETE ON ${all} TO half;
      REVOKE INSERT, DELETE ON ${tablePrefix}meta FROM half`)
    t.teardown(() => db.exec('RESET ROLE'))
    const boot = async (): Promise<void> => {
      await db.exec('SET ROLE half')
      await postgresStore(db, { tablePrefix }).open!().finally(() => db.exec('RESET ROLE'))
    }
    await boot()
    await db.exec(`REVOKE DELETE ON ${tablePrefix}sessions FROM half; REVOKE EXECUTE ON FUNCTION ${tablePrefix}tell FROM PUBLIC`)
    const lacks = `(it lacks DELETE on "public"."${tablePrefix}sessions", EXECUTE on ${tablePrefix}tell).`
    await t.rejects(boot(), { code: OPTION_INVALID, message: new RegExp(lacks.replace(/[().]/g, '\\$&')) })
  })

  await t.test('a role with only the rights that docs/stores.md names works with tables that were made for it', async t => {
    const { tablePrefix } = await open()
    await db.exec(`
      CREATE ROLE application;
      GRANT USAGE ON SCHEMA public TO application;
      GRANT SELECT, INSERT, UPDATE, DELETE ON ${['sessions', 'users', 'revocations', 'meta'].map(name => tablePrefix + name).join()} TO application;
      REVOKE EXECUTE ON FUNCTION pg_control_checkpoint() FROM PUBLIC;
      SET ROLE application`)
    t.teardown(() => db.exec('RESET ROLE'))
    const store = postgresStore(db, { tablePrefix, createTables: false })
    await store.open!()
    const session = await create(store)
    t.equal((await store.rotate(attempt(session))).outcome, 'rotated')
    t.equal(await store.confirm({ sessionId: session.id, generation: 1, ...CONTEXT }), 'confirmed')
    t.same(await store.revokeUser({ userId: 'a', ...CONTEXT }), [session.id])
    t.same((await store.revokedSince(null, CONTEXT)).sessionIds, [session.id])
    await db.exec('RESET ROLE; GRANT EXECUTE ON FUNCTION pg_control_checkpoint() TO PUBLIC')
  })

  await t.test('a boot passes on any other error of the server, to be tried again, and gives up a server that does not answer', async t => {
    const failing = (message: string, text: RegExp): PostgresClient => ({
      query: async (asked, values) => {
        if (text.test(asked)) throw Object.assign(new Error(message), { code: '57P03' })
        return await db.query(asked, values)
      }
    })
    for (const text of [/^SELECT version/, /^DO/, /pg_control_checkpoint/]) {
      await t.rejects(postgresStore(failing('starting up', text), { tablePrefix: newPrefix() }).open!(), { message: 'starting up' })
    }
    const { setTimeout: real } = globalThis
    globalThis.setTimeout = ((call: () => void) => real(call, 0)) as typeof setTimeout
    t.teardown(() => { globalThis.setTimeout = real })
    await t.rejects(postgresStore({ query: () => new Promise(() => {}) }).open!(), { message: 'Postgres did not answer within 5000 ms' })
    globalThis.setTimeout = real
  })

  await t.test('every step is one statement, except a refresh, which is two', async t => {
    const { client, asked } = watch(db)
    const { store } = await open(client)
    const count = async (step: () => Promise<unknown>): Promise<number> => {
      asked.length = 0
      await step()
      return asked.length
    }
    const [session, other] = [await create(store), await create(store)]
    t.equal(await count(() => store.rotate(attempt(session))), 2, 'rotated')
    t.equal(await count(() => store.rotate(attempt(session))), 1, 'repeated: nothing is written')
    t.equal(await count(() => store.rotate({ ...attempt(session), rotate: false, generation: 1 })), 2)
    t.equal(await count(() => store.rotate({ ...attempt(other), nonceHash: '' })), 2, 'reused')
    t.equal(await count(() => store.rotate(attempt(other))), 1, 'unknown')
    t.equal(await count(() => create(store)), 1)
    t.equal(await count(() => store.confirm({ sessionId: session.id, generation: 1, ...CONTEXT })), 1)
    t.equal(await count(() => store.reauthenticate!({ sessionId: session.id, userId: 'a', ...CONTEXT })), 1)
    t.equal(await count(() => store.list({ userId: 'a', ...CONTEXT })), 1)
    t.equal(await count(() => revoke(store, session.id)), 1)
    t.equal(await count(() => store.revokeUser({ userId: 'a', ...CONTEXT })), 1)
    await store.revokedSince(null, CONTEXT)
    t.equal(await count(() => store.revokedSince(null, CONTEXT)), 1)
  })

  await t.test('a step that conflicts with another one is tried again; a refresh at most five times', async t => {
    const watched = watch(db)
    const { store } = await open(watched.client)
    const session = await create(store)
    for (const code of ['40001', '40P01']) {
      let times = 2
      watched.before = { text: /create|revoke_user|FOR UPDATE|^UPDATE/, happen: () => { if (times-- > 0) conflict(code)() } }
      const { id } = await create(store)
      times = 2
      t.equal(await store.confirm({ sessionId: id, generation: 0, ...CONTEXT }), 'confirmed')
      times = 2
      t.equal((await store.rotate(attempt({ ...session, id: (await create(store, 'a', { nonceHash: session.nonceHash })).id }))).outcome, 'rotated')
    }
    watched.before = { text: /^UPDATE/, happen: conflict() }
    await t.rejects(store.rotate(attempt(session)), { message: 'other steps of the session came between again and again' })
    t.equal(watched.asked.filter(text => text.startsWith('UPDATE')).length >= 5, true)
    watched.before = { text: /^UPDATE/, happen: () => { throw new Error('lost') } }
    await t.rejects(store.rotate(attempt(session)), { message: 'lost' })
    watched.before = { text: /FOR UPDATE/, happen: () => { throw new Error('lost') } }
    await t.rejects(store.confirm({ sessionId: session.id, generation: 0, ...CONTEXT }), { message: 'lost' })
    let tries = 0
    watched.before = {
      text: /FOR UPDATE/,
      happen () {
        tries++
        conflict()()
      }
    }
    await t.rejects(store.confirm({ sessionId: session.id, generation: 0, ...CONTEXT }), { code: '40001' })
    t.equal(tries, 100, 'not for ever')
  })

  await t.test('a refresh notices when its session is ended, confirmed or rotated between its two statements', async t => {
    const watched = watch(db)
    const { store } = await open(watched.client)
    const meanwhile = (text: RegExp, happen: () => Promise<unknown>): void => {
      watched.before = {
        text,
        async happen () {
          watched.before = null
          await happen()
        }
      }
    }
    const ended = await create(store)
    meanwhile(/^UPDATE/, () => revoke(store, ended.id))
    t.equal((await store.rotate(attempt(ended))).outcome, 'unknown')

    const unrotated = await create(store)
    meanwhile(/^UPDATE/, () => revoke(store, unrotated.id))
    t.equal((await store.rotate({ ...attempt(unrotated), rotate: false })).outcome, 'unknown')

    const rotated = await create(store)
    meanwhile(/^UPDATE/, () => store.rotate(attempt(rotated)))
    t.match(await store.rotate(attempt(rotated)), { outcome: 'repeated', generation: 1 })

    const stolen = await create(store)
    meanwhile(/^WITH gone/, () => store.rotate(attempt(stolen)))
    t.equal((await store.rotate({ ...attempt(stolen), nonceHash: '' })).outcome, 'reused')
    t.equal((await store.rotate(attempt(stolen, 1))).outcome, 'unknown')
  })

  await t.test('any text is kept, as ASCII, and so is an id of any length', async t => {
    const { store, rows } = await open()
    const odd = 'a\0\ud800"\\ é🦉\u2028'
    const userId = Array.from({ length: 1500 }, createRandom).join(odd)
    await create(store, userId, { ip: odd, userAgent: odd, label: odd })
    t.match(await store.list({ userId, ...CONTEXT }), [{ userId, ip: odd, userAgent: odd, label: odd }])
    t.match(JSON.stringify(await rows('sessions')), /^[\x20-\x7e]*$/)
    t.ok(String((await rows('users'))[0]!.user_id).length < 50)
  })

  await t.test('the epoch of a feed ends with what says that it may have lost something, and then it is as young as that', async t => {
    const { store, set, tablePrefix } = await open()
    const read = () => store.revokedSince(null, CONTEXT)
    await revoke(store, createRandom())
    await set('meta', `began_at = began_at - ${HOUR}`)
    const first = await read()
    t.ok(first.age >= HOUR)
    for (const [name, change] of [
      ['a promotion or a recovery', 'timeline = timeline + 1'],
      ['a dump that was restored', 'made_as = 1']
    ] as const) {
      await set('meta', `began_at = began_at - ${HOUR}`)
      const before = await read()
      await set('meta', change)
      const after = await read()
      t.not(after.epoch, before.epoch, name)
      t.ok(after.age < HOUR, name)
      t.strictSame(after.sessionIds, before.sessionIds)
      t.equal((await read()).epoch, after.epoch)
    }
    const { epoch } = await read()
    t.equal((await postgresStore(db, { tablePrefix }).revokedSince(null, CONTEXT)).epoch, epoch, 'for another process too')
    await set('meta', `read_at = read_at - ${3 * HOUR}`)
    t.not((await postgresStore(db, { tablePrefix }).revokedSince(null, CONTEXT)).epoch, epoch, 'nobody has read it for as long as it remembers')
    await db.query(`DELETE FROM ${tablePrefix}meta`)
    await t.rejects(read(), { message: 'the tables of the session store have lost their epoch' })
  })

  await t.test('when the clock of the server has stepped, a new epoch begins', async t => {
    const { store } = await open()
    const { epoch } = await store.revokedSince(null, CONTEXT)
    const monotonic = performance.now
    performance.now = () => monotonic.call(performance) - HOUR
    t.teardown(() => { performance.now = monotonic })
    const stepped = await store.revokedSince(null, CONTEXT)
    performance.now = monotonic
    t.not(stepped.epoch, epoch)
  })

  await t.test('rows that have ended are deleted in batches by whoever polls, and nothing else is', async t => {
    const { store, rows, set, tablePrefix } = await open()
    const [alive] = [await create(store, 'b')]
    await store.revokeUser({ userId: 'c', ...CONTEXT })
    await db.query(`INSERT INTO ${tablePrefix}sessions SELECT generation, parent_generation, rotated_at, displaced_at, issued_at, created_at, authenticated_at, expires_at,
      last_used_at, forget_at - ${40 * DAY}, lifetime, forget_day - 40, version, confirmed, id || i, user_id, nonce_hash, jkt, ip, user_agent, label
      FROM ${tablePrefix}sessions, generate_series(1, 1200) AS i`)
    for (let i = 0; i < 3; i++) await revoke(store, createRandom())
    await set('revocations', `revoked_at = revoked_at - ${3 * HOUR}, forget_at = forget_at - ${3 * HOUR}`)
    const recent = createRandom()
    await revoke(store, recent)
    await set('users', "day = day - 1, revoked_at = revoked_at - CASE user_id WHEN '\"c\"' THEN 0 ELSE 70000 END")
    t.strictSame((await store.list({ userId: 'b', ...CONTEXT })).length, 1201, 'they are there')
    const counts: number[] = []
    for (let i = 0; i < 4; i++) {
      await store.revokedSince(null, CONTEXT)
      counts.push((await rows('sessions')).length)
    }
    t.strictSame(counts, [701, 201, 1, 1])
    t.equal((await rows('sessions'))[0]!.id, alive!.id)
    t.strictSame((await rows('revocations')).map(row => row.session_id), [recent])
    t.strictSame((await rows('users')).map(row => row.user_id), ['"c"'], 'the mark of a minute ago stays')
  })

  await t.test('the longest time to live of all processes counts, for as long as its tokens can be good', async t => {
    const { store, tablePrefix, set, rows } = await open()
    const long = postgresStore(db, { tablePrefix })
    await long.revokedSince(null, { now: NOW, revocationTtl: 10 * HOUR })
    await revoke(store, createRandom())
    await set('revocations', `revoked_at = revoked_at - ${3 * HOUR}, forget_at = forget_at - ${3 * HOUR}`)
    await store.revokedSince(null, CONTEXT)
    t.equal((await rows('revocations')).length, 1)
    await set('meta', 'keep_until = 1')
    await postgresStore(db, { tablePrefix }).revokedSince(null, CONTEXT)
    t.equal((await rows('revocations')).length, 0)
  })

  await t.test('a read-only server still serves the feed', async t => {
    const { store } = await open()
    const id = createRandom()
    await revoke(store, id)
    await db.exec('SET default_transaction_read_only = on')
    t.teardown(() => db.exec('SET default_transaction_read_only = off'))
    t.strictSame((await store.revokedSince(null, CONTEXT)).sessionIds, [id])
    await t.rejects(create(store), { code: '25006' })
    await t.rejects(revoke(store, id), { code: '25006' })
    await db.exec('SET default_transaction_read_only = off')
  })

  await t.test('a mark in the future, from before the clock stepped back, refuses no later sign-in', async t => {
    const { store, set } = await open()
    await store.revokeUser({ userId: 'a', ...CONTEXT })
    await set('users', `revoked_at = revoked_at + ${HOUR}`)
    const signIn = (elapsed: number): Promise<unknown> => store.create(newSession('a', NOW), { ...CONTEXT, elapsed })
    t.equal(await signIn(1000), false)
    t.equal(await signIn(0), true)
  })

  await t.test('the tables of one store are not those of another', async t => {
    const [first, second] = [await createStore(), await createStore()]
    const session = await create(first)
    await backdate(first, session.id, 1)
    t.same(await second.list({ userId: session.userId, ...CONTEXT }), [])
    t.equal((await second.rotate(attempt(session))).outcome, 'unknown')
  })
})
