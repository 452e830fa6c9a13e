// The proofs of other people's libraries, as they make them: dpop and oauth4webapi.
import * as dpop from 'dpop'
import * as oauth from 'oauth4webapi'
import { test, type Test } from 'tap'
import { createBoundApp } from '../support/bound.ts'
import { claimsIn } from '../support/tokens.ts'
import { listen } from '../support/wire.ts'

/** A server on the loopback whose clock is the real one, as those of the libraries are. */
async function start (t: Test) {
  const { app } = await createBoundApp(t, { now: Date.now })
  const url = `http://127.0.0.1:${await listen(app)}/authorizations`
  const send = async (method: 'POST' | 'PUT', proof: string, token?: string) => await fetch(url, {
    method,
    headers: { DPoP: proof, ...(method === 'POST' && { 'content-type': 'application/json' }), ...(token !== undefined && { authorization: `Bearer ${token}` }) },
    ...(method === 'POST' && { body: '{"password":"good"}' })
  })
  return { url, send }
}

async function tokensOf (reply: Response): Promise<{ token: string, refresh_token: string }> {
  return await reply.json() as { token: string, refresh_token: string }
}

test('proofs of dpop sign in and refresh, with each of its elliptic algorithms', async t => {
  const { url, send } = await start(t)
  for (const algorithm of ['ES256', 'Ed25519'] as const) {
    const pair = await dpop.generateKeyPair(algorithm)
    const signedIn = await send('POST', await dpop.generateProof(pair, url, 'POST'))
    t.equal(signedIn.status, 201, algorithm)
    const { refresh_token: refreshed } = await tokensOf(signedIn)
    t.strictSame(claimsIn(refreshed).cnf, { jkt: await dpop.calculateThumbprint(pair.publicKey) })
    const renewed = await send('PUT', await dpop.generateProof(pair, url, 'PUT'), refreshed)
    t.equal(renewed.status, 201)
    t.equal(claimsIn((await tokensOf(renewed)).refresh_token).gen, 1)
  }
})

test('proofs of dpop with RSA keys are refused', async t => {
  const { url, send } = await start(t)
  for (const algorithm of ['RS256', 'PS256'] as const) {
    t.equal((await send('POST', await dpop.generateProof(await dpop.generateKeyPair(algorithm), url, 'POST'))).status, 400, algorithm)
  }
})

/** What a handle of oauth4webapi does for each request that it makes itself. */
interface Handle extends oauth.DPoPHandle {
  addProof (url: URL, headers: Headers, method: string): Promise<void>
  cacheNonce (reply: Response, url: URL): void
}

test('proofs of oauth4webapi sign in and refresh, with each of its elliptic algorithms', async t => {
  const { url, send } = await start(t)
  for (const algorithm of ['ES256', 'Ed25519'] as const) {
    const handle = oauth.DPoP({}, await oauth.generateKeyPair(algorithm)) as Handle
    const proofFor = async (method: string): Promise<string> => {
      const headers = new Headers()
      await handle.addProof(new URL(url), headers, method)
      return headers.get('dpop')!
    }
    const signedIn = await send('POST', await proofFor('POST'))
    t.equal(signedIn.status, 201, algorithm)
    const { refresh_token: refreshed } = await tokensOf(signedIn)
    t.strictSame(claimsIn(refreshed).cnf, { jkt: await handle.calculateThumbprint() })
    t.equal((await send('PUT', await proofFor('PUT'), refreshed)).status, 201)
  }
})

test('a client of oauth4webapi whose clock is wrong is served at its second try, with the nonce', async t => {
  const { url, send } = await start(t)
  const handle = oauth.DPoP({ [oauth.clockSkew]: -86_400 }, await oauth.generateKeyPair('ES256')) as Handle
  const exchange = async (method: 'POST' | 'PUT', token?: string): Promise<Response> => {
    const headers = new Headers()
    await handle.addProof(new URL(url), headers, method)
    const reply = await send(method, headers.get('dpop')!, token)
    handle.cacheNonce(reply, new URL(url))
    return reply
  }
  t.equal((await exchange('POST')).status, 400)
  const signedIn = await exchange('POST')
  t.equal(signedIn.status, 201)
  t.equal((await exchange('PUT', (await tokensOf(signedIn)).refresh_token)).status, 201, 'with the nonce that it remembers')
})
