// A pool → a connection of its own that hears of revocations, opened again whenever it is lost.
import type { PostgresClient, PostgresConnection } from './client.ts'

/** Milliseconds until a lost connection is opened again. */
const PAUSE = 1000
/** Milliseconds between two looks at whether the pool is being closed, which waits for every connection that it has lent. */
const LOOK = 500

/** What tells a pool from a client, and how a pool is. */
interface PoolLike {
  readonly pool?: PoolLike
  readonly options?: { readonly max?: number }
  readonly ending?: boolean
  readonly escapeIdentifier?: unknown
  on? (event: 'error', listener: () => void): unknown
}

/** Of what wraps a pool, as `fastify.pg` does, the pool. */
function poolOf (client: PostgresClient): PoolLike {
  const given = client as PoolLike
  return given.pool ?? given
}

/** A pool that an idle connection's loss would end the process for: what it means, the next statement says. */
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
