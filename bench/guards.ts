// What does a guarded request cost that is also asked how recent its sign-in is, for scopes, or for what the application decides?
import type { IncomingMessage, ServerResponse } from 'node:http'
import { GUARDS, guardApps, USER } from './apps.ts'
import { loadOf, startClient, startServer } from './child.ts'
import { compare, inProcess, report, type Case, type Ratio, type Size } from './measure.ts'

type Name = keyof typeof GUARDS

const ANSWER = JSON.stringify({ user_id: USER.user_id })
const RATIOS: Readonly<Record<string, Ratio<Name>>> = {
  'maxAge ÷ loginRequired': ['guard, maxAge', 'loginRequired'],
  'scope ÷ loginRequired': ['guard, scope', 'loginRequired'],
  'allow ÷ loginRequired': ['guard, allow', 'loginRequired'],
  'all three ÷ loginRequired': ['guard, all three', 'loginRequired']
}

/** Over HTTP, as a server meets them; and in process without sockets, where small differences show. */
export async function benchGuards (size: Size): Promise<string> {
  const fastify = await guardApps.guards()
  await fastify.ready()
  const { token } = await fastify.dualToken.issueTokens({ ...USER, scope: 'reports:read reports:write' })
  const headers = { host: 'localhost', authorization: `Bearer ${token}` }
  const rawHeaders = Object.entries(headers).flat()

  /** Hands Fastify as much of a request and a response as it touches: the whole of them costs fifty times what is compared here. */
  function asking (url: string): Case {
    return inProcess(async () => {
      const body = await new Promise<unknown>(resolve => {
        const response = { writeHead () {}, end: resolve, on () {}, hasHeader: () => false, getHeader: () => undefined }
        fastify.routing({ method: 'GET', url, headers, rawHeaders, socket: {} } as unknown as IncomingMessage, response as unknown as ServerResponse)
      })
      if (body !== ANSWER) throw new Error(`The answer was ${String(body)}`)
    })
  }

  const client = startClient()
  const server = startServer('guards')
  try {
    const { rounds, count, warmUp } = size
    const overHttp = await compare(casesOf(path => loadOf(client, server, [token], path)), { rounds, count: Math.ceil(count / 5), warmUp: Math.ceil(warmUp / 5) })
    const within = await compare(casesOf(asking), size)
    return [report('Answer one guarded request over HTTP', overHttp, RATIOS), report('Answer one guarded request in process', within, RATIOS)].join('\n')
  } finally {
    for (const child of [client, server]) child.process.disconnect()
    await fastify.close()
  }
}

function casesOf (make: (path: string) => Case): Record<Name, Case> {
  return Object.fromEntries(Object.entries(GUARDS).map(([name, { path }]) => [name, make(path)])) as Record<Name, Case>
}
