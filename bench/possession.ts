// What does a proof of possession add to a refresh? Through the ready route: the header is read, the proof verified, the session rotated.
import { strictEqual } from 'node:assert'
import type { FastifyInstance } from 'fastify'
import { createClientKey, proofBy, type ClientKey } from '../test/support/proofs.ts'
import { sessionApps } from './apps.ts'
import { type Case, compare, report, sampleOf, type Size } from './measure.ts'

const URL = '/authorizations'

export async function benchPossession (size: Size): Promise<string> {
  const app = await sessionApps['sessions in memory']()
  await app.ready()
  const samples = await compare({
    'no proof': refreshes(app, () => null),
    'a proof, ES256': refreshes(app, same('ES256')),
    'a proof, ES256, new keys': refreshes(app, () => createClientKey('ES256'), false),
    'a proof, EdDSA': refreshes(app, same('EdDSA'))
  } as Record<string, Case>, size)
  await app.close()
  return report('Refresh a session through the route, bound to a key or not', samples, {
    'ES256 ÷ none': ['a proof, ES256', 'no proof'],
    'EdDSA ÷ none': ['a proof, EdDSA', 'no proof']
  })
}

function same (algorithm: ClientKey['algorithm']): () => ClientKey {
  const key = createClientKey(algorithm)
  return () => key
}

/**
 * Each refreshes the tokens of a new sign-in; making the proofs is not counted.
 *
 * @param remembered whether the process has seen the key at the sign-in; otherwise another one did
 */
function refreshes (app: FastifyInstance, nextKey: () => ClientKey | null, remembered = true): Case {
  const proof = (key: ClientKey | null, htm: string) => (key === null ? {} : { dpop: proofBy(key, { claims: { htm, iat: Math.floor(Date.now() / 1000) } }) })
  return async function run (count) {
    const requests: Array<Record<string, string>> = []
    for (let i = 0; i < count; i++) {
      const key = nextKey()
      const signIn = proof(key, 'POST')
      const { refresh_token: refreshed } = (await app.inject({ method: 'POST', url: URL, payload: {}, headers: signIn })).json()
      // The same key under another header, which nothing remembers.
      const asNew = remembered || key === null ? key : { ...key, jwk: { ...key.jwk, kid: String(i) } }
      requests.push({ authorization: `Bearer ${refreshed}`, ...proof(asNew, 'PUT') })
    }
    const cpuBefore = process.cpuUsage()
    const before = performance.now()
    for (const headers of requests) strictEqual((await app.inject({ method: 'PUT', url: URL, headers })).statusCode, 201)
    return sampleOf(process.cpuUsage(cpuBefore), performance.now() - before, count)
  }
}
