// A server that listens and what reached it, a storage and a gate: what tests of clients need.
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import type { Tokens, TokenStorage } from '../../lib/client/index.ts'
import { memoryStore, type DualTokenOptions, type DualTokenRoutes, type DualTokenSessions, type LoadUser } from '../../lib/index.ts'
import { createApp, type AppOptions, type Clock } from './app.ts'
import { createToldStore, type ToldStore } from './session-app.ts'
import { listen } from './wire.ts'

export const KINDS = ['stateless', 'with sessions'] as const

export interface ClientAppOptions {
  readonly kind?: (typeof KINDS)[number]
  readonly routes?: Partial<DualTokenRoutes>
  readonly cookies?: DualTokenOptions['cookies']
  /** With sessions: how they are bound. */
  readonly dpop?: DualTokenSessions['dpop']
  /** Other options of the plugin. */
  readonly plugin?: AppOptions
  /** Adds routes of its own. */
  readonly prepare?: (app: FastifyInstance) => unknown
}

export interface ClientApp {
  readonly origin: string
  readonly app: FastifyInstance
  readonly clock: Clock
  readonly told: ToldStore
  /** What reached it, such as `GET /me`, in order. */
  readonly requests: string[]
  /** The `Authorization` headers of these requests. */
  readonly headers: Array<string | undefined>
  /** How many refreshes reached it. */
  refreshes (): number
  /** Forgets what reached it. */
  forget (): void
}

/** The server of `createApp`, where `login` takes a `user_id` too, with `POST /echo` for access tokens, that answers the body. */
export async function startClientApp (t: Test, { kind = 'stateless', routes, cookies, dpop, plugin, prepare }: ClientAppOptions = {}): Promise<ClientApp> {
  const told = createToldStore(memoryStore())
  const requests: string[] = []
  const headers: ClientApp['headers'] = []
  const { app, clock } = await createApp(t, {
    routes: { login: ({ password, user_id: id = 7 }) => password === 'good' ? { user_id: id as number } : null, ...routes },
    cookies,
    ...(kind === 'with sessions' && { sessions: { store: told.store, dpop } }),
    ...plugin
  })
  app.post('/echo', { preHandler: app.loginRequired }, async request => request.body)
  prepare?.(app)
  app.server.on('request', ({ method, url, headers: { authorization } }) => {
    requests.push(`${method} ${url}`)
    headers.push(authorization)
  })
  return {
    origin: `http://127.0.0.1:${await listen(app)}`,
    app,
    clock,
    told,
    requests,
    headers,
    refreshes: () => requests.filter(line => line.startsWith('PUT ')).length,
    forget () {
      requests.length = 0
      headers.length = 0
    }
  }
}

export interface MemoryStorage extends TokenStorage {
  tokens: Tokens | null
}

/** It answers at once, or later. */
export function createStorage (later = false): MemoryStorage {
  const storage: MemoryStorage = {
    tokens: null,
    get: () => later ? Promise.resolve(storage.tokens) : storage.tokens,
    set (tokens) {
      if (later) return Promise.resolve().then(() => { storage.tokens = tokens })
      storage.tokens = tokens
    }
  }
  return storage
}

export interface Gate {
  /** Of the ready routes: it waits until the gate is opened. */
  readonly loadUser: LoadUser
  /** Resolves when so many wait. */
  readonly reached: Promise<void>
  open (): void
}

export function createGate (waiting = 1): Gate {
  let arrive!: () => void
  let open!: () => void
  const reached = new Promise<void>(resolve => { arrive = resolve })
  const opened = new Promise<void>(resolve => { open = resolve })
  return {
    reached,
    open,
    async loadUser (userId) {
      if (--waiting === 0) arrive()
      await opened
      return { user_id: userId }
    }
  }
}

export interface Hold {
  /** The `onSend` of a route: it keeps replies until they are released. */
  readonly hold: () => Promise<void>
  /** Resolves when it keeps one. */
  readonly reached: Promise<void>
  release (): void
}

export function createHold (): Hold {
  let arrive!: () => void
  let release!: () => void
  const reached = new Promise<void>(resolve => { arrive = resolve })
  const released = new Promise<void>(resolve => { release = resolve })
  return {
    reached,
    release,
    async hold () {
      arrive()
      await released
    }
  }
}
