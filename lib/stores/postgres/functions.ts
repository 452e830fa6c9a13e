// The steps of the Postgres store that take several statements → functions in the database, one call each.
import type { Names } from './names.ts'

/** Milliseconds of the server's clock, whole as all instants of rotations are. */
export const CLOCK = 'floor(extract(epoch FROM clock_timestamp()) * 1000)::float8'
/** To the microsecond, so that a sign-in before a mark can be told from one after it. */
const FINE_CLOCK = '(extract(epoch FROM clock_timestamp()) * 1000)::float8'
const DAY = 86_400_000
/** How long the mark of a `revokeUser` is kept at least. */
const MARK_LIFE = 60_000
/** A notification has at most 8,000 bytes. */
const IDS_PER_NOTIFICATION = 300
/** How much one call of `keep` deletes at most of each table: a few milliseconds. */
const BATCH = 500

/**
 * `create` and `revoke_user` first write the row of the user: in `read committed`, the one that comes later waits, and its next statements
 * see what the other did; above it, the one that comes later fails with 40001. A statement alone sees what was there before it waited.
 */
export function functionsOf ({ sessions, users, revocations, meta, createSession, revokeUser, tell, keep, channel }: Names): string[] {
  const define = (name: string, parameters: string, returns: string, body: string): string =>
    `CREATE OR REPLACE FUNCTION ${name} (${parameters})${returns}
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $function$
${body.trim()}
$function$`

  return [
    define(tell, 'p_ids text[], p_ttl float8', ' RETURNS void', `
DECLARE
  clock CONSTANT float8 := ${CLOCK};
BEGIN
  INSERT INTO ${revocations} (session_id, revoked_at, forget_at)
    SELECT id, clock, clock + p_ttl FROM unnest(p_ids) AS id ON CONFLICT (session_id) DO NOTHING;
  PERFORM pg_notify('${channel}', string_agg(id, ' '))
    FROM unnest(p_ids) WITH ORDINALITY AS told (id, place) GROUP BY (place - 1) / ${IDS_PER_NOTIFICATION};
END`),

    define(createSession, `p_session json, p_elapsed float8, p_now float8, p_ttl float8, p_max integer, p_refuse boolean,
  OUT barred boolean, OUT kept boolean, OUT ended text`, '', `
DECLARE
  fresh CONSTANT ${sessions} := json_populate_record(NULL::${sessions}, p_session);
  began CONSTANT float8 := (extract(epoch FROM statement_timestamp()) * 1000)::float8 - p_elapsed;
  mark float8;
  excess bigint;
  ids text[];
BEGIN
  INSERT INTO ${users} AS known (user_id, revoked_at, day) VALUES (fresh.user_id, 0, floor(${CLOCK} / ${DAY}))
    ON CONFLICT (user_id) DO UPDATE SET day = EXCLUDED.day, revoked_at = least(known.revoked_at, ${FINE_CLOCK})
    RETURNING revoked_at INTO mark;
  barred := began < mark;
  kept := NOT barred;
  IF barred THEN RETURN; END IF;
  IF p_max IS NOT NULL THEN
    SELECT count(*) + 1 - p_max INTO excess FROM ${sessions} WHERE user_id = fresh.user_id AND expires_at > p_now;
    IF excess > 0 THEN
      ended := '';
      kept := NOT p_refuse;
      IF p_refuse THEN RETURN; END IF;
      PERFORM FROM ${sessions} WHERE user_id = fresh.user_id AND expires_at > p_now ORDER BY id FOR UPDATE;
      WITH living AS (
        SELECT id, row_number() OVER (ORDER BY last_used_at DESC, created_at DESC) AS place
        FROM ${sessions} WHERE user_id = fresh.user_id AND expires_at > p_now
      ), gone AS (
        DELETE FROM ${sessions} WHERE id IN (SELECT id FROM living WHERE place >= p_max) RETURNING id
      )
      SELECT array_agg(id) INTO ids FROM gone;
      IF ids IS NOT NULL THEN
        PERFORM ${tell}(ids, p_ttl);
        ended := array_to_string(ids, ' ');
      END IF;
    END IF;
  END IF;
  DELETE FROM ${sessions} WHERE id = fresh.id AND user_id = fresh.user_id;
  INSERT INTO ${sessions} SELECT fresh.*;
END`),

    define(revokeUser, 'p_user text, p_except text, p_now float8, p_ttl float8, OUT ended text', '', `
DECLARE
  ids text[];
BEGIN
  INSERT INTO ${users} (user_id, revoked_at, day) VALUES (p_user, ${FINE_CLOCK}, floor(${CLOCK} / ${DAY}))
    ON CONFLICT (user_id) DO UPDATE SET day = EXCLUDED.day, revoked_at = ${FINE_CLOCK};
  WITH gone AS (
    DELETE FROM ${sessions} WHERE user_id = p_user AND forget_at > p_now AND id IS DISTINCT FROM p_except RETURNING id
  )
  SELECT array_agg(id) INTO ids FROM gone;
  IF ids IS NOT NULL THEN
    PERFORM ${tell}(ids, p_ttl);
    ended := array_to_string(ids, ' ');
  END IF;
END`),

    define(keep, 'p_ttl float8, p_now float8, p_over text, p_timeline integer', ' RETURNS boolean', `
DECLARE
  clock CONSTANT float8 := ${CLOCK};
  today CONSTANT integer := floor(least(clock, p_now) / ${DAY});
  known ${meta};
  longest float8;
  begins boolean;
  swept integer;
  most integer;
BEGIN
  SELECT * INTO STRICT known FROM ${meta} FOR UPDATE;
  longest := greatest(p_ttl, CASE WHEN clock < known.keep_until THEN known.longest_ttl ELSE 0 END);
  begins := known.epoch = p_over OR clock - known.read_at > longest OR known.made_as <> '${meta}'::regclass::oid
    OR coalesce(known.timeline <> p_timeline, false);
  UPDATE ${meta} SET
    epoch = CASE WHEN begins THEN gen_random_uuid()::text ELSE epoch END,
    began_at = CASE WHEN begins THEN clock ELSE least(began_at, clock) END,
    made_as = '${meta}'::regclass::oid,
    timeline = coalesce(p_timeline, timeline),
    read_at = clock,
    longest_ttl = longest,
    keep_until = CASE WHEN p_ttl = longest THEN clock + p_ttl ELSE keep_until END;

  DELETE FROM ${revocations} WHERE session_id IN (
    SELECT session_id FROM ${revocations} WHERE revoked_at <= clock - longest AND forget_at <= clock
    ORDER BY revoked_at LIMIT ${BATCH} FOR UPDATE SKIP LOCKED);
  GET DIAGNOSTICS most = ROW_COUNT;
  DELETE FROM ${sessions} WHERE id IN (
    SELECT id FROM ${sessions} WHERE forget_day < today ORDER BY forget_day LIMIT ${BATCH} FOR UPDATE SKIP LOCKED);
  GET DIAGNOSTICS swept = ROW_COUNT;
  most := greatest(most, swept);
  DELETE FROM ${users} WHERE user_id IN (
    SELECT user_id FROM ${users} WHERE day < today AND revoked_at < clock - ${MARK_LIFE} ORDER BY day LIMIT ${BATCH} FOR UPDATE SKIP LOCKED);
  GET DIAGNOSTICS swept = ROW_COUNT;
  RETURN greatest(most, swept) = ${BATCH};
END`)
  ]
}
