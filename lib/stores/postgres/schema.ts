// The names of the Postgres store → the SQL that makes its tables and functions.
import { CLOCK, functionsOf } from './functions.ts'
import { namesOf, type Names, type PostgresNameOptions } from './names.ts'

/** Of the tables and functions together. */
export const VERSION = 1

/**
 * Rotation writes no column that is in an index, and finds room in the page (`fillfactor`), so that its updates stay there (HOT). `forget_day`
 * changes once a day at most; an index over `forget_at` itself would take part in every rotation of a sliding session.
 */
function statementsOf (names: Names): string[] {
  const { sessions, users, revocations, meta, index } = names
  return [
    `CREATE TABLE IF NOT EXISTS ${sessions} (
  generation float8 NOT NULL,
  parent_generation float8 NOT NULL,
  rotated_at float8 NOT NULL,
  displaced_at float8 NOT NULL,
  issued_at float8 NOT NULL,
  created_at float8 NOT NULL,
  authenticated_at float8 NOT NULL,
  expires_at float8 NOT NULL,
  last_used_at float8 NOT NULL,
  forget_at float8 NOT NULL,
  lifetime float8,
  forget_day integer NOT NULL,
  version integer NOT NULL,
  confirmed boolean NOT NULL,
  id text COLLATE "C" PRIMARY KEY,
  user_id text COLLATE "C" NOT NULL,
  nonce_hash text COLLATE "C" NOT NULL,
  jkt text COLLATE "C",
  ip text COLLATE "C",
  user_agent text COLLATE "C",
  label text COLLATE "C"
) WITH (fillfactor = 80)`,
    `CREATE INDEX IF NOT EXISTS ${index('sessions_user_id')} ON ${sessions} (user_id)`,
    `CREATE INDEX IF NOT EXISTS ${index('sessions_forget_day')} ON ${sessions} (forget_day)`,
    `CREATE TABLE IF NOT EXISTS ${users} (
  user_id text COLLATE "C" PRIMARY KEY,
  revoked_at float8 NOT NULL,
  day integer NOT NULL
) WITH (fillfactor = 80)`,
    `CREATE INDEX IF NOT EXISTS ${index('users_day')} ON ${users} (day)`,
    `CREATE TABLE IF NOT EXISTS ${revocations} (
  session_id text COLLATE "C" PRIMARY KEY,
  revoked_at float8 NOT NULL,
  forget_at float8 NOT NULL
)`,
    `CREATE INDEX IF NOT EXISTS ${index('revocations_revoked_at')} ON ${revocations} (revoked_at, session_id)`,
    `CREATE TABLE IF NOT EXISTS ${meta} (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  version integer NOT NULL,
  epoch text NOT NULL DEFAULT gen_random_uuid()::text,
  began_at float8 NOT NULL DEFAULT ${CLOCK},
  made_as oid NOT NULL,
  timeline integer,
  read_at float8 NOT NULL DEFAULT ${CLOCK},
  longest_ttl float8 NOT NULL DEFAULT 0,
  keep_until float8 NOT NULL DEFAULT 0
) WITH (fillfactor = 50)`,
    ...functionsOf(names),
    `INSERT INTO ${meta} (version, made_as) VALUES (${VERSION}, '${meta}'::regclass::oid) ON CONFLICT DO NOTHING`
  ]
}

/**
 * The SQL that makes the tables of `postgresStore`, for migrations. It can be run again.
 *
 * @throws TypeError when a name is not valid
 */
export function postgresSchema (options: PostgresNameOptions = {}): string {
  const names = namesOf(options)
  const schema = names.schema === 'public' ? [] : [`CREATE SCHEMA IF NOT EXISTS "${names.schema}"`]
  return [...schema, ...statementsOf(names)].map(statement => `${statement};\n`).join('\n')
}

/** The same as one statement, which waits for others that create them. */
export function bootOf (names: Names): string {
  return `DO $boot$
BEGIN
PERFORM pg_advisory_xact_lock(${names.lock});
IF to_regnamespace('"${names.schema}"') IS NULL THEN CREATE SCHEMA "${names.schema}"; END IF;
${statementsOf(names).join(';\n')};
END
$boot$`
}
