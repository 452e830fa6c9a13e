// A process of its own: the name of an application → a server that refreshes, which tells its parent its port, its CPU time and first tokens.
import type { AddressInfo } from 'node:net'
import { refreshApps, type RefreshAppName, type RefreshServerState } from './refresh-apps.ts'

const { listen, tokens } = await refreshApps[process.argv[2] as RefreshAppName]()
const server = await listen()
const { port } = server.address() as AddressInfo

process.on('message', () => process.send!({ port, cpu: process.cpuUsage(), tokens } satisfies RefreshServerState))
process.on('disconnect', () => process.exit())
