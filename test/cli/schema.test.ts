import { test } from 'tap'
import { run } from '../../lib/cli/command.ts'
import { postgresStore, sqliteStore } from '../../lib/index.ts'
import { openPGlite } from '../support/pglite.ts'
import { openDatabase } from '../support/sqlite.ts'

const HELP = run(['--help'])

test('schema postgres prints SQL that makes the tables of a store, and can be run again', async t => {
  const { db } = await openPGlite(t)
  for (const args of [[], ['--table-prefix', 'app_'], ['--table-prefix=app_', '--schema', 'auth']]) {
    const { output, errors, exitCode } = run(['schema', 'postgres', ...args])
    t.same([errors, exitCode], [[], 0])
    await db.exec(output.join('\n'))
    await db.exec(output.join('\n'))
  }
  for (const options of [{}, { tablePrefix: 'app_' }, { tablePrefix: 'app_', schema: 'auth' }]) {
    await postgresStore(db, { ...options, createTables: false }).open!()
  }
})

test('schema sqlite prints SQL that makes the tables of a store, and can be run again', async t => {
  const database = openDatabase(':memory:')
  t.teardown(() => database.close())
  for (const [args, options] of [[[], {}], [['--table-prefix', 'app_'], { tablePrefix: 'app_' }]] as const) {
    const { output, errors, exitCode } = run(['schema', 'sqlite', ...args])
    t.same([errors, exitCode], [[], 0])
    database.exec(output.join('\n'))
    database.exec(output.join('\n'))
    await sqliteStore(database, { ...options, createTables: false }).open!()
  }
})

test('schema --help prints the usage', async t => {
  t.same(HELP.exitCode, 0)
  t.match(HELP.output.join('\n'), /fastify-dual-token schema postgres/)
  for (const args of [['schema', '--help'], ['schema', 'postgres', '-h']]) t.strictSame(run(args), HELP)
})

test('an invalid command line gets one line that says why, no SQL, and the exit code 2', async t => {
  const name = 'must be lower-case letters, digits and _, and must not begin with a digit'
  const cases: Array<[string[], string]> = [
    [[], 'The database must be postgres or sqlite'],
    [['mysql'], 'The database must be postgres or sqlite'],
    [['constructor'], 'The database must be postgres or sqlite'],
    [['postgres', 'postgres'], 'The database must be postgres or sqlite'],
    [['postgres', '--table-prefix', 'a"b'], `tablePrefix ${name}`],
    [['postgres', '--table-prefix', ''], `tablePrefix ${name}`],
    [['postgres', '--schema', 'x; DROP TABLE users'], `schema ${name}`],
    [['postgres', '--schema', 's'.repeat(48)], 'schema and tablePrefix must have at most 48 characters together'],
    [['sqlite', '--schema', 'auth'], 'SQLite has no schemas'],
    [['postgres', '--prefix', 'a'], "Unknown option '--prefix'"],
    [['postgres', '--schema'], "Option '--schema <value>' argument missing"]
  ]
  for (const [args, sentence] of cases) {
    t.strictSame(run(['schema', ...args]), { output: [], errors: [`fastify-dual-token: ${sentence}. See --help.`], exitCode: 2 }, args.join(' '))
  }
})
