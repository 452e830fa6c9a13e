// A process and a worker of node:cluster: each writes what becomes of a boot with the memory store, and with one that others share.
import cluster from 'node:cluster'
import Fastify from 'fastify'
import { dualToken, memoryStore, type SessionStore } from '../../lib/index.ts'
import { SECRET } from './tokens.ts'

async function boot (store: SessionStore): Promise<string> {
  const app = Fastify()
  try {
    await app.register(dualToken, { secret: SECRET, sessions: { store } })
    await app.ready()
    return 'ready'
  } catch (error) {
    return (error as Error).message
  } finally {
    await app.close()
  }
}

const { inProcess, ...shared } = memoryStore()
const line = JSON.stringify({ isWorker: cluster.isWorker, memory: await boot(memoryStore()), shared: await boot(shared) })
process.stdout.write(`${line}\n`, () => {
  if (cluster.isWorker) process.exit()
  // The worker inherits the loader that reads TypeScript.
  else cluster.fork()
})
