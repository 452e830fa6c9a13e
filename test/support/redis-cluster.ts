// A Redis Cluster on loopback, of servers from the PATH, that lives as long as the test.
import { execFile, spawnSync } from 'node:child_process'
import { promisify } from 'node:util'
import { Cluster, type Redis } from 'ioredis'
import { createCluster } from 'redis'
import type { NodeRedisClient } from '../../lib/index.ts'
import { freePort, startRedis, withoutServer, type Owner, type RedisServer } from './redis.ts'

const run = promisify(execFile)
const hasCli = spawnSync('redis-cli', ['--version']).error === undefined

/** The `skip` of tests that need a Cluster. Under REQUIRE_REDIS=1 they run, and fail without one. */
export const withoutCluster: string | false = withoutServer || (!hasCli && process.env.REQUIRE_REDIS !== '1' && 'no redis-cli in the PATH')

export interface ClusterNode {
  readonly server: RedisServer
  /** A client of this node alone. */
  readonly client: Redis
  readonly id: string
}

export interface RedisCluster {
  /** Masters first. */
  readonly nodes: readonly ClusterNode[]
  /** The master of a slot, as the cluster says now. */
  masterOf (slot: number): Promise<ClusterNode>
  /** Resolves when every node that runs says that all slots are served. */
  isServed (): Promise<void>
  connectIoredis (): Promise<Cluster>
  connectNodeRedis (): Promise<NodeRedisClient>
}

/** @param replicas of each of the three masters */
export async function startCluster (t: Owner, replicas = 0): Promise<RedisCluster> {
  const started = await Promise.all(Array.from({ length: 3 * (replicas + 1) }, async () => {
    const bus = await freePort()
    const server = await startRedis(t, ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000', '--cluster-port', String(bus)])
    return { server, bus, client: await server.connect({ retryStrategy: () => null }) }
  }))
  const addresses = started.map(({ server, bus }) => `127.0.0.1:${server.port}@${bus}`)
  await run('redis-cli', ['--cluster', 'create', ...addresses, '--cluster-replicas', String(replicas), '--cluster-yes'], { timeout: 60_000 })
  const nodes = await Promise.all(started.map(async ({ server, client }) => ({ server, client, id: await client.call('CLUSTER', 'MYID') as string })))
  const living = (): ClusterNode[] => nodes.filter(({ server }) => server.process.exitCode === null && server.process.signalCode === null)
  const roots = (): Array<{ host: string, port: number }> => living().map(({ server: { port } }) => ({ host: '127.0.0.1', port }))

  async function isServed (): Promise<void> {
    await until(async () => {
      const infos = await Promise.all(living().map(async ({ client }) => await client.call('CLUSTER', 'INFO') as string))
      return infos.every(info => info.includes('cluster_state:ok') && info.includes('cluster_slots_ok:16384'))
    })
  }

  await isServed()
  return {
    nodes,
    isServed,

    async masterOf (slot) {
      const ranges = await living()[0]!.client.call('CLUSTER', 'SLOTS') as Array<[number, number, [string, number, string]]>
      const [, , [, , id]] = ranges.find(([first, last]) => first <= slot && slot <= last)!
      return nodes.find(node => node.id === id)!
    },

    async connectIoredis () {
      const cluster = new Cluster(roots(), { clusterRetryStrategy: () => 50, redisOptions: { maxRetriesPerRequest: 1 } })
      cluster.on('error', () => {})
      t.teardown(() => cluster.disconnect())
      await until(async () => cluster.status === 'ready')
      return cluster
    },

    async connectNodeRedis () {
      const cluster = createCluster({ rootNodes: roots().map(({ host, port }) => ({ url: `redis://${host}:${port}` })) })
      cluster.on('error', () => {})
      t.teardown(() => cluster.destroy())
      await cluster.connect()
      return cluster
    }
  }
}

/** Asks every few milliseconds, for a minute at most. */
export async function until (isSo: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 60_000
  while (!await isSo()) {
    if (performance.now() > end) throw new Error('it did not come to be within a minute')
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}
