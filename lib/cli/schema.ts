// The arguments of `fastify-dual-token schema` → the SQL that makes the tables of a store, or what is wrong.
import { parseArgs } from 'node:util'
import { postgresSchema } from '../stores/postgres/schema.ts'
import { sqliteSchema } from '../stores/sqlite/schema.ts'

interface SchemaOptions {
  readonly tablePrefix?: string
  readonly schema?: string
}

/** The databases that have tables, and what makes their SQL. */
const databases = new Map<string | undefined, (options: SchemaOptions) => string>([
  ['postgres', postgresSchema],
  ['sqlite', sqliteSchema]
])

/**
 * @param args what follows `schema` on the command line
 * @returns the SQL, without its last line break
 * @throws in one sentence that says what is wrong
 */
export function printSchema (args: readonly string[]): string {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { 'table-prefix': { type: 'string' }, schema: { type: 'string' } }
  })
  const [name, ...others] = positionals
  const print = databases.get(name)
  if (print === undefined || others.length > 0) throw new Error(`The database must be ${[...databases.keys()].join(' or ')}`)
  const { 'table-prefix': tablePrefix, schema } = values
  if (name === 'sqlite' && schema !== undefined) throw new Error('SQLite has no schemas')
  return print({ ...(tablePrefix !== undefined && { tablePrefix }), ...(schema !== undefined && { schema }) }).trimEnd()
}
