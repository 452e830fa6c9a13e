// The token endpoint takes proofs: clients of oauth4webapi, unmodified, with bound sessions.
import * as oauth from 'oauth4webapi'
import { test, type Test } from 'tap'
import { createBoundApp } from '../support/bound.ts'
import { claimsIn } from '../support/tokens.ts'
import { listen } from '../support/wire.ts'

const ISSUER = 'http://127.0.0.1:3000'
const client: oauth.Client = { client_id: 'app' }

/** What a handle does for each request that the library makes itself. */
interface Handle extends oauth.DPoPHandle {
  addProof (url: URL, headers: Headers, method: string): Promise<void>
}

/** A session that is bound to the key of a handle, and the exchange at the token endpoint. */
async function start (t: Test) {
  const { app, events } = await createBoundApp(t, { now: Date.now, oauth: true, issuer: ISSUER })
  const url = `http://127.0.0.1:${await listen(app)}/authorizations`
  const server: oauth.AuthorizationServer = { issuer: ISSUER, token_endpoint: `${url}/token` }
  const pair = await oauth.generateKeyPair('ES256')
  const handle = oauth.DPoP({}, pair) as Handle
  const headers = new Headers({ 'content-type': 'application/json' })
  await handle.addProof(new URL(url), headers, 'POST')
  const { refresh_token: refreshed } = await (await fetch(url, { method: 'POST', headers, body: '{"password":"good"}' })).json() as { refresh_token: string }
  const exchange = async (token: string, DPoP?: oauth.DPoPHandle) => await oauth.processRefreshTokenResponse(server, client,
    await oauth.refreshTokenGrantRequest(server, client, oauth.None(), token, { [oauth.allowInsecureRequests]: true, ...(DPoP && { DPoP }) }))
  return { app, events, pair, handle, refreshed, exchange }
}

test('a client of oauth4webapi refreshes a bound session with its proofs', async t => {
  const { handle, refreshed, exchange } = await start(t)
  const first = await exchange(refreshed, handle)
  t.strictSame([first.token_type, claimsIn(first.refresh_token!).gen], ['bearer', 1])
  t.strictSame(claimsIn(first.refresh_token!).cnf, { jkt: await handle.calculateThumbprint() })
  t.ok((await exchange(first.refresh_token!, handle)).access_token)
})

test('without the key the token endpoint answers invalid_dpop_proof, and the session lives on', async t => {
  const { handle, refreshed, exchange, events } = await start(t)
  for (const other of [undefined, oauth.DPoP({}, await oauth.generateKeyPair('ES256'))]) {
    t.match(await exchange(refreshed, other).catch((error: unknown) => error), { error: 'invalid_dpop_proof', status: 400 })
    t.match(events.at(-1), { type: 'refused', reason: 'proof' })
  }
  t.ok((await exchange(refreshed, handle)).access_token)
})

test('a client with a wrong clock is asked for a nonce, and is served with it', async t => {
  const { pair, refreshed, exchange } = await start(t)
  const late = oauth.DPoP({ [oauth.clockSkew]: -86_400 }, pair)
  const error: unknown = await exchange(refreshed, late).catch(error => error)
  t.ok(oauth.isDPoPNonceError(error))
  t.match(error, { error: 'use_dpop_nonce', status: 400 })
  t.ok((await exchange(refreshed, late)).access_token)
})

test('the metadata names the algorithms of proofs, unless sessions are not bound', async t => {
  for (const [dpop, named] of [['optional', ['ES256', 'EdDSA', 'Ed25519']], [false, undefined]] as const) {
    const { app } = await createBoundApp(t, { oauth: true, issuer: ISSUER, sessions: { dpop } })
    t.strictSame((await app.inject('/.well-known/oauth-authorization-server')).json().dpop_signing_alg_values_supported, named)
  }
})
