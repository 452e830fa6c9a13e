// The pages of the example: a demo page at `/`, for tokens in its memory or in cookies, and Swagger UI at `/docs`.
import { readFileSync } from 'node:fs'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import { withDualToken, type DualTokenCookies } from '../lib/index.ts'
import { neighbour } from './neighbour.ts'
import { scenes } from './scenes.ts'

interface PageOptions {
  readonly cookies: DualTokenCookies | null
}

interface File {
  readonly url: string
  readonly file: string
  readonly type: string
}

const STYLE = { url: '/page.css', file: 'page.css', type: 'text/css; charset=utf-8' }
const TOKEN_FILES: readonly File[] = [
  { url: '/', file: 'page.html', type: 'text/html; charset=utf-8' },
  { url: '/page.js', file: 'page.js', type: 'text/javascript; charset=utf-8' },
  { url: '/proof.js', file: 'proof.js', type: 'text/javascript; charset=utf-8' },
  STYLE
]
const COOKIE_FILES: readonly File[] = [
  { url: '/', file: 'cookie-page.html', type: 'text/html; charset=utf-8' },
  { url: '/cookie-page.js', file: 'cookie-page.js', type: 'text/javascript; charset=utf-8' },
  { url: '/parts.js', file: 'parts.js', type: 'text/javascript; charset=utf-8' },
  { url: '/proof.js', file: 'proof.js', type: 'text/javascript; charset=utf-8' },
  STYLE
]

/** The page holds tokens, so it may only run its own script, talk to its own server, and be in no frame. */
const HEADERS = {
  'cache-control': 'no-cache',
  'content-security-policy': "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff'
}

/** Swagger UI sets inline styles, and shows images from data URLs. */
const DOCS_POLICY = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; img-src 'self' data:; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const INFO = {
  title: 'fastify-dual-token: the example server',
  description: 'Sign in as `demo` with `demo-password`, and paste the tokens under *Authorize*. Or try [the demo page](/).',
  version: '1'
}

async function addPages (fastify: FastifyInstance, { cookies }: PageOptions): Promise<void> {
  await fastify.register(swagger, withDualToken({ openapi: { info: INFO } }))
  await fastify.register(swaggerUi, { routePrefix: '/docs', staticCSP: DOCS_POLICY })

  for (const { url, file, type } of cookies ? COOKIE_FILES : TOKEN_FILES) {
    const text = readFileSync(new URL(file, import.meta.url), 'utf8')
    const content = text.replace('data-cookies=""', `data-cookies="${cookies?.access ? 'access' : 'refresh'}"`)
    fastify.get(url, { schema: { hide: true } }, async (_request, reply) => reply.type(type).headers(HEADERS).send(content))
  }
  if (cookies) {
    await fastify.register(scenes)
    await fastify.register(neighbour)
  }
}

/** Register it before the routes that `/docs` shows. */
export const pages = fastifyPlugin(addPages)
