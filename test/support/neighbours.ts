// A server that signs pages in by cookie, and another one for its neighbours: a sibling host, another port, other sites.
import cors from '@fastify/cors'
import websocket from '@fastify/websocket'
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import type { BrowserContext, Page } from 'playwright-core'
import type { Test } from 'tap'
import { dualToken, memoryStore, type DualTokenOptions } from '../../lib/index.ts'
import type { Tab } from './attacks.ts'
import { createClock, type Clock } from './app.ts'
import { SECRET } from './tokens.ts'
import { listen } from './wire.ts'

/** For what a busy machine may need; nothing waits for it to pass. */
const PATIENCE = 60_000

/** A request as it arrived, and how it was answered. */
export interface Arrival {
  readonly method: string
  readonly url: string
  readonly site: string | undefined
  readonly origin: string | undefined
  /** Whether it carried a cookie of ours. */
  readonly withCookie: boolean
  /** The status, or the code of the refusal without its prefix. */
  readonly outcome: string
}

export interface HomeOptions extends Omit<Partial<DualTokenOptions>, 'cookies'> {
  readonly cookies?: DualTokenOptions['cookies']
  /** Switches defences off, before the plugin is registered. */
  readonly weaken?: ReadonlyArray<(app: FastifyInstance) => unknown>
  /** Adds routes of its own, before the server listens. */
  readonly prepare?: (app: FastifyInstance) => unknown
}

export interface Home {
  readonly app: FastifyInstance
  readonly clock: Clock
  readonly port: number
  /** `http://app.localhost:<port>` */
  readonly origin: string
  readonly arrivals: Arrival[]
  /** What has been done in somebody's name, such as `7 transfers`. */
  readonly acts: string[]
  /** Waits until a request that matches has been answered. */
  arrived (pattern: RegExp): Promise<Arrival>
}

/** A proxy that vouches for everybody: the proof that the plugin asks for is worth nothing behind it. */
export function vouchForEverybody (app: FastifyInstance): void {
  app.addHook('onRequest', async request => { request.headers['sec-fetch-site'] = 'same-origin' })
}

/** A proxy that rewrites the cookies: they go along with the requests of every site. */
export function sendCookiesAnywhere (app: FastifyInstance): void {
  rewriteCookies(app, line => line.replace(/SameSite=\w+/, 'SameSite=None'))
}

/** A proxy that rewrites the cookies: scripts may read them. */
export function showCookiesToScripts (app: FastifyInstance): void {
  rewriteCookies(app, line => line.replace('__Host-Http-', '__Host-').replace('; HttpOnly', ''))
}

/** A proxy that tidies the Cookie header as `trim` does: it also strips U+00A0. */
export function tidyCookieHeader (app: FastifyInstance): void {
  app.addHook('onRequest', async ({ headers }) => {
    if (headers.cookie !== undefined) headers.cookie = headers.cookie.split(';').map(pair => pair.replace(/^(?:\u00c2?\u00a0|\s)+/, '')).join('; ')
  })
}

function rewriteCookies (app: FastifyInstance, rewrite: (line: string) => string): void {
  app.addHook('onSend', async (_request, reply) => {
    const lines = [reply.getHeader('set-cookie') ?? []].flat().map(String)
    reply.removeHeader('set-cookie')
    if (lines.length > 0) reply.header('set-cookie', lines.map(rewrite))
  })
}

/**
 * The server at home on `app.localhost`: `POST /authorizations` signs in the `user_id` that has the password `good`, `POST /transfer` acts in the
 * name of the user, `/socket` is a WebSocket, `GET /me`, `/events` and `/image` answer to the user, `GET /` is a page. Its CORS lets every
 * origin do everything, so that the cookies' own defence stands alone.
 */
export async function startHome (t: Test, { weaken = [], prepare, cookies = { access: true }, ...options }: HomeOptions = {}): Promise<Home> {
  const clock = createClock()
  const app = Fastify()
  const arrivals: Arrival[] = []
  const acts: string[] = []
  const watchers = new Set<() => void>()
  t.teardown(() => app.close())

  app.addHook('onResponse', async (request, reply) => {
    note(request, request.refusal ?? String(reply.statusCode))
    const { method, url } = request
    if (method !== 'OPTIONS' && url === '/authorizations' && reply.statusCode < 300) acts.push(`${method} ${url}`)
  })

  function note ({ method, url, headers }: Pick<FastifyRequest, 'method' | 'url' | 'headers'>, outcome: string): void {
    if (method === 'OPTIONS') return
    arrivals.push({
      method,
      url,
      site: headers['sec-fetch-site'] as string | undefined,
      origin: headers.origin,
      withCookie: /_token=/.test(headers.cookie ?? ''),
      outcome
    })
    for (const watcher of watchers) watcher()
  }
  app.decorateRequest('refusal', null)
  app.addHook('onError', async (request, _reply, error) => { request.refusal = String(error.code).replace('FST_DUAL_TOKEN_', '') })
  for (const weakness of weaken) weakness(app)
  // A page of the same origin reads nothing of it: browsers leave the check out there.
  await app.register(cors, { origin: true, credentials: true, methods: ['GET', 'POST', 'PUT', 'DELETE'] })
  await app.register(websocket)
  await app.register(dualToken, {
    secret: SECRET,
    now: clock.now,
    sessions: { store: memoryStore(), onStale: 'allow' },
    routes: { login: ({ password, user_id: id }) => password === 'good' ? { user_id: id as number } : null },
    cookies,
    ...options
  } as DualTokenOptions)
  app.addContentTypeParser('*', (_request, _payload, done) => done(null))

  app.register(async app => {
    app.get('/', async (_request, reply) => reply.type('text/html').send('<!doctype html><link rel=icon href=data:,><title>Home</title>'))
    app.get('/plain', async (_request, reply) => reply.header('referrer-policy', 'no-referrer').type('text/html')
      .send('<!doctype html><link rel=icon href=data:,><meta name=referrer content=no-referrer><title>Home, without a referrer</title>'))
    app.get('/open', async request => ({ user: request.user?.user_id ?? null }))
    app.register(async app => {
      app.addHook('preHandler', app.loginRequired)
      const whose = (request: { user: { user_id?: unknown } | null }): unknown => request.user?.user_id
      app.get('/me', async request => ({ user: whose(request) }))
      app.get('/image', async (_request, reply) => reply.type('image/svg+xml').send('<svg xmlns="http://www.w3.org/2000/svg" width="7" height="7"/>'))
      app.get('/events', async (request, reply) => reply.type('text/event-stream').send(`data: ${String(whose(request))}\n\n`))
      app.get('/download', async (request, reply) => reply.header('content-disposition', 'attachment; filename=me.txt').send(String(whose(request))))
      app.post('/transfer', async request => {
        acts.push(`${String(whose(request))} transfers`)
        return { user: whose(request) }
      })
      app.get('/socket', { websocket: true }, (socket, request) => {
        note(request, '101')
        acts.push(`${String(whose(request))} opens a socket`)
        socket.send(String(whose(request)))
      })
    })
  })
  await prepare?.(app)
  const port = await listen(app)

  function arrived (pattern: RegExp): Promise<Arrival> {
    return new Promise((resolve, reject) => {
      const giveUp = setTimeout(() => {
        watchers.delete(look)
        reject(new Error(`${pattern} never arrived, but ${arrivals.map(({ method, url, outcome }) => `${method} ${url} ${outcome}`).join(', ')}`))
      }, PATIENCE)
      const look = (): void => {
        const found = arrivals.find(({ method, url }) => pattern.test(`${method} ${url}`))
        if (found === undefined) return
        clearTimeout(giveUp)
        watchers.delete(look)
        resolve(found)
      }
      watchers.add(look)
      look()
    })
  }
  return { app, clock, port, origin: `http://app.localhost:${port}`, arrivals, acts, arrived }
}

declare module 'fastify' {
  interface FastifyRequest {
    /** The code of what was thrown. */
    refusal: string | null
  }
}

export interface Neighbourhood {
  readonly port: number
  /** By the name of the neighbour. */
  readonly origins: Readonly<Record<'a sibling host' | 'another port' | 'another site' | 'an address', string>>
  /** What to answer to the next requests, by path. */
  readonly pages: Map<string, Answer>
}

export interface Answer {
  readonly status?: number
  readonly headers?: Record<string, string | string[]>
  readonly body?: string
}

/** One server for all neighbours, on another port; `GET /` is an empty page, and `/307?to=…` redirects with method and body. */
export async function startNeighbours (t: Test): Promise<Neighbourhood> {
  const app = Fastify()
  t.teardown(() => app.close())
  const pages = new Map<string, Answer>()
  app.addContentTypeParser('*', (_request, _payload, done) => done(null))
  app.get('/', async (_request, reply) => reply.type('text/html').send('<!doctype html><link rel=icon href=data:,><title>A neighbour</title>'))
  app.post('/307', async (request, reply) => reply.redirect((request.query as { to: string }).to, 307))
  app.get('/*', async (request, reply) => {
    const { status = 200, headers = {}, body = '' } = pages.get(request.url) ?? { status: 404 }
    return reply.code(status).type('text/html').headers(headers).send(body)
  })
  const port = await listen(app)
  return {
    port,
    pages,
    origins: {
      'a sibling host': `http://evil.app.localhost:${port}`,
      'another port': `http://app.localhost:${port}`,
      'another site': `http://evil.localhost:${port}`,
      'an address': `http://127.0.0.1:${port}`
    }
  }
}

/** A tab of the context, at an address. */
export async function openTab (context: BrowserContext, url: string): Promise<Page> {
  const page = await context.newPage()
  page.setDefaultTimeout(PATIENCE)
  await page.goto(url)
  return page
}

/** In a page: the status and the body of a request to its own server. */
export async function fetchJson (page: Tab, method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<{ status: number, body: Record<string, unknown> }> {
  return await page.evaluate(`(async () => {
    const body = ${JSON.stringify(body === undefined ? null : JSON.stringify(body))}
    const headers = { ...${JSON.stringify(headers)}, ...(body !== null && { 'content-type': 'application/json' }) }
    const response = await fetch(${JSON.stringify(path)}, { method: ${JSON.stringify(method)}, headers, body })
    const text = await response.text()
    return { status: response.status, body: text === '' ? {} : JSON.parse(text) }
  })()`) as { status: number, body: Record<string, unknown> }
}

/** Signs a user in by the page's own script. */
export async function signInBy (page: Tab, userId = 7): Promise<Record<string, unknown>> {
  const { status, body } = await fetchJson(page, 'POST', '/authorizations', { user_id: userId, password: 'good' })
  if (status !== 201) throw new Error(`The sign-in answered ${status}: ${JSON.stringify(body)}`)
  return body
}

/** Who the server takes a page for. */
export async function whoIs (page: Tab): Promise<unknown> {
  const { status, body } = await fetchJson(page, 'GET', '/me')
  return status === 200 ? body.user : String(body.code).replace('FST_DUAL_TOKEN_', '')
}

/** The cookies of ours that the browser keeps, by name. */
export async function jarOf (context: BrowserContext): Promise<Record<string, string>> {
  const cookies = await context.cookies()
  return Object.fromEntries(cookies.filter(({ name }) => name.endsWith('_token')).map(({ name, value }) => [name, value]))
}
