// A client of one of several libraries → what the store needs of any: run a script, listen to a channel.
import { listenByIoredis, listenByNodeRedis } from './listen.ts'
import type { Script } from './script.ts'
import type { Argument, IoredisClient, NodeRedisClient, NodeRedisSubscriber, RedisClient } from './shapes.ts'
import { slotOf } from './slots.ts'

export interface Connection {
  readonly isCluster: boolean
  /** Runs a script whose keys are all in one slot. Never waits for a connection, because a waiting command would run when nobody waits for it any more. */
  run (script: Script, keys: string[], values: Argument[]): Promise<unknown>
  /** Reconnects by itself, and never throws. */
  listen (channel: string, onMessage: (message: string) => void): () => void
}

type Send = (client: NodeRedisClient) => Promise<unknown>

/** @throws TypeError for anything else */
export function createConnection (client: RedisClient): Connection {
  if (has(client, 'evalsha')) return connectByIoredis(client as IoredisClient)
  if (has(client, 'evalSha')) return connectByNodeRedis(client as NodeRedisClient)
  throw new TypeError('client must be a client of ioredis, iovalkey or node-redis.')
}

function has (client: unknown, method: string): boolean {
  return typeof (client as Record<string, unknown> | null | undefined)?.[method] === 'function'
}

function connectByIoredis (client: IoredisClient): Connection {
  return {
    isCluster: client.isCluster === true,
    listen: (channel, onMessage) => listenByIoredis(client.duplicate(), channel, onMessage),

    async run ({ sha, text }, keys, values) {
      if (client.status === 'wait') client.connect().catch(() => {}) // The next command reports the failure.
      if (client.status !== undefined && client.status !== 'ready') throw notReady(client.status)
      // Lists, which these clients flatten: a call takes only so many arguments.
      return await runOnce(
        () => client.evalsha(sha, keys.length, keys, values),
        () => client.eval(text, keys.length, keys, values)
      )
    }
  }
}

function connectByNodeRedis (client: NodeRedisClient): Connection {
  /** Hands a client that is connected to the call: the client itself, or one of the pool's. */
  async function withReady (send: Send, key: string): Promise<unknown> {
    if (client.isOpen === false || client.isReady === false) throw notReady(client.isOpen ? 'connecting' : 'closed')
    if (client.execute !== undefined) return await client.execute(lent => sendIfReady(lent, send))
    const node = client.slots?.[slotOf(tagIn(key))]?.master.client as NodeRedisClient | undefined
    if (node?.isReady === false) throw notReady('connecting')
    return await send(client)
  }

  return {
    isCluster: client.slots !== undefined,
    listen: (channel, onMessage) => listenByNodeRedis(async () => await duplicateOf(client), channel, onMessage),

    async run ({ sha, text }, keys, values) {
      const call = { keys, arguments: values.map(value => typeof value === 'number' ? String(value) : value) }
      return await withReady(client => runOnce(() => client.evalSha(sha, call), () => client.eval(text, call)), keys[0]!)
    }
  }
}

function sendIfReady (client: NodeRedisClient, send: Send): Promise<unknown> {
  return client.isReady === false ? Promise.reject(notReady('connecting')) : send(client)
}

async function duplicateOf (client: NodeRedisClient): Promise<NodeRedisSubscriber> {
  if (client.duplicate !== undefined) return client.duplicate()
  return await client.execute!(lent => lent.duplicate!()) as NodeRedisSubscriber
}

async function runOnce (bySha: () => Promise<unknown>, byText: () => Promise<unknown>): Promise<unknown> {
  try {
    const reply = await bySha()
    // The application has begun a transaction on this connection: the command has not run, and may never.
    if (reply === 'QUEUED') throw new Error('the Redis client is in a transaction')
    return reply
  } catch (error) {
    if (!(error instanceof Error) || !error.message.includes('NOSCRIPT')) throw error
    return await byText()
  }
}

function tagIn (key: string): string {
  return /\{([^}]+)\}/.exec(key)?.[1] ?? key
}

function notReady (status: string): Error {
  return new Error(`the Redis client is not ready: ${status}`)
}
