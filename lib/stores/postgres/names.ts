// The options of the Postgres store → the names of its tables and functions, as SQL writes them.

/** Where the tables are. */
export interface PostgresNameOptions {
  /** The schema of the tables and functions; default `'public'`. */
  readonly schema?: string
  /** The names of tables and functions begin with it; default `'dual_token_'`. One prefix per set of users. */
  readonly tablePrefix?: string
}

export interface Names {
  readonly schema: string
  readonly tablePrefix: string
  readonly sessions: string
  readonly users: string
  readonly revocations: string
  readonly meta: string
  readonly createSession: string
  readonly revokeUser: string
  readonly tell: string
  readonly keep: string
  /** All tables. */
  readonly tables: readonly string[]
  /** The functions, without the schema, unquoted. */
  readonly functions: readonly string[]
  /** The channel of NOTIFY, unquoted. */
  readonly channel: string
  /** The key of the advisory lock under which the tables are created, as SQL. */
  readonly lock: string
  /** The name of an index of the tables. */
  index (name: string): string
}

const IDENTIFIER = /^[a-z_][a-z0-9_]*$/
/** The length of both together, so that no name is longer than the 63 bytes that Postgres keeps. */
const MAX_LENGTH = 48

/** @throws TypeError in one sentence */
export function namesOf ({ schema = 'public', tablePrefix = 'dual_token_' }: PostgresNameOptions): Names {
  for (const [option, value] of Object.entries({ schema, tablePrefix })) {
    if (typeof value !== 'string' || !IDENTIFIER.test(value)) {
      throw new TypeError(`${option} must be lower-case letters, digits and _, and must not begin with a digit.`)
    }
  }
  if (schema.length + tablePrefix.length > MAX_LENGTH) throw new TypeError(`schema and tablePrefix must have at most ${MAX_LENGTH} characters together.`)
  const named = (name: string): string => `"${schema}"."${tablePrefix}${name}"`
  const tables = { sessions: named('sessions'), users: named('users'), revocations: named('revocations'), meta: named('meta') }
  return {
    schema,
    tablePrefix,
    ...tables,
    tables: Object.values(tables),
    functions: ['create', 'revoke_user', 'tell', 'keep'].map(name => `${tablePrefix}${name}`),
    createSession: named('create'),
    revokeUser: named('revoke_user'),
    tell: named('tell'),
    keep: named('keep'),
    channel: `${schema}.${tablePrefix}revoked`,
    lock: `hashtextextended('${schema}.${tablePrefix}', 0)`,
    index: name => `"${tablePrefix}${name}"`
  }
}
