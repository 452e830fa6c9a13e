// A publisher of a key set on a real socket of the loopback, which answers as it is told and counts what it is asked.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { Test } from 'tap'
import type { AsymmetricAlgorithm, Jwk } from '../../lib/index.ts'
import { PAIRS } from './key-pairs.ts'

export type Answer = (response: ServerResponse, request: IncomingMessage) => void

export interface Publisher {
  readonly url: string
  /** How many requests have come. */
  readonly requests: () => number
  /** Answers so from now on. */
  answer (answer: Answer): void
  /** Serves these keys from now on. */
  publish (...keys: unknown[]): void
  /** Takes the server from its port, and opens it there again. */
  stop (): Promise<void>
  start (): Promise<void>
}

/** The JWK of the public half of the first or second pair of an algorithm. */
export function publicJwk (algorithm: AsymmetricAlgorithm, kid: string, index: 0 | 1 = 0): Jwk {
  return { ...PAIRS[algorithm][index].publicKey.export({ format: 'jwk' }) as Jwk, kid, alg: algorithm, use: 'sig' }
}

/** Answers with a body, as a publisher of keys does. */
export function answerWith (body: string | Uint8Array, headers: Record<string, string> = {}, status = 200): Answer {
  return response => { response.writeHead(status, { 'content-type': 'application/jwk-set+json', ...headers }).end(body) }
}

export async function createPublisher (t: Test, ...keys: unknown[]): Promise<Publisher> {
  let current: Answer = answerWith(JSON.stringify({ keys }))
  let requests = 0
  let port = 0
  const server = createServer((request, response) => {
    requests++
    current(response, request)
  })

  async function start (): Promise<void> {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    port = (server.address() as AddressInfo).port
  }
  async function stop (): Promise<void> {
    if (!server.listening) return
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  }

  await start()
  t.teardown(stop)
  return {
    url: `http://127.0.0.1:${port}/jwks.json`,
    requests: () => requests,
    answer: answer => { current = answer },
    publish: (...keys) => { current = answerWith(JSON.stringify({ keys })) },
    stop,
    start
  }
}

/** Resolves once it is so, which something else brings about; rejects when it never is. */
export async function until (isSo: () => unknown): Promise<void> {
  const giveUpAt = performance.now() + 30_000
  while (!await isSo()) {
    if (performance.now() > giveUpAt) throw new Error('It never is.')
    await delay(1)
  }
}
