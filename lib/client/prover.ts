// The key of a device → proofs of possession for the requests to the ready routes (RFC 9449), and the nonce that heals a wrong clock.
import { createKeyStorage } from './key-storage.ts'
import type { Answer } from './send.ts'
import type { ClientOptions, ProofKeys } from './types.ts'

export interface Prover {
  /** Makes the key, unless there is one. */
  readonly ensureKey: () => Promise<unknown>
  /** Sets the header `DPoP` for one request, unless there is no key, as after the user has cleared the data of the site. */
  prove (headers: Headers, method: string, url: URL): Promise<void>
  /** Keeps the nonce that a server asks for. Returns whether the request is worth another try. */
  takeNonce (answer: Answer): boolean
}

/** @param routes the URL of the ready routes, which have a key of their own */
export function createProver (dpop: NonNullable<ClientOptions['dpop']>, routes: URL): Prover | null {
  if (dpop === false) return null
  const storage = dpop === true ? createKeyStorage(routes.href) : dpop
  let making: Promise<unknown> | undefined
  let nonce: string | null = null

  async function makeKey (): Promise<void> {
    if (await storage.get()) return
    // No script can read a key that is not extractable: it can only sign with it.
    await storage.set(await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']))
  }

  return {
    ensureKey () {
      making ??= makeKey().finally(() => { making = undefined })
      return making
    },

    async prove (headers, method, url) {
      const keys = await storage.get()
      if (!keys) return
      const claims = {
        jti: crypto.randomUUID(),
        htm: method,
        htu: url.origin + url.pathname,
        iat: Math.floor(Date.now() / 1000),
        ...(nonce && { nonce })
      }
      headers.set('dpop', await sign(keys, claims))
    },

    takeNonce ({ reply, code }) {
      const given = code === 'FST_DUAL_TOKEN_PROOF_NONCE' ? reply.headers.get('dpop-nonce') : null
      nonce = given ?? nonce
      return given !== null
    }
  }
}

async function sign ({ privateKey, publicKey }: ProofKeys, claims: object): Promise<string> {
  const { kty, crv, x, y } = await crypto.subtle.exportKey('jwk', publicKey)
  const header = { typ: 'dpop+jwt', alg: 'ES256', jwk: { kty, crv, x, y } }
  const input = [header, claims].map(part => base64url(JSON.stringify(part))).join('.')
  const signature = await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, privateKey, new TextEncoder().encode(input))
  return `${input}.${base64url(String.fromCharCode(...new Uint8Array(signature)))}`
}

/** Takes characters up to U+00FF as one byte each: URLs have no others. */
function base64url (text: string): string {
  return btoa(text).replace(/\+/g, '-').replace(/\//g, '_').replace(/=/g, '')
}
