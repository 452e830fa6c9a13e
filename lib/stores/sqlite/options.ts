// The options of `sqliteStore` → how a connection is opened.
import { mustKnowOptions } from '../options.ts'
import type { ConnectionOptions } from './connection.ts'
import { checkPrefix, DEFAULT_PREFIX } from './schema.ts'

export interface SqliteStoreOptions {
  /** `'full'`: what was answered survives a power cut. `'normal'`: the last moment before one may be lost. Default `'full'`. */
  synchronous?: 'full' | 'normal'
  /** Make missing tables at boot. False: fail the boot instead; `npx fastify-dual-token schema sqlite` prints their SQL. Default true. */
  createTables?: boolean
  /** The names of all tables and indexes begin with it. Default `'dual_token_'`. */
  tablePrefix?: string
}

/** @throws TypeError */
export function readOptions (options: SqliteStoreOptions): ConnectionOptions {
  mustKnowOptions(options, 'sqliteStore', ['synchronous', 'createTables', 'tablePrefix'])
  const { synchronous = 'full', createTables = true, tablePrefix = DEFAULT_PREFIX } = options
  if (synchronous !== 'full' && synchronous !== 'normal') throw new TypeError("synchronous must be 'full' or 'normal'.")
  if (typeof createTables !== 'boolean') throw new TypeError('createTables must be true or false.')
  return { synchronous, createTables, prefix: checkPrefix(tablePrefix) }
}
