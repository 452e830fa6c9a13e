// The table of proof, row by row: does one of our pages say that it sent the request?
import Fastify from 'fastify'
import { test } from 'tap'
import { createIsOwnPage, isFromBrowser } from '../../lib/access/own-page.ts'
import { listen, request } from '../support/wire.ts'

const LISTED = 'https://app.example'
const isOwnPage = createIsOwnPage(new Set([LISTED, 'http://localhost:5173']))
const HOST = 'api.example:8443'
const FOREIGN = ['https://evil.example', 'https://api.example', 'http://api.example', `https://${HOST}/`, `https://evil.${HOST}`, `wss://${HOST}`, HOST, 'null', '',
  `https://${HOST.toUpperCase()}`, `${LISTED}/`, `${LISTED}:443`, `${LISTED}.evil.example`, `${LISTED}, ${LISTED}`, 'https://', '*']
const OWN = [`https://${HOST}`, `http://${HOST}`]
const LIST = [LISTED, 'http://localhost:5173']
const UNKNOWN = ['same-site', 'cross-site', '', 'Same-Origin', 'same-origin, same-origin', 'same-origin, cross-site', 'none, none', ' same-origin', 'unknown']

function proves (site: string | undefined, origin: string | undefined, host = HOST): boolean {
  const headers = { ...(site !== undefined && { 'sec-fetch-site': site }), ...(origin !== undefined && { origin }) }
  return isOwnPage({ headers, host })
}

test('Sec-Fetch-Site same-origin or none is proof, whatever Origin says', async t => {
  for (const site of ['same-origin', 'none']) {
    for (const origin of [undefined, ...FOREIGN, ...OWN, ...LIST]) t.equal(proves(site, origin), true, `${site} ${origin}`)
  }
})

test('any other Sec-Fetch-Site needs an Origin that is listed', async t => {
  for (const site of UNKNOWN) {
    for (const origin of LIST) t.equal(proves(site, origin), true, `${site} ${origin}`)
    for (const origin of [undefined, ...FOREIGN, ...OWN]) t.equal(proves(site, origin), false, `${site} ${origin}`)
  }
})

test('without Sec-Fetch-Site an Origin that is listed, or our own host, proves it', async t => {
  for (const origin of [...LIST, ...OWN]) t.equal(proves(undefined, origin), true, origin)
  for (const origin of FOREIGN) t.equal(proves(undefined, origin), false, origin)
})

test('without both headers there is no proof', async t => {
  t.equal(proves(undefined, undefined), false)
  t.equal(proves(undefined, undefined, ''), false)
})

test('either header shows that a browser has sent the request', async t => {
  t.equal(isFromBrowser({ headers: {}, host: HOST }), false)
  for (const headers of [{ origin: 'null' }, { origin: '' }, { 'sec-fetch-site': 'none' }, { 'sec-fetch-site': '', origin: 'x' }]) {
    t.equal(isFromBrowser({ headers, host: HOST }), true, JSON.stringify(headers))
  }
})

test('over a real socket, two lines of one header prove nothing, and the host is that of the Host line', async t => {
  const app = Fastify()
  t.teardown(() => app.close())
  app.get('/', async request => isOwnPage(request))
  const port = await listen(app)
  const answer = async (...lines: string[]) => (await request(port, 'GET /', lines)).body
  t.equal(await answer('Sec-Fetch-Site: same-origin'), 'true')
  t.equal(await answer('Sec-Fetch-Site: same-origin', 'Sec-Fetch-Site: same-origin'), 'false')
  t.equal(await answer('Sec-Fetch-Site: cross-site', 'Sec-Fetch-Site: same-origin'), 'false')
  t.equal(await answer('Origin: http://localhost'), 'true')
  t.equal(await answer('Origin: http://localhost', 'Origin: http://localhost'), 'false')
  t.equal(await answer(`Origin: ${LISTED}`, 'Origin: https://evil.example'), 'false')
  t.equal(await answer('Origin: null'), 'false')
  t.equal(await answer(), 'false')
})

test('behind a proxy that is trusted, the host is the one the browser asked for', async t => {
  for (const [trustProxy, proof] of [[true, true], [false, false]]) {
    const app = Fastify({ trustProxy: trustProxy! })
    t.teardown(() => app.close())
    app.get('/', async request => isOwnPage(request))
    const headers = { host: 'backend:3000', 'x-forwarded-host': 'shop.example', origin: 'https://shop.example' }
    t.equal((await app.inject({ url: '/', headers })).json(), proof)
  }
})
