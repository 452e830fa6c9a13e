// Servers with sessions as processes of their own, and what a client says to them over HTTP.
import type { Test } from 'tap'
import type { DualTokenOptions } from '../../lib/index.ts'
import { createClientKey, proofBy } from './proofs.ts'
import { node, startServer, type ServerProcess } from './server-process.ts'
import { claimsIn } from './tokens.ts'

export type { ServerProcess }

export type SessionProcessOptions = Omit<NonNullable<DualTokenOptions['sessions']>, 'store' | 'onEvent'>

export interface Reply {
  readonly status: number
  readonly headers: Headers
  readonly body: Readonly<Record<string, unknown>>
}

/** What a client keeps of a sign-in or a refresh. */
export interface Tokens {
  readonly access: string
  readonly refresh: string
}

/**
 * Starts a server whose sessions are in a store that processes share, and waits until it listens; it ends with the test.
 *
 * @param place the URL of a Redis, or the variable that names another place
 */
export function startSessionServer (t: Test, place: string | NodeJS.ProcessEnv, options: SessionProcessOptions = {}): Promise<ServerProcess> {
  const file = new URL('session-server.ts', import.meta.url).pathname
  return startServer(t, node(file), { ...(typeof place === 'string' ? { REDIS_URL: place } : place), SESSION_OPTIONS: JSON.stringify(options) })
}

const KEY = createClientKey()
let signIns = 0

/** @param proves whether the request brings a proof of the key */
async function send ({ url }: ServerProcess, method: string, path: string, token?: string, body?: object, proves = false): Promise<Reply> {
  const claims = { htm: method, htu: url + path, iat: Math.floor(Date.now() / 1000) }
  const response = await fetch(url + path, {
    method,
    headers: {
      ...(proves && { dpop: proofBy(KEY, { claims }) }),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { 'content-type': 'application/json' })
    },
    ...(body !== undefined && { body: JSON.stringify(body) })
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: text === '' ? {} : JSON.parse(text) }
}

/** Every other sign-in is bound to the key, because both kinds of sessions are promised the same. */
export function login (server: ServerProcess, username = 'a'): Promise<Reply> {
  return send(server, 'POST', '/authorizations', undefined, { username }, ++signIns % 2 === 0)
}

/** Proves the key where the session is bound. */
export function refresh (server: ServerProcess, token: string): Promise<Reply> {
  return send(server, 'PUT', '/authorizations', token, undefined, isBound(token))
}

export function logout (server: ServerProcess, token: string): Promise<Reply> {
  return send(server, 'DELETE', '/authorizations', token)
}

/** Asks a guarded route. */
export function visit (server: ServerProcess, token: string): Promise<Reply> {
  return send(server, 'GET', '/me', token)
}

/** The tokens of a reply, which must be 201. */
export function tokensOf ({ status, body }: Reply): Tokens {
  if (status !== 201) throw new Error(`The reply was ${status} ${String(body.code)}`)
  return { access: String(body.token), refresh: String(body.refresh_token) }
}

export async function signIn (server: ServerProcess, username?: string): Promise<Tokens> {
  return tokensOf(await login(server, username))
}

/** Signs in twice: one of the sessions is bound to the key. */
export async function signInBothWays (server: ServerProcess): Promise<[Tokens, Tokens]> {
  return [await signIn(server), await signIn(server)]
}

/**
 * Refreshes each token 50 times at once, on servers in turn, and asserts that all get the same successor, three generations long.
 *
 * @param age makes the session of a token look as if its grace were over
 * @returns all tokens that were issued
 */
export async function refreshesAtOnce (
  t: Test, here: ServerProcess, everywhere: (i: number) => ServerProcess, age: (token: string) => Promise<unknown>
): Promise<string[]> {
  const issued: string[] = []
  for (let { refresh: token } of await signInBothWays(here)) {
    for (let generation = 1; generation <= 3; generation++) {
      const replies = await Promise.all(Array.from({ length: 50 }, (_, i) => refresh(everywhere(i), token)))
      const successors = new Set(replies.map(reply => tokensOf(reply).refresh))
      t.equal(successors.size, 1)
      issued.push(...replies.flatMap(reply => Object.values(tokensOf(reply))));
      [token] = [...successors] as [string]
      t.equal(sessionIn(token).gen, generation)
      await age(token)
    }
  }
  return issued
}

/** Asks again as long as the answer is 503: what a client does in an outage. */
export async function patiently (ask: () => Promise<Reply>): Promise<Reply> {
  for (;;) {
    const reply = await ask()
    if (reply.status !== 503) return reply
  }
}

/** Asks again until the answer has that status: what is waited for is another process. */
export async function until (status: number, ask: () => Promise<Reply>): Promise<Reply> {
  for (;;) {
    const reply = await ask()
    if (reply.status === status) return reply
  }
}

/** Whether the session of a refresh token is bound to the key. */
function isBound (token: string): boolean {
  return claimsIn(token).cnf !== undefined
}

/** The session and the generation that a token is of. */
export function sessionIn (token: string): { sid: string, gen: number, n: string } {
  const { sid, gen, n } = claimsIn(token)
  return { sid: String(sid), gen: Number(gen), n: String(n) }
}
