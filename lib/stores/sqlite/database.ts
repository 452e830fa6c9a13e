// A path, or a database handed in → the few calls that the store makes, alike for node:sqlite, better-sqlite3 and libsql.
import { closeSync, openSync } from 'node:fs'
import { resolve } from 'node:path'
import { createFault } from '../../errors.ts'

export type SqliteValue = string | number | null

/** The part of a prepared statement that the store uses. The values are unknown because the types of libsql and better-sqlite3 take no null. */
export interface SqliteStatement {
  get (...values: unknown[]): unknown
  all (...values: unknown[]): unknown[]
  run (...values: unknown[]): unknown
}

/** The part of a `DatabaseSync` of node:sqlite, or a `Database` of better-sqlite3 or libsql, that the store uses. */
export interface SqliteDatabase {
  exec (sql: string): unknown
  prepare (sql: string): SqliteStatement
}

export type Row = Readonly<Record<string, unknown>>

interface OwnDatabase extends SqliteDatabase {
  close (): void
}

const IN_MEMORY = ':memory:'

export function isDatabase (value: unknown): value is SqliteDatabase {
  const { exec, prepare } = Object(value) as Partial<SqliteDatabase>
  return typeof exec === 'function' && typeof prepare === 'function'
}

/** Opens a file through node:sqlite. Makes a missing file, which only its owner can read; SQLite gives its other files the same mode. */
export function openFile (path: string): OwnDatabase {
  const sqlite: unknown = process.getBuiltinModule('node:sqlite')
  if (!hasDatabaseSync(sqlite)) {
    throw createFault('OPTION_INVALID', 'sqliteStore needs Node.js 22.13 or later to open a file; ' +
      'on an older one run npm install libsql, and hand it new Database(path) of libsql instead of the path.')
  }
  if (path === IN_MEMORY) return new sqlite.DatabaseSync(path)
  const file = resolve(path)
  closeSync(openSync(file, 'a', 0o600))
  return new sqlite.DatabaseSync(file)
}

function hasDatabaseSync (sqlite: unknown): sqlite is { DatabaseSync: new (path: string) => OwnDatabase } {
  return typeof Object(sqlite).DatabaseSync === 'function'
}

/** The first row, or null. */
export function firstOf (statement: SqliteStatement, ...values: SqliteValue[]): Row | null {
  const row = statement.get(...values)
  return isRow(row) ? row : null
}

export function rowsOf (statement: SqliteStatement, ...values: SqliteValue[]): Row[] {
  return statement.all(...values).filter(isRow)
}

function isRow (value: unknown): value is Row {
  return typeof value === 'object' && value !== null
}

/** Primary result codes of SQLite. */
const REASONS = { busy: ['BUSY', 5], locked: ['LOCKED', 6], readOnly: ['READONLY', 8], full: ['FULL', 13], noDatabase: ['NOTADB', 26] } as const

/** Why SQLite failed: node:sqlite and libsql tell the (extended) code as a number, better-sqlite3 by its name. */
export function reasonOf (error: unknown): keyof typeof REASONS | null {
  const { errcode, rawCode, code } = Object(error) as { errcode?: unknown, rawCode?: unknown, code?: unknown }
  const primary = Number(errcode ?? rawCode) & 0xff
  for (const [reason, [name, number]] of Object.entries(REASONS)) {
    if (primary === number || String(code).startsWith(`SQLITE_${name}`)) return reason as keyof typeof REASONS
  }
  return null
}

/** Whether another connection holds the lock, so that the same step will work a little later. */
export function isBusy (error: unknown): boolean {
  const reason = reasonOf(error)
  return reason === 'busy' || reason === 'locked'
}
