import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import Fastify from 'fastify'
import { test, type Test } from 'tap'
import { newSession } from '../../../lib/testing/setting.ts'
import dualToken, { sqliteStore, type LimitReached, type SessionRecord, type SessionStore, type SqliteDatabase, type SqliteStoreOptions } from '../../../lib/index.ts'
import { reasonOf } from '../../../lib/stores/sqlite/database.ts'
import { sqliteSchema } from '../../../lib/stores/sqlite/schema.ts'
import { createRandom } from '../../../lib/tokens/session-claims.ts'
import { bearer, createApp } from '../../support/app.ts'
import { DRIVERS, newFile, openDatabase, opensFiles, type OpenDatabase } from '../../support/sqlite.ts'
import { rotationOf } from '../../support/sqlite-process.ts'
import { claimsIn, SECRET } from '../../support/tokens.ts'

const NOW = 1_750_000_000_000
const TTL = 7_260_000
const CONTEXT = { now: NOW, revocationTtl: TTL }
const FAULT = 'FST_DUAL_TOKEN_OPTION_INVALID'

/** A Node.js without node:sqlite is given libsql in its place: the same calls. */
function openFiles (t: Test): void {
  if (!opensFiles) t.intercept(process, 'getBuiltinModule', { value: () => ({ DatabaseSync: DRIVERS.get('libsql') }) })
}

function open (t: Test, file = newFile(t)): OpenDatabase {
  const database = openDatabase(file)
  t.teardown(() => database.close())
  return database
}

async function create (store: SessionStore, userId: string | number = 'a', more = {}) {
  const session = newSession(userId, NOW, more)
  await store.create(session, { ...CONTEXT, elapsed: 0 })
  return session
}

function count (database: SqliteDatabase, table: string): number {
  return Number(Object(database.prepare(`SELECT count(*) AS count FROM dual_token_${table}`).get()).count)
}

/** Asks at every turn of the event loop until it is so, as long as a test may take. */
async function until (isSo: () => boolean): Promise<void> {
  while (!isSo()) await nextTurn()
}

/** The same database, with every statement written down. */
function watched (database: SqliteDatabase): { database: SqliteDatabase, statements: string[] } {
  const statements: string[] = []
  return {
    statements,
    database: {
      exec (sql) {
        statements.push(sql)
        return database.exec(sql)
      },
      prepare (sql) {
        const statement = database.prepare(sql)
        const tell = (): void => { statements.push(sql) }
        return {
          get (...values) {
            tell()
            return statement.get(...values)
          },
          all (...values) {
            tell()
            return statement.all(...values)
          },
          run (...values) {
            tell()
            return statement.run(...values)
          }
        }
      }
    }
  }
}

/** A database, one of whose statements fails as it is told. */
function failing (database: SqliteDatabase, failure: () => unknown): SqliteDatabase {
  return {
    exec: sql => database.exec(sql),
    prepare (sql) {
      const statement = database.prepare(sql)
      if (sql !== 'BEGIN IMMEDIATE') return statement
      return {
        get: (...values) => statement.get(...values),
        all: (...values) => statement.all(...values),
        run (...values) {
          const error = failure()
          if (error !== null) throw error
          return statement.run(...values)
        }
      }
    }
  }
}

test('sqliteStore checks its arguments', async t => {
  for (const wrong of [undefined, null, '', 7, {}, { exec () {} }, { prepare () {} }]) {
    t.throws(() => sqliteStore(wrong as string), {
      name: 'TypeError', message: 'The first argument of sqliteStore must be a path, or a database of node:sqlite, better-sqlite3 or libsql.'
    })
  }
  const cases: Array<[object, RegExp]> = [
    [{ synchronous: 'off' }, /^synchronous must be 'full' or 'normal'\.$/],
    [{ createTables: 1 }, /^createTables must be true or false\.$/],
    ...['', 'a-b', '1a', 'a"b', 'a.b', 'sqlite_a', 'SQLite_a', 'a'.repeat(42), 7, null].map((tablePrefix): [object, RegExp] => [{ tablePrefix }, /^tablePrefix must be letters, digits/])
  ]
  for (const [options, message] of cases) t.throws(() => sqliteStore(':memory:', options as SqliteStoreOptions), { name: 'TypeError', message }, JSON.stringify(options))
  t.throws(() => sqliteSchema({ tablePrefix: 'a b' }), { name: 'TypeError' })
})

test('a path is opened, as a file of its owner alone, and closed with the store', async t => {
  openFiles(t)
  const file = newFile(t)
  const store = sqliteStore(file)
  await store.open!()
  const session = await create(store)
  for (const suffix of ['', '-wal', '-shm']) t.equal(statSync(file + suffix).mode & 0o777, 0o600, suffix)
  await store.close!()
  await t.rejects(create(store), { message: 'the SQLite store is closed' })
  const again = sqliteStore(file)
  t.strictSame(await again.list({ userId: 'a', ...CONTEXT }), [session])
  await again.close!()
  const unopened = sqliteStore(newFile(t))
  await unopened.close!()
  const inMemory = sqliteStore(':memory:')
  await create(inMemory)
  await inMemory.close!()
})

test('on a Node.js without node:sqlite, one sentence says what to install', async t => {
  t.intercept(process, 'getBuiltinModule', { value: () => undefined })
  const fastify = Fastify()
  t.teardown(() => fastify.close())
  fastify.register(dualToken, { secret: SECRET, sessions: { store: sqliteStore(newFile(t)) } })
  await t.rejects(async () => await fastify.ready(), {
    code: FAULT,
    message: 'sqliteStore needs Node.js 22.13 or later to open a file; on an older one run npm install libsql, ' +
      'and hand it new Database(path) of libsql instead of the path.'
  })
})

test('a database that was handed in is not closed, and may be busy with a transaction of its own', async t => {
  const database = open(t)
  const store = sqliteStore(database)
  const session = await create(store)
  database.exec('BEGIN')
  await t.rejects(store.revoke({ sessionId: session.id, mustExist: true, ...CONTEXT }), /transaction/)
  database.exec('ROLLBACK')
  t.equal(await store.revoke({ sessionId: session.id, mustExist: true, ...CONTEXT }), true)
  await store.close!()
  t.equal(count(database, 'revocations'), 1)
})

test('the settings of the connection: the log, what a commit waits for, and how long it waits for a lock', async t => {
  for (const [synchronous, number] of [['full', 2], ['normal', 1]] as const) {
    const database = open(t)
    await sqliteStore(database, { synchronous }).open!()
    const pragma = (name: string): unknown => Object.values(Object(database.prepare(`PRAGMA ${name}`).get()))[0]
    t.equal(pragma('journal_mode'), 'wal')
    t.equal(pragma('synchronous'), number)
    t.ok(Number(pragma('busy_timeout')) <= 20)
  }
})

test('one sentence says what a boot finds wrong with the database', async t => {
  const noDatabase = newFile(t)
  writeFileSync(noDatabase, 'Dear diary, '.repeat(1000))
  const readOnly = open(t)
  await sqliteStore(readOnly).open!()
  readOnly.exec('PRAGMA query_only = 1')
  const newer = open(t)
  await sqliteStore(newer).open!()
  newer.exec('UPDATE dual_token_meta SET version = 2')
  const half = open(t)
  await sqliteStore(half).open!()
  half.exec('DROP TABLE dual_token_marks')
  const isNot = { createTables: false }
  const cases: Array<[string, SqliteDatabase, SqliteStoreOptions, string]> = [
    ['no database', open(t, noDatabase), {}, 'The file of sqliteStore is not an SQLite database.'],
    ['read-only', readOnly, {}, 'The database of sqliteStore is read-only: the process must be able to write the file and its directory.'],
    ['another version', newer, {},
      'The tables dual_token_… of the SQLite database are of version 2, and this release needs version 1: see npx fastify-dual-token schema sqlite.'],
    ['no tables', open(t), isNot,
      'The SQLite database has no table dual_token_meta: run the SQL of npx fastify-dual-token schema sqlite, or leave out createTables: false.'],
    ['a table missing', half, isNot,
      'The SQLite database has no table dual_token_marks: run the SQL of npx fastify-dual-token schema sqlite, or leave out createTables: false.'],
    ['anything else', { exec () { throw new Error('disk I/O error') }, prepare: sql => half.prepare(sql) }, {},
      'The database of sqliteStore cannot be opened: disk I/O error.']
  ]
  for (const [name, database, options, message] of cases) {
    const fastify = Fastify()
    t.teardown(() => fastify.close())
    fastify.register(dualToken, { secret: SECRET, sessions: { store: sqliteStore(database, options) } })
    await t.rejects(async () => await fastify.ready(), { code: FAULT, message }, name)
  }
  t.equal(readFileSync(noDatabase, 'utf8'), 'Dear diary, '.repeat(1000), 'a file that is something else is left alone')
})

test('a path that cannot be opened fails the boot', async t => {
  openFiles(t)
  const file = newFile(t)
  const nowhere = join(dirname(file), 'nowhere', 'sessions.db')
  await t.rejects(sqliteStore(nowhere).open!(), { code: FAULT, message: /^The database of sqliteStore cannot be opened: .*ENOENT/ })
  writeFileSync(file, 'Dear diary, '.repeat(1000))
  await t.rejects(sqliteStore(file).open!(), { code: FAULT, message: 'The file of sqliteStore is not an SQLite database.' })
  const directory = join(dirname(file), 'directory')
  mkdirSync(directory)
  chmodSync(directory, 0o700)
  await t.rejects(sqliteStore(directory).open!(), { code: FAULT })
})

test('tables that the printed SQL has made work with createTables: false, beside those of another prefix', async t => {
  const database = open(t)
  for (const tablePrefix of ['one_', 'other_']) database.exec(sqliteSchema({ tablePrefix }))
  database.exec(sqliteSchema({ tablePrefix: 'one_' }))
  const [one, other] = ['one_', 'other_'].map(tablePrefix => sqliteStore(database, { tablePrefix, createTables: false })) as [SessionStore, SessionStore]
  const session = await create(one)
  t.strictSame(await one.list({ userId: 'a', ...CONTEXT }), [session])
  t.strictSame(await other.list({ userId: 'a', ...CONTEXT }), [])
  t.not((await one.revokedSince(null, CONTEXT)).epoch, (await other.revokedSince(null, CONTEXT)).epoch)
  t.match(sqliteSchema(), /CREATE TABLE IF NOT EXISTS dual_token_sessions/)
})

test('a store that was not opened opens itself', async t => {
  const database = open(t)
  const [first, second] = [sqliteStore(database), sqliteStore(database)]
  t.strictSame((await first.revokedSince(null, CONTEXT)).sessionIds, [])
  const session = await create(second)
  t.strictSame(await first.list({ userId: 'a', ...CONTEXT }), [session])
})

test('while the database is busy, one call tries again for all, until it is free', async t => {
  let busy = 3
  const database = open(t)
  await sqliteStore(database).open!()
  const store = sqliteStore(failing(database, () => busy-- > 0 ? Object.assign(new Error('database is locked'), { code: 'SQLITE_BUSY' }) : null))
  await create(store)
  busy = 3
  await Promise.all(Array.from({ length: 20 }, (_, i) => create(store, i + 1)))
  t.equal(busy, -20, 'three in vain, and then each once')
})

test('a sign-in that waited for a busy database began before a revokeUser that came meanwhile', async t => {
  const database = open(t)
  const other = sqliteStore(database)
  await other.open!()
  let isBusy = false
  const store = sqliteStore(failing(database, () => isBusy ? Object.assign(new Error('database is locked'), { code: 'SQLITE_BUSY' }) : null))
  await create(store, 'b')
  isBusy = true
  const creating = store.create(newSession('a', NOW), { ...CONTEXT, elapsed: 0 })
  await other.revokeUser({ userId: 'a', ...CONTEXT })
  isBusy = false
  t.equal(await creating, false)
})

test('a database that stays busy is given up after a while, and every call is settled', async t => {
  let [moment, isBusy] = [1000, false]
  t.intercept(performance, 'now', { value: () => moment })
  const store = sqliteStore(failing(open(t), () => {
    if (!isBusy) return null
    moment += 1000
    return Object.assign(new Error('database is locked'), { errcode: 5 })
  }))
  await create(store)
  isBusy = true
  const results = await Promise.allSettled(Array.from({ length: 10 }, () => create(store)))
  t.ok(results.every(({ status }) => status === 'rejected'))
  t.equal(moment, 7000, 'they wait together: the first finds it busy at once, and all within the same time')
  t.ok(results.every(result => result.status === 'rejected' && /database is (locked|busy)/.test(result.reason.message)))
  isBusy = false
  t.equal((await store.list({ userId: 'a', ...CONTEXT })).length, 1)
})

test('all drivers give the same reason when SQLite fails', async t => {
  t.equal(reasonOf({ errcode: 5 }), 'busy')
  t.equal(reasonOf({ errcode: 517, code: 'ERR_SQLITE_ERROR' }), 'busy', 'extended')
  t.equal(reasonOf({ rawCode: 6, code: 'SQLITE_LOCKED' }), 'locked')
  t.equal(reasonOf({ code: 'SQLITE_FULL' }), 'full')
  t.equal(reasonOf({ code: 'SQLITE_BUSY_RECOVERY' }), 'busy')
  for (const other of [null, undefined, 'SQLITE_FULL', new Error('SQLITE_FULL'), { code: 'SQLITE_CONSTRAINT_UNIQUE' }, { errcode: 19 }]) t.equal(reasonOf(other), null)
})

test('a session is forgotten on time, swept or not', async t => {
  const store = sqliteStore(open(t))
  const session = await create(store)
  const now = session.expiresAt + TTL
  const call = { sessionId: session.id, generation: 0, now, revocationTtl: TTL }
  t.equal(await store.confirm({ ...call, now: now - 1 }), 'confirmed')
  t.equal(await store.confirm(call), 'unknown')
  t.match(await store.rotate({ ...rotationOf(session, 0, now), revocationTtl: TTL }), { outcome: 'unknown' })
  t.equal(await store.revoke({ ...call, mustExist: true }), false)
})

test('a poll deletes what has ended, a hundred at a time, and nothing else', async t => {
  const database = open(t)
  const { database: told, statements } = watched(database)
  const store = sqliteStore(told, { synchronous: 'normal' })
  for (let i = 0; i < 250; i++) await create(store, i + 1, { expiresAt: NOW + 1000 })
  const living = await create(store, 'a')
  for (let i = 0; i < 150; i++) await store.revoke({ sessionId: `s${i}`, mustExist: false, ...CONTEXT })
  await store.revokedSince(null, { ...CONTEXT, now: NOW + TTL - 1 })
  await until(() => statements.at(-1) === 'COMMIT')
  t.strictSame([count(database, 'sessions'), count(database, 'revocations')], [251, 150])

  statements.length = 0
  await store.revokedSince(null, { ...CONTEXT, now: NOW + TTL + 1000 })
  await until(() => count(database, 'sessions') === 1 && count(database, 'revocations') === 0)
  t.equal(statements.filter(sql => sql.startsWith('DELETE FROM dual_token_sessions')).length, 3)
  t.strictSame(await store.list({ userId: 'a', ...CONTEXT }), [living])
  t.strictSame((await store.revokedSince(null, { ...CONTEXT, now: NOW + TTL + 1000 })).sessionIds, [])
})

test('the longest time that any process asks for counts, for revocations and for sessions', async t => {
  const database = open(t)
  const [long, short] = [sqliteStore(database), sqliteStore(database)]
  const brief = { now: NOW, revocationTtl: 1000 }
  await short.revoke({ sessionId: 'first', mustExist: false, ...brief })
  await long.revokedSince(null, CONTEXT)
  const session = await create(short, 'a', { expiresAt: NOW + 10 })
  const later = { now: NOW + TTL - 1, revocationTtl: 1000 }
  t.strictSame((await short.revokedSince(null, later)).sessionIds, ['first'])
  t.equal(await short.revoke({ sessionId: session.id, mustExist: true, ...later }), true)
})

test('marks are forgotten after a minute, and when they are from before the machine was started', async t => {
  let moment = 1000
  t.intercept(performance, 'now', { value: () => moment })
  const database = open(t)
  const store = sqliteStore(database)
  await store.revokeUser({ userId: 'a', ...CONTEXT })
  const creates = async (elapsed: number) => await store.create(newSession('a', NOW), { ...CONTEXT, elapsed })
  moment += 60_000
  await store.revokedSince(null, CONTEXT)
  t.equal(await creates(60_001), false)
  database.exec('UPDATE dual_token_marks SET marked_at = marked_at + 1e9')
  t.equal(await creates(60_001), true, 'a mark of the future bars nobody')
  await store.revokedSince(null, CONTEXT)
  await until(() => count(database, 'marks') === 0)
  await store.revokeUser({ userId: 'a', ...CONTEXT })
  moment += 60_001
  await store.revokedSince(null, CONTEXT)
  await until(() => count(database, 'marks') === 0)
  t.equal(await creates(60_002), true)
})

test('revokeUser ends a long list in slices, and spares who signs in meanwhile', async t => {
  const database = open(t)
  const store = sqliteStore(database, { synchronous: 'normal' })
  const sessions = []
  for (let i = 0; i < 750; i++) sessions.push(await create(store))
  const spared = sessions[300]!
  const ending = store.revokeUser({ userId: 'a', except: spared.id, ...CONTEXT })
  const meanwhile = newSession('a', NOW)
  await until(() => count(database, 'revocations') > 0)
  t.equal(await store.create(meanwhile, { ...CONTEXT, elapsed: 0 }), true)
  const ended = await ending
  t.strictSame([...ended].sort(), sessions.filter(session => session !== spared).map(({ id }) => id).sort())
  t.strictSame((await store.list({ userId: 'a', ...CONTEXT })).map(({ id }) => id).sort(), [spared.id, meanwhile.id].sort())
})

test('a limit that comes after many sessions ends them in slices, and spares what is used meanwhile', async t => {
  const database = open(t)
  const told = watched(database)
  const store = sqliteStore(told.database, { synchronous: 'normal' })
  const heard: string[] = []
  store.subscribe!(ids => heard.push(...ids))
  const sessions: SessionRecord[] = []
  for (let i = 0; i < 750; i++) sessions.push(await create(store, 'a', { lastUsedAt: NOW + i }))
  await create(store, 'b')
  const before = told.statements.length
  const creation = { ...CONTEXT, elapsed: 0, limit: { max: 2, whenFull: 'end_oldest' as const } }
  const created = newSession('a', NOW, { lastUsedAt: NOW + 1000 })
  const creating = store.create(created, creation)
  const used = sessions[600]!
  await until(() => count(database, 'revocations') > 0)
  await store.confirm({ sessionId: used.id, generation: 0, ...CONTEXT, now: NOW + 900 })
  const reached = await creating as LimitReached
  const ended = sessions.filter(session => session !== used).map(({ id }) => id)
  t.strictSame([reached.kept, [...reached.ended].sort()], [true, [...ended].sort()])
  t.strictSame([...heard].sort(), [...ended].sort())
  t.strictSame((await store.list({ userId: 'a', ...CONTEXT })).map(({ id }) => id).sort(), [used.id, created.id].sort())
  const deletes = told.statements.slice(before).join('\n').split('BEGIN IMMEDIATE').map(step => step.split('DELETE FROM dual_token_sessions WHERE id').length - 1)
  t.ok(Math.max(...deletes) <= 250, 'no step ends more than a slice')
})

test('of a user who has too many, another process may have ended them meanwhile', async t => {
  for (const doesEnd of [false, true]) {
    const database = open(t)
    let reads = 0
    const store = sqliteStore({
      exec: sql => database.exec(sql),
      prepare (sql) {
        const statement = database.prepare(sql)
        if (!sql.includes('+expires_at')) return statement
        return {
          get: (...values) => statement.get(...values),
          run: (...values) => statement.run(...values),
          all (...values) {
            reads++
            if (doesEnd && reads === 2) database.exec('DELETE FROM dual_token_sessions WHERE seq > 1')
            return statement.all(...values)
          }
        }
      }
    }, { synchronous: 'normal' })
    for (let i = 0; i < 300; i++) await create(store)
    const reached = await store.create(newSession('a', NOW), { ...CONTEXT, elapsed: 0, limit: { max: 2, whenFull: 'end_oldest' } })
    t.equal(doesEnd ? reached : (reached as LimitReached).ended.length, doesEnd || 299)
    t.equal((await store.list({ userId: 'a', ...CONTEXT })).length, 2)
  }
})

test('a limit reads no more of a user than it needs: a refusal does not depend on how many there are', async t => {
  const database = open(t)
  const rows: number[] = []
  const store = sqliteStore({
    exec: sql => database.exec(sql),
    prepare (sql) {
      const statement = database.prepare(sql)
      return {
        get: (...values) => statement.get(...values),
        run: (...values) => statement.run(...values),
        all (...values) {
          const all = statement.all(...values)
          rows.push(all.length)
          return all
        }
      }
    }
  }, { synchronous: 'normal' })
  for (let i = 0; i < 600; i++) await create(store)
  const refused = await store.create(newSession('a', NOW), { ...CONTEXT, elapsed: 0, limit: { max: 2, whenFull: 'refuse' } })
  t.strictSame(refused, { kept: false, ended: [] })
  t.strictSame(rows, [252])
})

test('a clock that stepped forward and back has made the feed forget too much: it begins anew', async t => {
  const database = open(t)
  const store = sqliteStore(database)
  await store.revoke({ sessionId: 'first', mustExist: false, ...CONTEXT })
  const before = await store.revokedSince(null, CONTEXT)
  t.strictSame(before.sessionIds, ['first'])
  await store.revokedSince(null, { ...CONTEXT, now: NOW + 10 * TTL })
  await until(() => count(database, 'revocations') === 0)
  t.equal((await store.revokedSince(before.cursor, { ...CONTEXT, now: NOW + 10 * TTL - 60_000 })).epoch, before.epoch, 'a small step does no harm')
  const after = await store.revokedSince(before.cursor, { ...CONTEXT, now: NOW + 1000 })
  t.not(after.epoch, before.epoch)
  t.equal(after.age, 0)
  t.equal((await store.revokedSince(after.cursor, { ...CONTEXT, now: NOW + 2000 })).epoch, after.epoch, 'once')
})

test('a feed survives its processes, and a new file has another epoch', async t => {
  const database = open(t)
  await sqliteStore(database).revoke({ sessionId: 'first', mustExist: false, ...CONTEXT })
  const page = await sqliteStore(database).revokedSince(null, { ...CONTEXT, now: NOW + 5000 })
  t.match(page, { sessionIds: ['first'], age: 5000 })
  t.equal((await sqliteStore(database).revokedSince(null, CONTEXT)).epoch, page.epoch)
  t.not((await sqliteStore(open(t)).revokedSince(null, CONTEXT)).epoch, page.epoch)
})

test('endings use up the reserve of a full database, and it is given back when there is room', async t => {
  const database = open(t)
  const store = sqliteStore(database, { synchronous: 'normal' })
  await store.open!()
  const pages = Object(database.prepare('PRAGMA page_count').get()).page_count
  database.prepare(`PRAGMA max_page_count = ${pages}`).get()
  const limit = { max: 1, whenFull: 'end_oldest' } as const
  let full: unknown
  while (full === undefined) await create(store, 'b', { userAgent: 'x'.repeat(250) }).catch(error => { full = error })
  t.equal(reasonOf(full), 'full')
  await t.rejects((async () => { for (;;) await store.create(newSession('c', NOW, { userAgent: 'x'.repeat(250) }), { ...CONTEXT, elapsed: 0, limit: { ...limit, max: 1000 } }) })())
  for (let i = 0; i < 300; i++) t.equal(await store.revoke({ sessionId: createRandom(), mustExist: false, ...CONTEXT }), true)
  t.ok(count(database, 'reserve') < 16)
  database.prepare('PRAGMA max_page_count = 1000000').get()
  await store.revokedSince(null, CONTEXT)
  await until(() => count(database, 'reserve') === 16)
})

test('a full disk answers 503, and the same tokens work when there is room again', async t => {
  const database = open(t)
  const { app } = await createApp(t, { sessions: { storeTimeout: 20, store: sqliteStore(database, { synchronous: 'normal' }) }, routes: { login: () => ({ user_id: 'a' }) } })
  const signIn = async () => await app.inject({ method: 'POST', url: '/authorizations', payload: {}, headers: { 'user-agent': 'x'.repeat(250) } })
  const [first, leaving] = [(await signIn()).json(), (await signIn()).json()]
  const pages = Object(database.prepare('PRAGMA page_count').get()).page_count
  database.prepare(`PRAGMA max_page_count = ${pages}`).get()
  let reply = await signIn()
  while (reply.statusCode === 201) reply = await signIn()
  t.equal(reply.statusCode, 503)
  t.equal(reply.json().code, 'FST_DUAL_TOKEN_STORE_UNAVAILABLE')
  t.equal((await app.inject({ url: '/me', headers: bearer(first.token) })).statusCode, 200)
  t.equal((await app.inject({ method: 'DELETE', url: '/authorizations', headers: bearer(leaving.refresh_token) })).statusCode, 204)
  database.prepare('PRAGMA max_page_count = 1000000').get()
  t.equal((await app.inject({ method: 'PUT', url: '/authorizations', headers: bearer(first.refresh_token) })).statusCode, 201)
  t.equal((await app.inject({ method: 'PUT', url: '/authorizations', headers: bearer(leaving.refresh_token) })).statusCode, 403)
})

test('guarded requests send no statement, and a dump holds nothing that makes a token', async t => {
  const file = newFile(t)
  const { database, statements } = watched(open(t, file))
  const store = sqliteStore(database)
  const { app } = await createApp(t, { sessions: { store, pollInterval: '1h', maxStaleness: '2h' }, routes: { login: () => ({ user_id: 'a' }) } })
  const first = (await app.inject({ method: 'POST', url: '/authorizations', payload: {} })).json()
  const next = (await app.inject({ method: 'PUT', url: '/authorizations', headers: bearer(first.refresh_token) })).json()
  await app.inject({ url: '/me', headers: bearer(next.token) })
  await until(() => statements.some(sql => sql.startsWith('UPDATE dual_token_sessions') && statements.at(-1) === 'COMMIT'))
  for (let turn = 0; turn < 20; turn++) await nextTurn()

  statements.length = 0
  for (let i = 0; i < 100; i++) t.equal((await app.inject({ url: '/me', headers: bearer(next.token) })).statusCode, 200)
  t.strictSame(statements, [])

  const dump = ['', '-wal'].map(suffix => readFileSync(file + suffix, 'latin1')).join('')
  const { sid, n } = claimsIn(first.refresh_token)
  t.ok(dump.includes(String(sid)))
  t.notOk(dump.includes(String(n)))
  t.notMatch(dump, /eyJ/)
  for (const token of [first.token, first.refresh_token, next.token, next.refresh_token]) t.notOk(dump.includes(token.split('.')[2]))
})

test('a backup of the running file is whole', async t => {
  const database = open(t)
  const session = await create(sqliteStore(database))
  const copy = newFile(t)
  database.exec(`VACUUM INTO '${copy}'`)
  t.strictSame(await sqliteStore(open(t, copy)).list({ userId: 'a', ...CONTEXT }), [session])
})

test('a process that ends while it sweeps is not held up', async t => {
  const script = `
    import { sqliteStore } from '${new URL('../../../lib/index.ts', import.meta.url)}'
    import { openDatabase } from '${new URL('../../support/sqlite.ts', import.meta.url)}'
    const store = sqliteStore(openDatabase(process.argv[1]))
    const context = { now: ${NOW}, revocationTtl: 1 }
    for (let i = 0; i < 300; i++) await store.revoke({ sessionId: 's' + i, mustExist: false, ...context })
    await store.revokedSince(null, { ...context, now: ${NOW} + 10 })`
  const { status, stderr } = spawnSync('/usr/bin/env', ['-u', 'NODE_OPTIONS', process.execPath, '--import', 'tsx', '--input-type=module', '-e', script, newFile(t)], { encoding: 'utf8', env: { PATH: process.env.PATH } })
  t.equal(status, 0, stderr)
})

test('opening a busy database is tried again, and opening a file that is no database is not', async t => {
  const failures = [{ code: 'SQLITE_BUSY' }, { code: 'SQLITE_NOTADB' }]
  let calls = 0
  const database = {
    exec () { throw Object.assign(new Error('no'), failures[calls++]) },
    prepare () { throw Object.assign(new Error('no'), failures[calls++]) }
  }
  await t.rejects(sqliteStore(database).open!(), { code: 'FST_DUAL_TOKEN_OPTION_INVALID' })
  t.equal(calls, 2)
})
