// Cookies behind a real nginx: with its defaults, under a path of its own, and with claims that are larger than its buffers.
import { test, type Test } from 'tap'
import { openBrowser, withoutBrowser } from '../support/browser.ts'
import { carry, OWN_PAGE, REFRESH } from '../support/cookies.ts'
import { fetchJson, jarOf, openTab, signInBy, startHome, whoIs, type Home } from '../support/neighbours.ts'
import { freePort, startNginx, withoutNginx } from '../support/nginx.ts'

/** What nginx needs for WebSockets anyway, and the Host that their Origin is compared to. */
const SOCKETS = `
  proxy_http_version 1.1;
  proxy_set_header Upgrade $http_upgrade;
  proxy_set_header Connection upgrade;`
const HOST = 'proxy_set_header Host $http_host;'

interface Proxied {
  readonly home: Home
  readonly port: number
}

async function startProxied (t: Test, write: (upstream: string) => string, home?: Home): Promise<Proxied> {
  home ??= await startHome(t)
  return { home, port: await startNginx(t, write(`http://127.0.0.1:${home.port}`)) }
}

const OPEN_SOCKET = `new Promise(resolve => {
  const socket = new WebSocket(origin.replace('http', 'ws') + '/socket')
  socket.onmessage = ({ data }) => { socket.close(); resolve(data) }
  socket.onerror = () => resolve('refused')
})`

test('behind nginx with its defaults, a browser signs in, refreshes and signs out', { skip: withoutNginx || withoutBrowser }, async t => {
  const { home, port } = await startProxied(t, upstream => `location / { proxy_pass ${upstream}; }`)
  const context = await (await openBrowser(t)).newContext()
  const own = await openTab(context, `http://app.localhost:${port}`)
  await signInBy(own)
  t.equal(await whoIs(own), 7)
  const { [REFRESH]: first } = await jarOf(context)
  t.equal((await fetchJson(own, 'PUT', '/authorizations')).status, 201)
  t.not((await jarOf(context))[REFRESH], first)
  t.equal(await whoIs(own), 7)
  t.equal((await fetchJson(own, 'POST', '/transfer', {})).status, 200)
  t.equal((await fetchJson(own, 'DELETE', '/authorizations')).status, 204)
  t.strictSame(await jarOf(context), {})
  t.equal(await whoIs(own), 'ACCESS_MISSING')
  t.ok(home.arrivals.every(({ outcome }) => outcome !== 'CROSS_ORIGIN'))
})

test('a WebSocket by cookie needs the Host of the browser, or its origin in the list', { skip: withoutNginx || withoutBrowser }, async t => {
  const browser = await openBrowser(t)
  const visit = async (port: number): Promise<unknown> => {
    const context = await browser.newContext()
    const own = await openTab(context, `http://app.localhost:${port}`)
    await signInBy(own)
    const said = await own.evaluate(OPEN_SOCKET)
    await context.close()
    return said
  }
  const rewritten = await startProxied(t, upstream => `location / { proxy_pass ${upstream}; ${SOCKETS} }`)
  // Chromium sends no Sec-Fetch-Site with the handshake, so the Origin is compared to the Host, which nginx has rewritten.
  t.equal(await visit(rewritten.port), 'refused')
  t.match(rewritten.home.arrivals.find(({ url }) => url === '/socket'), { outcome: 'CROSS_ORIGIN', site: undefined })

  const passedOn = await startProxied(t, upstream => `location / { proxy_pass ${upstream}; ${SOCKETS} ${HOST} }`)
  t.equal(await visit(passedOn.port), '7')

  const port = await freePort()
  const home = await startHome(t, { cookies: { access: true, origins: [`http://app.localhost:${port}`] } })
  await startNginx(t, `location / { proxy_pass http://127.0.0.1:${home.port}; ${SOCKETS} }`, port)
  t.equal(await visit(port), '7')
})

test('a proxy that strips the prefix of the path changes nothing', { skip: withoutNginx || withoutBrowser }, async t => {
  const { port } = await startProxied(t, upstream => `location /api/v1/ { proxy_pass ${upstream}/; }`)
  const context = await (await openBrowser(t)).newContext()
  const own = await openTab(context, `http://app.localhost:${port}/api/v1/`)
  const signIn = await fetchJson(own, 'POST', '/api/v1/authorizations', { user_id: 7, password: 'good' })
  t.equal(signIn.status, 201)
  t.match(await fetchJson(own, 'GET', '/api/v1/me'), { status: 200, body: { user: 7 } })
  t.equal((await fetchJson(own, 'PUT', '/api/v1/authorizations')).status, 201)
  t.equal((await fetchJson(own, 'DELETE', '/api/v1/authorizations')).status, 204)
  t.equal((await fetchJson(own, 'GET', '/api/v1/me')).status, 401)
})

/** The status of a sign-in whose access token carries so many characters of claims, and its cookies. */
async function signInWith (port: number, characters: number): Promise<{ status: number, cookies: Record<string, string> }> {
  const response = await fetch(`http://127.0.0.1:${port}/authorizations`, {
    method: 'POST',
    headers: { ...OWN_PAGE, 'content-type': 'application/json' },
    body: JSON.stringify({ user_id: 7, password: 'good', characters })
  })
  const pairs = response.headers.getSetCookie().map(line => line.slice(0, line.indexOf(';')).split(/=(.*)/s) as [string, string])
  return { status: response.status, cookies: Object.fromEntries(pairs) }
}

async function me (port: number, cookies: Record<string, string>): Promise<number> {
  return (await fetch(`http://127.0.0.1:${port}/me`, { headers: carry(cookies) })).status
}

const BUFFERS = 'proxy_buffer_size 16k; proxy_buffers 4 16k;'
const HEADERS = 'large_client_header_buffers 4 16k;'

test('claims that are larger than the buffers of nginx get a 502, and 16k are enough', { skip: withoutNginx }, async t => {
  const home = await startHome(t, {
    routes: { login: ({ characters }) => ({ user_id: 7, roles: 'r'.repeat(Number(characters)) }) }
  })
  const plain = await startProxied(t, upstream => `location / { proxy_pass ${upstream}; }`, home)
  const roomy = await startProxied(t, upstream => `${HEADERS} location / { proxy_pass ${upstream}; ${BUFFERS} }`, home)

  const small = await signInWith(plain.port, 1900)
  t.equal(small.status, 201, '1,900 characters')
  t.equal(await me(plain.port, small.cookies), 200)
  t.equal((await signInWith(plain.port, 2600)).status, 502, '2,600 characters, in proxy_buffer_size 4k')
  const large = await signInWith(roomy.port, 2600)
  t.equal(large.status, 201, '2,600 characters, in proxy_buffer_size 16k')
  t.equal(await me(roomy.port, large.cookies), 200)
  t.equal(await me(plain.port, large.cookies), 200, 'the way there has room')

  const crowded = { ...large.cookies, consent: 'x'.repeat(2500), analytics: 'x'.repeat(2500) }
  t.equal(await me(plain.port, crowded), 400, 'a Cookie line of more than 8k')
  t.equal(await me(roomy.port, crowded), 200, 'the same, in large_client_header_buffers 16k')
})
