// A pool → a connection of its own that hears of revocations, opened again whenever it is lost.
import type { PostgresClient, PostgresConnection } from './client.ts'

/** Milliseconds until a lost connection is opened again. */
const PAUSE = 1000
/** Milliseconds between two looks at whether the pool is being closed, which waits for every connection that it has lent. */
const LOOK = 500

/** The members that tell a pool from a client, and that say how a pool is. */
interface PoolLike {
  readonly pool?: PoolLike
  readonly options?: { readonly max?: number }
  readonly ending?: boolean
  readonly escapeIdentifier?: unknown
  on? (event: 'error', listener: () => void): unknown
}

/** The pool itself, also of an object that wraps it, such as `fastify.pg`. */
function poolOf (client: PostgresClient): PoolLike {
  const given = client as PoolLike
  return given.pool ?? given
}

/** Keeps the loss of an idle connection from ending the process: the next statement reports what it means. */
export function surviveErrors (client: PostgresClient): void {
  poolOf(client).on?.('error', () => {})
}

/** Whether a connection can be had for listening alone: a Client is one connection, and so is a pool of one. */
export function canListen (client: PostgresClient): boolean {
  const pool = poolOf(client)
  return client.connect !== undefined && pool.escapeIdentifier === undefined && pool.options?.max !== 1
}

/** @returns a function that stops it */
export function listen (client: PostgresClient, channel: string, onRevoked: (sessionIds: readonly string[]) => void): () => void {
  const pool = poolOf(client)
  let stopped = false
  let timer: NodeJS.Timeout | undefined
  let close = (): void => {}

  async function open (): Promise<void> {
    const connection = await client.connect!() as PostgresConnection
    let isOpen = true
    close = () => {
      if (!isOpen) return
      isOpen = false
      connection.release(true)
    }
    const lost = (): void => {
      if (!isOpen) return
      close()
      openLater()
    }
    connection.on('error', lost)
    connection.on('end', lost)
    connection.on('notification', ({ payload = '' }) => onRevoked(payload.split(' ')))
    if (stopped || pool.ending === true) return close()
    await connection.query(`LISTEN "${channel}"`).catch(lost)
  }

  function openLater (): void {
    // Polling goes on meanwhile.
    if (!stopped && pool.ending !== true) timer = setTimeout(() => { open().catch(openLater) }, PAUSE).unref()
  }

  const look = setInterval(() => { if (pool.ending === true) close() }, LOOK).unref()
  open().catch(openLater)

  return () => {
    stopped = true
    clearTimeout(timer)
    clearInterval(look)
    close()
  }
}
