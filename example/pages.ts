// The pages to try the example on: one made for the purpose at `/`, and Swagger UI at `/docs`.
import { readFileSync } from 'node:fs'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import { withDualToken } from '../lib/index.ts'

const FILES = [
  { url: '/', file: 'page.html', type: 'text/html; charset=utf-8' },
  { url: '/page.css', file: 'page.css', type: 'text/css; charset=utf-8' },
  { url: '/page.js', file: 'page.js', type: 'text/javascript; charset=utf-8' }
]

/** The page holds tokens: it runs its own script, talks to its own server, and stands in no frame. */
const HEADERS = {
  'cache-control': 'no-cache',
  'content-security-policy': "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff'
}

/** Swagger UI sets styles in its own elements, and shows images that it carries with it. */
const DOCS_POLICY = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; img-src 'self' data:; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const INFO = {
  title: 'fastify-dual-token: the example server',
  description: 'Sign in as `demo` with `demo-password`, and give the tokens to *Authorize*. Or try them on [a page made for it](/).',
  version: '1'
}

async function addPages (fastify: FastifyInstance): Promise<void> {
  await fastify.register(swagger, withDualToken({ openapi: { info: INFO } }))
  await fastify.register(swaggerUi, { routePrefix: '/docs', staticCSP: DOCS_POLICY })

  for (const { url, file, type } of FILES) {
    const content = readFileSync(new URL(file, import.meta.url))
    fastify.get(url, { schema: { hide: true } }, async (_request, reply) => reply.type(type).headers(HEADERS).send(content))
  }
}

/** To be registered before the routes that `/docs` shows. */
export const pages = fastifyPlugin(addPages)
