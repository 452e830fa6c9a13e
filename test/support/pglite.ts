// A Postgres in this process, for tests: PGlite. It takes seconds to start, so one serves a whole file, with a prefix for each store.
import { PGlite } from '@electric-sql/pglite'
import { postgresStore, type SessionStore } from '../../lib/index.ts'

let count = 0

/** A prefix of tables that no other store of this process has. */
export function newPrefix (): string {
  return `t${++count}_`
}

export interface Place {
  readonly db: PGlite
  /** An open store, alone in its tables. */
  createStore (): Promise<SessionStore>
  /** Makes a session look as if so many milliseconds had gone by. */
  backdate (store: SessionStore, sessionId: string, milliseconds: number): Promise<unknown>
  /** Forgets all sessions, users and revocations of a store; its epoch stays. */
  clear (store: SessionStore): Promise<unknown>
}

export async function openPGlite (t: { teardown (end: () => unknown): unknown }): Promise<Place> {
  const db = await PGlite.create()
  t.teardown(() => db.close())
  const prefixes = new WeakMap<SessionStore, string>()
  return {
    db,
    async createStore () {
      const tablePrefix = newPrefix()
      const store = postgresStore(db, { tablePrefix })
      prefixes.set(store, tablePrefix)
      await store.open!()
      return store
    },
    backdate: (store, sessionId, milliseconds) => db.query(backdateIn(prefixes.get(store)!), [sessionId, milliseconds]),
    clear: store => db.query(`TRUNCATE ${['sessions', 'users', 'revocations'].map(name => prefixes.get(store)! + name).join()}`)
  }
}

/** The SQL that takes $2 milliseconds from both moments of the session $1 where they are not 0. */
export function backdateIn (tablePrefix: string): string {
  return `UPDATE ${tablePrefix}sessions SET rotated_at = rotated_at - CASE WHEN rotated_at > 0 THEN $2::float8 ELSE 0 END,
    displaced_at = displaced_at - CASE WHEN displaced_at > 0 THEN $2::float8 ELSE 0 END WHERE id = $1`
}
