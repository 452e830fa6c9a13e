// What the store asks of the clients of Redis: each library typed by shape, none imported.

/** A text, a number or bytes, as a script takes them. */
export type Argument = string | number | Buffer

/** The part of an ioredis or iovalkey client (single server, Sentinel or Cluster) that the store uses. */
export interface IoredisClient {
  readonly status?: string
  readonly isCluster?: boolean
  evalsha (sha: string, keyCount: number, ...keysAndArguments: Array<Argument | Argument[]>): Promise<unknown>
  eval (script: string, keyCount: number, ...keysAndArguments: Array<Argument | Argument[]>): Promise<unknown>
  connect (): Promise<unknown>
  duplicate (): IoredisSubscriber
}

/** The part of the second connection, which listens, that the store uses. */
export interface IoredisSubscriber {
  readonly status?: string
  connect (): Promise<unknown>
  subscribe (channel: string): Promise<unknown>
  on (event: 'ready' | 'error' | 'message', listener: (...values: string[]) => void): unknown
  disconnect (): void
}

export interface NodeRedisCall {
  keys: string[]
  arguments: Array<string | Buffer>
}

/** The part of a client of node-redis 5 or 6 (single server, pool or Cluster) that the store uses. */
export interface NodeRedisClient {
  evalSha (sha: string, call: NodeRedisCall): Promise<unknown>
  eval (script: string, call: NodeRedisCall): Promise<unknown>
  readonly isOpen?: boolean
  readonly isReady?: boolean
  /** A pool has none. */
  duplicate? (): NodeRedisSubscriber
  /** Of a pool: lends one of its clients. */
  execute? (task: (client: NodeRedisClient) => unknown): Promise<unknown>
  /** Of a Cluster: who serves each slot. */
  readonly slots?: ReadonlyArray<{ readonly master: { readonly client?: unknown } }>
}

/** The part of node-redis's second connection that the store uses. */
export interface NodeRedisSubscriber {
  on (event: 'error', listener: () => void): unknown
  connect (): Promise<unknown>
  subscribe (channel: string, listener: (message: string) => void): Promise<unknown>
  destroy (): void
}

export type RedisClient = IoredisClient | NodeRedisClient
