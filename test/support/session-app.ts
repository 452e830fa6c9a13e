// A server with sessions, whose store writes down what it is asked and does as it is told.
import { Writable } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import Fastify, { type FastifyBaseLogger, type FastifyInstance, type LightMyRequestResponse } from 'fastify'
import type { Test } from 'tap'
import { memoryStore, type DualTokenOptions, type DualTokenSessions, type PairReply, type SessionEvent, type SessionStore, type StoreDuty } from '../../lib/index.ts'
import { bearer, createApp, type Clock } from './app.ts'

export const PATH = '/authorizations'

export type StoreMethod = 'create' | 'rotate' | 'confirm' | 'revoke' | 'revokeUser' | 'list' | 'reauthenticate' | 'revokedSince'
const METHODS: readonly string[] = ['create', 'rotate', 'confirm', 'revoke', 'revokeUser', 'list', 'reauthenticate', 'revokedSince']

export interface Instead {
  set<Name extends StoreMethod> (method: Name, does: (...values: Parameters<NonNullable<SessionStore[Name]>>) => unknown): unknown
  delete (method: StoreMethod): unknown
  clear (): void
  readonly size: number
}

export interface ToldStore {
  readonly store: SessionStore
  /** The same, unwatched. */
  readonly inner: SessionStore
  /** What it was asked, in order: the method and its first argument, as an object. */
  readonly calls: Array<readonly [StoreMethod, Readonly<Record<string, unknown>>]>
  /** What a method does instead of its work, while it is set. */
  readonly instead: Instead
  /** The names of the methods called since the last time, the feed's polls apart. */
  asked (): StoreMethod[]
}

/** The memory store, or another, watched; as if it lived outside this process when `inProcess` is false. */
export function createToldStore (inner: SessionStore = memoryStore(), inProcess = true): ToldStore {
  const calls: ToldStore['calls'] = []
  const instead = new Map<StoreMethod, (...values: never[]) => unknown>()
  const store = new Proxy(inner, {
    get (target, name) {
      if (name === 'inProcess') return inProcess
      const own: unknown = Reflect.get(target, name)
      if (typeof own !== 'function' || !METHODS.includes(String(name))) return own
      const method = name as StoreMethod
      return (...values: unknown[]) => {
        calls.push([method, Object(values[0])])
        return Reflect.apply(instead.get(method) ?? own, target, values)
      }
    }
  })
  return {
    store,
    inner,
    calls,
    instead,
    asked: () => calls.splice(0).map(([method]) => method).filter(method => method !== 'revokedSince')
  }
}

/** The memory store without a duty. */
export function lacking (duty: StoreDuty): SessionStore {
  const store = memoryStore()
  return { ...store, duties: store.duties!.filter(one => one !== duty) }
}

/** The four ways in which a store fails. */
export const FAILURES: Readonly<Record<string, () => unknown>> = {
  'it rejects': async () => { throw new Error('READONLY') },
  'it rejects with no error': async () => await Promise.reject(Object.create(null)),
  'it throws': () => { throw new Error('not connected') },
  'it never answers': () => new Promise(() => {})
}

export interface SessionApp extends ToldStore {
  readonly app: FastifyInstance
  readonly clock: Clock
  /** In order; `splice(0)` takes them. */
  readonly events: SessionEvent[]
  signIn (): Promise<PairReply>
  /** `PUT` with a token. */
  renew (token: string): Promise<LightMyRequestResponse>
  /** The status of `GET /me`, or the end of the error's code. */
  me (token: string): Promise<string>
}

export interface SessionAppOptions extends Omit<Partial<DualTokenOptions>, 'sessions'> {
  readonly told?: ToldStore
  readonly sessions?: Partial<DualTokenSessions>
  /** Adds routes of its own. */
  readonly prepare?: (app: FastifyInstance) => unknown
}

/** The server of `createApp`, ready, with sessions. Nothing in it waits: a store that hangs is given up after a millisecond. */
export async function createSessionApp (t: Test, { told = createToldStore(), sessions, prepare, ...options }: SessionAppOptions = {}): Promise<SessionApp> {
  const events: SessionEvent[] = []
  const { app, clock } = await createApp(t, {
    ...options,
    sessions: { store: told.store, storeTimeout: 0.001, onEvent: event => { events.push(event) }, ...sessions }
  })
  prepare?.(app)
  await app.ready()
  told.calls.length = 0
  return {
    app,
    clock,
    ...told,
    events,
    async signIn () {
      return (await app.inject({ method: 'POST', url: PATH, payload: { password: 'good' } })).json()
    },
    renew: async token => await app.inject({ method: 'PUT', url: PATH, headers: bearer(token) }),
    async me (token) {
      const reply = await app.inject({ url: '/me', headers: bearer(token) })
      return outcomeOf(reply)
    }
  }
}

/** The status of a reply, or the end of the error's code. */
export function outcomeOf (reply: LightMyRequestResponse): string {
  return reply.statusCode < 400 ? String(reply.statusCode) : String(reply.json().code).replace('FST_DUAL_TOKEN_', '')
}

/** Lets what runs in the background come to its end, where nothing waits for a timer. */
export async function backgroundDone (): Promise<void> {
  await nextTurn()
  await nextTurn()
}

export interface LogLine {
  readonly level: number
  readonly msg: string
  readonly err?: { readonly message: string }
}

/** A log at trace level, its lines, and all its text. */
export function createLog (): { log: FastifyBaseLogger, lines: LogLine[], text: () => string } {
  const lines: LogLine[] = []
  const chunks: string[] = []
  const stream = new Writable({
    write (chunk, _encoding, done) {
      chunks.push(String(chunk))
      lines.push(JSON.parse(String(chunk)))
      done()
    }
  })
  return { log: Fastify({ logger: { level: 'trace', stream } }).log, lines, text: () => chunks.join('') }
}
