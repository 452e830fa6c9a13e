// Several processes of a server that share one store, and the network between them and their clients.
import Fastify, { type FastifyInstance } from 'fastify'
import type { SessionStore } from '../../../lib/sessions/store.ts'
import { dualToken, type DualTokenError, type DualTokenSessions } from '../../../lib/index.ts'
import type { PairReply } from '../../../lib/tokens/types.ts'
import { requestWith } from '../proofs.ts'
import { claimsIn, SECRET } from '../tokens.ts'
import { createFallibleStore, createSlowStore, type FallibleStore, type SlowStore } from './store.ts'
import { createTime, type Time } from './time.ts'

export const GRACE = 10_000
export const RECOVERY = 86_400_000
export const ACCESS_LIFETIME = 7_200_000

export interface World {
  readonly time: Time
  readonly processes: readonly FastifyInstance[]
  /** On the way to either kind of store. */
  readonly store: SlowStore
  close (): Promise<void>
}

export interface FallibleWorld extends World {
  readonly fallible: FallibleStore
}

/** Two processes with one store. */
export async function createWorld (createStore: () => SessionStore, turns?: number): Promise<World> {
  return await open(createTime(turns), createStore(), {})
}

/** Two processes with a store that can lose what it wrote. */
export async function createFallibleWorld (options: Partial<DualTokenSessions> = {}, accessExpiresIn = '2h'): Promise<FallibleWorld> {
  const time = createTime()
  const fallible = createFallibleStore(time)
  return { ...await open(time, fallible, options, accessExpiresIn), fallible }
}

/** Two processes with any store, which lives on that time. */
export async function open (time: Time, kept: SessionStore, options: Partial<DualTokenSessions>, accessExpiresIn = '2h'): Promise<World> {
  const store = createSlowStore(time, kept)
  const boot = async (): Promise<FastifyInstance> => {
    const app = Fastify()
    await app.register(dualToken, {
      secret: SECRET,
      now: time.now,
      accessExpiresIn,
      refreshExpiresIn: '90d',
      // Polls that nobody waits for would only take time: revocations are pushed.
      sessions: { store, pollInterval: '1d', maxStaleness: '30d', ...options },
      routes: {
        async login ({ user_id: userId, check }) {
          await time.sleep(check as number)
          return { user_id: userId as number }
        }
      }
    })
    await app.ready()
    return app
  }
  const processes = await time.run(async () => [await boot(), await boot()])

  return {
    time,
    processes,
    store,
    async close () {
      for (const app of processes) await app.close()
    }
  }
}

let user = 0

/** A new one for each game. */
export function nextUser (): number {
  return ++user
}

/** Makes a proof for a request, with the nonce that the server has asked for. */
export type Prove = (method: 'POST' | 'PUT', nonce?: string) => string

/** @param prove the session is bound to its key */
export async function signIn ({ processes }: World, prove?: Prove): Promise<PairReply> {
  const { issueTokens } = processes[0]!.dualToken
  const user = { user_id: nextUser() }
  if (prove === undefined) return await issueTokens(user)
  return await withNonce(async nonce => await issueTokens(user, { proof: requestWith(prove('POST', nonce), { method: 'POST' }) }))
}

/** Tries once more with the nonce that a reply asks for, as standard clients do. */
async function withNonce<T> (call: (nonce?: string) => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    const { code, headers } = error as Partial<DualTokenError>
    if (code !== 'FST_DUAL_TOKEN_PROOF_NONCE') throw error
    return await call(headers!['dpop-nonce'])
  }
}

/** One exchange of a refresh token. Milliseconds. */
export interface Exchange {
  /** Which process is asked. */
  readonly process: number
  /** How long the request is on its way, the user is loaded, and the reply is on its way. */
  readonly request: number
  readonly load: number
  readonly reply: number
  readonly lost: 'request' | 'reply' | null
}

/** A pair, the code of a refusal, or null: no answer came, or "try again". */
export type Answer = PairReply | string | null

/** @returns what the client gets to see, when the server is done with the request */
export async function refresh (
  { time, processes }: World, { process, request, load, reply, lost }: Exchange, refreshToken: string, prove?: Prove
): Promise<Answer> {
  await time.sleep(request)
  if (lost === 'request') return null
  const answer = await answerOf(async () => await withNonce(async nonce => await processes[process]!.dualToken.refreshTokens(refreshToken, {
    ...(prove && { proof: requestWith(prove('PUT', nonce)) }),
    async loadUser (userId) {
      await time.sleep(load)
      return { user_id: userId }
    }
  }) as PairReply))
  await time.sleep(reply)
  return lost === 'reply' ? null : answer
}

/** @returns the code of a refusal; null when the token is good, or only too old */
export function use ({ processes }: World, process: number, token: string): string | null {
  try {
    processes[process]!.dualToken.verifyToken(token)
    return null
  } catch (error) {
    const code = codeOf(error)
    return code === 'ACCESS_EXPIRED' ? null : code
  }
}

async function answerOf (call: () => Promise<PairReply>): Promise<Answer> {
  try {
    return await call()
  } catch (error) {
    const code = codeOf(error)
    return code === 'STORE_UNAVAILABLE' ? null : code
  }
}

function codeOf (error: unknown): string {
  const { code } = error as { code?: string }
  if (code?.startsWith('FST_DUAL_TOKEN_')) return code.slice('FST_DUAL_TOKEN_'.length)
  throw error
}

export function sessionIn (token: string): string {
  return claimsIn(token).sid as string
}

export function generationIn (token: string): number {
  return claimsIn(token).gen as number
}

/** Milliseconds. */
export function expiryOf (token: string): number {
  return claimsIn(token).exp as number * 1000
}
