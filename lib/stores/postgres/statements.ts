// The steps of the Postgres store that are one statement → their SQL.
import { CLOCK } from './functions.ts'
import type { Names } from './names.ts'

/** What a rotation writes. */
export const CHANGING = [
  'generation', 'parent_generation', 'confirmed', 'rotated_at', 'displaced_at', 'issued_at', 'expires_at', 'forget_at', 'forget_day', 'last_used_at',
  'ip', 'user_agent'
]
/** What any use writes. */
export const USED = ['last_used_at', 'ip', 'user_agent']

/** What a record is read from. */
const RECORD = [
  'id', 'user_id', 'nonce_hash', 'created_at', 'authenticated_at', 'label', 'lifetime', 'jkt',
  ...CHANGING.filter(column => !column.startsWith('forget'))
].join(', ')

export interface Statements {
  /** $1 id, $2 now */
  readonly read: string
  /** $1 id, $2 version, then the columns that a rotation writes */
  readonly write: string
  /** $1 id, then the columns that any use writes */
  readonly touch: string
  /** $1 id, $2 version, $3 time to live of the revocation */
  readonly end: string
  /** $1 id, $2 generation, $3 now, $4 time to live of the revocation */
  readonly confirm: string
  /** $1 id, $2 user or null, $3 must exist, $4 now, $5 time to live of the revocation */
  readonly revoke: string
  /** $1 user, $2 now */
  readonly list: string
  /** $1 id, $2 user, $3 now */
  readonly reauthenticate: string
  /** $1 record as JSON, $2 elapsed, $3 now, $4 time to live of the revocation, $5 max or null, $6 refuse */
  readonly create: string
  /** $1 user, $2 except or null, $3 now, $4 time to live of the revocation */
  readonly revokeUser: string
  /** $1 time to live of the revocation, $2 now, $3 the epoch that is over or null */
  keep (timeline: string): string
  /** $1 moment and $2 id after which the page begins, $3 its size */
  page (timeline: string): string
}

export function statementsOf ({ sessions, revocations, meta, channel, createSession, revokeUser, keep }: Names): Statements {
  const tell = (from: string, ttl: string): string =>
    `INSERT INTO ${revocations} (session_id, revoked_at, forget_at) SELECT id, ${CLOCK}, ${CLOCK} + ${ttl} FROM ${from} ON CONFLICT (session_id) DO NOTHING`
  const set = (columns: readonly string[], first: number): string => columns.map((column, i) => `${column} = $${first + i}`).join(', ')

  return {
    read: `SELECT ${RECORD}, version, ${CLOCK} AS clock FROM ${sessions} WHERE id = $1 AND forget_at > $2`,

    write: `UPDATE ${sessions} SET version = version + 1, ${set(CHANGING, 3)} WHERE id = $1 AND version = $2 RETURNING id`,

    touch: `UPDATE ${sessions} SET ${set(USED, 2)} WHERE id = $1 RETURNING id`,

    end: `WITH gone AS (DELETE FROM ${sessions} WHERE id = $1 AND version = $2 RETURNING id),
told AS (${tell('gone', '$3')})
SELECT id, pg_notify('${channel}', id)::text FROM gone`,

    // `FOR UPDATE` returns the row as it is after the wait for the lock, and the rest of the statement uses that row.
    confirm: `WITH seen AS MATERIALIZED (
  SELECT id, generation, jkt IS NULL AND $2 > parent_generation AND $2 < generation AS displaced FROM ${sessions} WHERE id = $1 AND forget_at > $3 FOR UPDATE
), gone AS (
  DELETE FROM ${sessions} AS session USING seen WHERE session.id = seen.id AND seen.displaced RETURNING session.id
), told AS (${tell('gone', '$4')}),
confirmed AS (
  UPDATE ${sessions} AS session SET confirmed = true, last_used_at = $3, version = version + 1 FROM seen WHERE session.id = seen.id AND seen.generation = $2
)
SELECT gone.id IS NOT NULL AS ended, CASE WHEN gone.id IS NOT NULL THEN pg_notify('${channel}', gone.id)::text END FROM seen LEFT JOIN gone ON true`,

    revoke: `WITH gone AS (
  DELETE FROM ${sessions} WHERE id = $1 AND forget_at > $4 AND ($2::text IS NULL OR user_id = $2) RETURNING id
), ended AS (
  SELECT $1::text AS id WHERE EXISTS (SELECT FROM gone) OR NOT ($3::boolean OR EXISTS (
    SELECT FROM ${sessions} WHERE id = $1 AND forget_at > $4 AND user_id <> $2))
), told AS (${tell('ended', '$5')})
SELECT id, pg_notify('${channel}', id)::text FROM ended`,

    list: `SELECT ${RECORD} FROM ${sessions} WHERE user_id = $1 AND expires_at > $2`,

    reauthenticate: `UPDATE ${sessions} SET authenticated_at = $3, version = version + 1 WHERE id = $1 AND user_id = $2 AND expires_at > $3 RETURNING id`,

    create: `SELECT barred, kept, ended FROM ${createSession}($1, $2, $3, $4, $5, $6)`,

    revokeUser: `SELECT ended FROM ${revokeUser}($1, $2, $3, $4)`,

    keep: timeline => `SELECT ${keep}($1, $2, $3, ${timeline}) AS more`,

    page: timeline => `SELECT epoch, extract(epoch FROM pg_postmaster_start_time())::text AS run, began_at, ${CLOCK} AS clock,
  made_as <> meta.tableoid OR coalesce(timeline <> ${timeline}, false) AS moved, ids, count, last
FROM ${meta} AS meta CROSS JOIN (
  SELECT string_agg(session_id, ' ' ORDER BY revoked_at, session_id) AS ids, count(*) AS count, max(revoked_at) AS last FROM (
    SELECT session_id, revoked_at FROM ${revocations} WHERE (revoked_at, session_id) > ($1::float8, $2::text) ORDER BY revoked_at, session_id LIMIT $3
  ) AS page
) AS feed`
  }
}
