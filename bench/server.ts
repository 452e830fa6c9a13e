// A process of its own: the name of an application → a server, which tells its parent its port and the CPU time it has used.
import type { AddressInfo } from 'node:net'
import { type AppName, apps, guardApps, sessionApps } from './apps.ts'

/** The answer to any message of the parent. */
export interface ServerState {
  readonly port: number
  readonly cpu: NodeJS.CpuUsage
}

const createApp = { ...apps, ...guardApps, ...sessionApps }[process.argv[2] as AppName]
const fastify = await createApp()
await fastify.listen({ port: 0, host: '127.0.0.1' })
const { port } = fastify.server.address() as AddressInfo

process.on('message', () => process.send!({ port, cpu: process.cpuUsage() } satisfies ServerState))
process.on('disconnect', () => fastify.close())
