// A key that no script can read, and a request → a proof that its sender has the key (RFC 9449). `dpop: true` of the package's client does the same.
export async function createKey () {
  return await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign'])
}

/** The header `DPoP` for one request to this server; with a nonce of the server's, whatever the clock of this device says. */
export async function proveFor ({ privateKey, publicKey }, method, path, nonce) {
  const { kty, crv, x, y } = await crypto.subtle.exportKey('jwk', publicKey)
  const header = { typ: 'dpop+jwt', alg: 'ES256', jwk: { kty, crv, x, y } }
  const claims = { jti: crypto.randomUUID(), htm: method, htu: document.location.origin + path, iat: Math.floor(Date.now() / 1000), nonce }
  const input = [header, claims].map(part => base64url(JSON.stringify(part))).join('.')
  const signature = await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, privateKey, new TextEncoder().encode(input))
  return `${input}.${base64url(String.fromCharCode(...new Uint8Array(signature)))}`
}

const base64url = text => btoa(text).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')

/** What is in IndexedDB: the key that the sign-in of this browser is bound to. Keys that are not extractable can be stored, but are not shown. */
export async function keptKey () {
  return await settled((await openKeys('readonly')).get('key')) ?? null
}

export async function keepKey (key) {
  await settled((await openKeys('readwrite')).put(key, 'key'))
}

async function openKeys (mode) {
  const opening = window.indexedDB.open('example')
  opening.onupgradeneeded = () => opening.result.createObjectStore('keys')
  return (await settled(opening)).transaction('keys', mode).objectStore('keys')
}

function settled (request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}
