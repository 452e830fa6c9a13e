// A client of Postgres, typed by shape → statements that are tried again after a conflict.
import { setTimeout as delay } from 'node:timers/promises'

/** The part of a Pool or a Client of `pg`, of `fastify.pg` or of PGlite that the store uses. */
export interface PostgresClient {
  query (text: string, values?: unknown[]): Promise<{ readonly rows: unknown[] }>
  /** Of a pool: lends a connection, on which the store listens for revocations. */
  connect? (): Promise<unknown>
}

/** A connection that a pool has lent. */
export interface PostgresConnection {
  query (text: string): Promise<unknown>
  on (event: 'notification' | 'error' | 'end', listener: (message: { readonly payload?: string | undefined }) => void): unknown
  /** @param destroy true: the pool closes it instead of lending it again */
  release (destroy: boolean): void
}

export type Row = Readonly<Record<string, unknown>>

/** Runs one statement, which is a transaction of its own, in one round trip. */
export type Ask = (text: string, values: unknown[]) => Promise<Row[]>

/** Under `repeatable read`, all but the first of many steps on one user fail, and are tried again. */
const MOST_TRIES = 100
/** Milliseconds. A pause ends at a random moment within them, so that steps that failed do not all come back at once. */
const LONGEST_PAUSE = 25

export function createAsk (client: PostgresClient): Ask {
  return async function ask (text, values) {
    const { rows } = await client.query(text, values)
    return rows as Row[]
  }
}

/** Whether a statement was rolled back because of another one: a serialization failure or a deadlock. */
export function isConflict (error: unknown): boolean {
  const code = codeOf(error)
  return code === '40001' || code === '40P01'
}

/** The SQLSTATE of an error, or the code of a network error. */
export function codeOf (error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
}

/** Tries a step again for as long as it is rolled back; holds no connection between two tries. */
export async function untilDone<T> (step: () => Promise<T>): Promise<T> {
  let tries = 0
  while (true) {
    try {
      return await step()
    } catch (error) {
      tries++
      if (tries === MOST_TRIES || !isConflict(error)) throw error
    }
    await delay(Math.random() * Math.min(tries, LONGEST_PAUSE))
  }
}
