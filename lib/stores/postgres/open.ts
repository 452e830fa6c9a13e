// The tables at boot → made, or found to be of this version, or one sentence that says what to run.
import { codeOf, untilDone, type Ask } from './client.ts'
import { createFault } from '../../errors.ts'
import type { Names } from './names.ts'
import { bootOf, VERSION } from './schema.ts'

const TIMELINE = '(SELECT timeline_id FROM pg_control_checkpoint())'
const NO_TIMELINE = 'NULL::integer'

/** Milliseconds in which the server must answer. */
const PATIENCE = 5000

/** The SQLSTATE of a table, a schema or a function that is not there, and of one that the role may not use or make. */
const MISSING: ReadonlySet<unknown> = new Set(['42P01', '3F000', '42883'])
const FORBIDDEN = '42501'

/** Of each table; INSERT and DELETE not of the one of meta. */
const PRIVILEGES = ['SELECT', 'INSERT', 'UPDATE', 'DELETE']
/** $2 schema, $3 names */
const OWN_FUNCTIONS = 'WHERE pronamespace = to_regnamespace(quote_ident($2)) AND proname = ANY ($3::text[])'

/**
 * @returns the SQL that reads the server's timeline, or NULL where the role may not
 * @throws `FST_DUAL_TOKEN_OPTION_INVALID` when the tables are missing or of another version; what the client rejects with, otherwise
 */
export async function openTables (ask: Ask, names: Names, createTables: boolean): Promise<string> {
  let timer: NodeJS.Timeout | undefined
  const tooLate = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`Postgres did not answer within ${PATIENCE} ms`)), PATIENCE)
  })
  return await Promise.race([prepare(ask, names, createTables), tooLate]).finally(() => clearTimeout(timer))
}

async function prepare (ask: Ask, names: Names, createTables: boolean): Promise<string> {
  let version = await versionOf(ask, names)
  if (version === null && createTables) {
    await untilDone(async () => await ask(bootOf(names), [])).catch(error => { throw translated(error, names) })
    version = await versionOf(ask, names)
  }
  if (version === null) throw fault('are missing', names)
  if (version !== VERSION) throw fault(`are of version ${version}, and this release needs version ${VERSION}`, names)
  const lack = await lackOf(ask, names)
  if (lack !== null) throw fault(`are not open to this role (it lacks ${lack})`, names)
  return await timelineOf(ask)
}

/** Null: there are none, or not all of them. */
async function versionOf (ask: Ask, names: Names): Promise<number | null> {
  try {
    const [row] = await ask(`SELECT version FROM ${names.meta}`, [])
    if (row === undefined) return null
    const version = Number(row.version)
    return version === VERSION && !await isWhole(ask, names) ? null : version
  } catch (error) {
    if (MISSING.has(codeOf(error))) return null
    throw translated(error, names)
  }
}

async function isWhole (ask: Ask, names: Names): Promise<boolean> {
  const [row] = await ask(`SELECT NOT EXISTS (SELECT FROM unnest($1::text[]) AS name WHERE to_regclass(name) IS NULL)
    AND (SELECT count(DISTINCT proname) FROM pg_proc ${OWN_FUNCTIONS}) = cardinality($3::text[]) AS whole`, [names.tables, names.schema, names.functions])
  return row!.whole === true
}

/** The privileges that a step would need; null: none. */
async function lackOf (ask: Ask, names: Names): Promise<string | null> {
  const [row] = await ask(`SELECT string_agg(lack, ', ') AS lacks FROM (
    SELECT privilege || ' on ' || name AS lack FROM unnest($1::text[]) AS name, unnest($4::text[]) AS privilege
      WHERE NOT has_table_privilege(to_regclass(name), privilege) AND NOT (name = $5 AND privilege IN ('INSERT', 'DELETE'))
    UNION ALL
    SELECT 'EXECUTE on ' || proname FROM pg_proc ${OWN_FUNCTIONS} AND NOT has_function_privilege(oid, 'EXECUTE')
  ) AS lacking`, [names.tables, names.schema, names.functions, PRIVILEGES, names.meta])
  return row!.lacks as string | null
}

async function timelineOf (ask: Ask): Promise<string> {
  try {
    await ask(`SELECT ${TIMELINE}`, [])
    return TIMELINE
  } catch (error) {
    if (codeOf(error) !== FORBIDDEN && !MISSING.has(codeOf(error))) throw error
    return NO_TIMELINE
  }
}

function translated (error: unknown, names: Names): unknown {
  if (codeOf(error) !== FORBIDDEN) return error
  return Object.assign(fault(`are not open to this role (${(error as Error).message})`, names), { cause: error })
}

function fault (what: string, { schema, tablePrefix }: Names): Error {
  const options = `${tablePrefix === 'dual_token_' ? '' : ` --table-prefix ${tablePrefix}`}${schema === 'public' ? '' : ` --schema ${schema}`}`
  return createFault('OPTION_INVALID',
    `The tables of sessions.store ${what}. A role that may create them can run what \`npx fastify-dual-token schema postgres${options}\` prints.`)
}
