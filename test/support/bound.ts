// A server whose sessions can be bound to keys, and clients that prove theirs.
import type { LightMyRequestResponse } from 'fastify'
import type { Test } from 'tap'
import type { PairReply } from '../../lib/index.ts'
import { bearer } from './app.ts'
import { proofBy, type ClientKey, type ProofChanges } from './proofs.ts'
import { createSessionApp, PATH, type SessionApp, type SessionAppOptions } from './session-app.ts'

type Proof = string | string[] | undefined

export interface BoundApp extends SessionApp {
  post (proof: Proof, headers?: Record<string, string>): Promise<LightMyRequestResponse>
  /** `PUT` with a refresh token, and any header `DPoP`. */
  put (token: string, proof: Proof, headers?: Record<string, string>): Promise<LightMyRequestResponse>
  /** Signs in with a key. */
  bind (key: ClientKey): Promise<PairReply>
  /** A proof of the key at the time of the server's clock. */
  prove (key: ClientKey, method: 'POST' | 'PUT', changes?: ProofChanges): string
}

export async function createBoundApp (t: Test, options: SessionAppOptions = {}): Promise<BoundApp> {
  const session = await createSessionApp(t, options)
  const { app, clock } = session
  const headersOf = (proof: Proof) => (proof === undefined ? {} : { dpop: proof as string })
  const bound: BoundApp = {
    ...session,
    post: async (proof, headers) => await app.inject({ method: 'POST', url: PATH, payload: { password: 'good' }, headers: { ...headersOf(proof), ...headers } }),
    put: async (token, proof, headers) => await app.inject({ method: 'PUT', url: PATH, headers: { ...bearer(token), ...headersOf(proof), ...headers } }),
    bind: async key => (await bound.post(bound.prove(key, 'POST'))).json(),
    prove: (key, method, { header, claims } = {}) =>
      proofBy(key, { header: header ?? {}, claims: { htm: method, iat: Math.floor(clock.now() / 1000), ...claims } })
  }
  return bound
}
