// The attacker's page, at the same port under host names that begin with `evil.`, and what the server has noted of its attempts.
import { readFileSync } from 'node:fs'
import type { FastifyInstance } from 'fastify'
import fastifyPlugin from 'fastify-plugin'

/** What its script shows: a page may not read the replies to what it sends elsewhere. */
interface Attempt {
  readonly name: string
  readonly status: number
  readonly code: string | null
  readonly message: string | null
  readonly site: string | null
  readonly withCookie: boolean
}

const FILES = [
  { url: '/', file: 'neighbour.html', type: 'text/html; charset=utf-8' },
  { url: '/neighbour.js', file: 'neighbour.js', type: 'text/javascript; charset=utf-8' }
]
const EVIL = { host: /^evil\./ }
const MAX_ATTEMPTS = 20

async function addNeighbour (fastify: FastifyInstance): Promise<void> {
  const attempts: Attempt[] = []
  const errors = new WeakMap<object, Error & { code?: string }>()

  fastify.addHook('onError', async (request, _reply, error) => { errors.set(request, error) })
  fastify.addHook('onResponse', async (request, reply) => {
    const { method, url, headers, host } = request
    const { 'sec-fetch-site': site = null, origin, cookie = '' } = headers
    const isForeign = /^https?:\/\/evil\./.test(String(origin)) || site === 'cross-site' || site === 'same-site'
    if (!isForeign || EVIL.host.test(host)) return
    const error = errors.get(request)
    attempts.push({
      name: `${method} ${url}`,
      status: reply.statusCode,
      code: error?.code ?? null,
      message: error?.message ?? null,
      site: site as string | null,
      withCookie: /(?:access|refresh)_token=/.test(cookie)
    })
    if (attempts.length > MAX_ATTEMPTS) attempts.shift()
  })

  for (const { url, file, type } of FILES) {
    const content = readFileSync(new URL(file, import.meta.url))
    fastify.get(url, { schema: { hide: true }, constraints: EVIL }, async (_request, reply) => reply.type(type).header('cache-control', 'no-cache').send(content))
  }
  fastify.get('/attempts', { schema: { hide: true }, constraints: EVIL }, async (_request, reply) => reply.header('cache-control', 'no-store').send(attempts.splice(0)))
}

export const neighbour = fastifyPlugin(addNeighbour)
