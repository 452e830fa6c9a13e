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
  return await timelineOf(ask)
}

/** Null: there are none. */
async function versionOf (ask: Ask, names: Names): Promise<number | null> {
  try {
    const [row] = await ask(`SELECT version FROM ${names.meta}`, [])
    return row === undefined ? null : Number(row.version)
  } catch (error) {
    if (MISSING.has(codeOf(error))) return null
    throw translated(error, names)
  }
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
