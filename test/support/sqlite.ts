// SQLite databases for tests: of node:sqlite where this Node.js has it, and of libsql everywhere.
import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SqliteDatabase } from '../../lib/index.ts'

export interface OpenDatabase extends SqliteDatabase {
  close (): unknown
}

type Constructor = new (path: string) => OpenDatabase

const { DatabaseSync } = Object(process.getBuiltinModule('node:sqlite')) as { DatabaseSync?: Constructor }
const Libsql: Constructor = createRequire(import.meta.url)('libsql')

/** Whether `sqliteStore` can open a path itself. */
export const opensFiles = DatabaseSync !== undefined

export const DRIVERS: ReadonlyMap<string, Constructor> = new Map([
  ['libsql', Libsql], ...(DatabaseSync === undefined ? [] : [['node:sqlite', DatabaseSync] as const])
])

/** With what a user of this Node.js opens a database: node:sqlite, or else libsql. */
export function openDatabase (path: string): OpenDatabase {
  return new (DatabaseSync ?? Libsql)(path)
}

/** Whom files are deleted for: a test, or whoever calls the same back. */
interface Owner {
  teardown (end: () => unknown): unknown
}

/** A path in a directory of its own, which is gone when the test ends. */
export function newFile (t: Owner): string {
  const directory = mkdtempSync(join(tmpdir(), 'sqlite-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  return join(directory, 'sessions.db')
}
