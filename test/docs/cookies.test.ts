// docs/cookies.md, run as it stands.
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { test } from 'tap'
import { WebSocket } from 'ws'
import { readCookies } from '../../lib/options/cookies.ts'
import { ACCESS, carry, cookiesOf, OWN_PAGE, REFRESH } from '../support/cookies.ts'
import { readPage, valueOf } from '../support/markdown.ts'
import { blocksOf, follow } from '../support/recipe.ts'
import { NOW } from '../support/tokens.ts'

const PAGE = 'docs/cookies.md'
const WITH_ACCESS = 'Rendered pages, downloads, events and sockets'
const [sockets, rendered, callback] = blocksOf(PAGE, WITH_ACCESS, 'ts')

async function signIn (fastify: FastifyInstance): Promise<Record<string, string>> {
  const reply = await fastify.inject({ method: 'POST', url: '/authorizations', headers: OWN_PAGE, payload: { username: 'ann', password: 'good' } })
  return cookiesOf(reply)
}

test('the table of the cookies option names every member, and its defaults are the defaults', async t => {
  const table = readPage(PAGE).rows('Options', 'member of `cookies`')
  t.strictSame(table.map(([name]) => name), ['access', 'origins', 'name', 'secure'])
  for (const [name, text] of table.filter(([, text]) => text !== '–')) {
    t.strictSame(readCookies({ [name!]: valueOf(text!) }), readCookies(true), `${name} is ${text}`)
  }
})

test('the first example puts both tokens into cookies, with the lines shown', async t => {
  const fastify = await follow(t, blocksOf(PAGE, 'Choose a profile', 'ts')[0]!.replace('{ secret, ', '{ secret, now, '), { now: () => NOW * 1000 })
  const reply = await fastify.inject({ method: 'POST', url: '/authorizations', headers: OWN_PAGE, payload: { username: 'ann', password: 'good' } })
  t.strictSame(reply.json(), { token_type: 'Bearer', expires_in: 7200 })
  const shown = [...readPage(PAGE).text.matchAll(/^Set-Cookie: (.*)$/gm)].map(([, line]) => line!)
  const sent = [reply.headers['set-cookie']].flat().map(line => String(line).replace(/eyJ[\w.-]+/, '<jwt>'))
  t.strictSame(sent, shown)
})

test('downloads, events and sockets are signed in by cookie, and closed to others', async t => {
  const fastify = await follow(t, sockets!)
  await fastify.listen({ port: 0, host: '127.0.0.1' })
  const { port } = fastify.server.address() as AddressInfo
  const url = `http://127.0.0.1:${port}`
  const headers = carry(await signIn(fastify))

  t.equal((await fetch(`${url}/invoice.pdf`)).status, 401)
  t.equal((await fetch(`${url}/invoice.pdf`, { headers })).headers.get('content-type'), 'application/pdf')
  const events = await fetch(`${url}/events`, { headers })
  const { value } = await events.body!.getReader().read()
  t.equal(new TextDecoder().decode(value), 'data: "ann"\n\n')

  const socket = new WebSocket(`ws://127.0.0.1:${port}/live`, { headers, origin: url })
  const [message] = await once(socket, 'message')
  t.equal(String(message), 'Hello ann')
  socket.terminate()
  const foreign = new WebSocket(`ws://127.0.0.1:${port}/live`, { headers, origin: 'http://evil.example' })
  const [error] = await once(foreign, 'error')
  t.match(error, { message: /403/ })
  fastify.server.closeAllConnections()
})

test('a navigation with an expired access token gets the page that refreshes, everything else its refusal', async t => {
  let clock = NOW * 1000
  const fastify = await follow(t, rendered!.replace('{ secret, ', '{ secret, now, '), { now: () => clock })
  const headers = carry(await signIn(fastify))
  const open = (more: object = {}) => fastify.inject({ url: '/account', headers: { ...headers, ...more } })
  t.equal((await open()).payload, '<h1>Your account</h1>')

  clock += 2 * 3_600_000
  const page = await open({ 'sec-fetch-mode': 'navigate' })
  t.equal(page.statusCode, 401)
  t.match(page.headers['content-type'], /^text\/html/)
  t.match(page.payload, /method: 'PUT'[^]*location\.replace/)
  t.equal((await open({ 'sec-fetch-mode': 'cors' })).json().code, 'FST_DUAL_TOKEN_ACCESS_EXPIRED')
  t.equal((await fastify.inject({ url: '/account', headers: { 'sec-fetch-mode': 'navigate' } })).json().code, 'FST_DUAL_TOKEN_ACCESS_MISSING')

  const renewed = await fastify.inject({ method: 'PUT', url: '/authorizations', headers: { ...headers, ...OWN_PAGE } })
  t.equal(renewed.statusCode, 201)
  t.equal((await fastify.inject({ url: '/account', headers: carry(cookiesOf(renewed)) })).statusCode, 200)
})

test('a route of your own signs in by setCookies', async t => {
  const userOf = "async (code) => ({ user_id: 'user of ' + code })"
  const fastify = await follow(t, callback!.replace(/declare function userOf.*\n/, `const userOf = ${userOf}\n`))
  const reply = await fastify.inject('/callback?code=x')
  t.equal(reply.statusCode, 302)
  t.strictSame(Object.keys(cookiesOf(reply)), [REFRESH, ACCESS])
  t.equal(fastify.dualToken.verifyToken(cookiesOf(reply)[ACCESS]!).user_id, 'user of x')
})

test('a cookie that a neighbouring host plants is ignored', async t => {
  const fastify = await follow(t, blocksOf(PAGE, 'Choose a profile', 'ts')[0]!)
  const [ann, mallory] = [await signIn(fastify), await signIn(fastify)]
  const refresh = (cookie: string) => fastify.inject({ method: 'PUT', url: '/authorizations', headers: { cookie, ...OWN_PAGE } })
  // Browsers accept the prefix from this host alone, so a neighbour plants other names.
  for (const name of ['refresh_token', '__host-http-refresh_token', '\u00a0__Host-Http-refresh_token', 'x__Host-Http-refresh_token']) {
    t.equal((await refresh(`${name}=${mallory[REFRESH]}`)).statusCode, 403, name)
    t.equal((await refresh(`${name}=${mallory[REFRESH]}; ${carry(ann).cookie}`)).statusCode, 201, name)
  }
})
