// The page at `/` with cookies: what the user presses → one request to this server, its reply in words, and what a script now sees.
import { create, element, headline, onPress, show } from './parts.js'
import { createKey, keepKey, keptKey, proveFor } from './proof.js'

const inCookies = document.body.dataset.cookies === 'access'
/** Without `access`, the access token is in this variable and nowhere else. */
let token = null
/** What the session is bound to; null: nothing. It outlives this page, as the cookies do. */
let key = await keptKey().catch(() => null)
/** The last body in which the server could have told a token. */
let lastBody = null

const EXPLANATIONS = {
  LOGIN_REFUSED: 'The demo user is demo, with the password demo-password.',
  ACCESS_MISSING: inCookies ? 'No cookie came along: sign in.' : 'This page holds no access token: sign in, or refresh.',
  ACCESS_EXPIRED: 'The access token has expired: refresh.',
  ACCESS_INVALID: 'This server did not sign the token. Sign in again.',
  ACCESS_REVOKED: 'The session of this token was ended. Sign in again.',
  REFRESH_MISSING: 'No cookie came along: nobody is signed in.',
  REFRESH_INVALID: 'This server did not sign the token. Sign in again.',
  PROOF_INVALID: 'The refresh token is bound to a key, and nothing proves that the sender has it. The session lives on, and its owner notices nothing.',
  CROSS_ORIGIN: 'Nothing proves that a page of this server has sent the request.'
}

/** The browser adds the cookies by itself, and says with Sec-Fetch-Site that a page of this origin asks. With a key, the page adds a proof. */
async function send (method, path, body, key = null, nonce = undefined) {
  const headers = { ...(body && { 'content-type': 'application/json' }), ...(token && method !== 'PUT' && { authorization: `Bearer ${token}` }) }
  if (key) headers.dpop = await proveFor(key, method, path, nonce)
  try {
    const response = await fetch(path, { method, headers, body: body && JSON.stringify(body), signal: AbortSignal.timeout(10_000) })
    const asked = response.headers.get('dpop-nonce')
    if (key && asked && !nonce) return await send(method, path, body, key, asked)
    const text = await response.text()
    return { name: `${method} ${path}`, status: response.status, ok: response.ok, body: text === '' ? {} : JSON.parse(text) }
  } catch {
    return { name: `${method} ${path}`, status: 'no reply', ok: false, body: { message: 'The server is unreachable. Try again.' } }
  }
}

function showReply (place, { name, status, ok, body }, explanation) {
  const code = String(body.code ?? '').replace('FST_DUAL_TOKEN_', '')
  const lines = [headline(name, status)]
  if (!ok && body.code) lines.push(create('p', create('code', body.code)))
  if (!ok) lines.push(create('p', body.message))
  const sentence = ok ? explanation : EXPLANATIONS[code]
  if (sentence) lines.push(create('p', sentence))
  if (ok && Object.keys(body).length > 0) lines.push(create('pre', JSON.stringify(body, shorten, 2)))
  show(place, ok, ...lines)
}

const shorten = (name, value) => name === 'token' ? `${value.slice(0, 8)} … ${value.slice(-8)}` : value

/** What a script can read: the cookies, the storages, the last reply, and what this page keeps. */
function look () {
  const rows = [
    ['document.cookie', document.cookie === '' ? 'nothing' : document.cookie],
    ['localStorage', localStorage.length === 0 ? 'nothing' : `${localStorage.length} items`],
    ['in the replies', lastBody === null ? 'none yet' : Object.keys(lastBody).join(', ')],
    ['refresh token', 'nowhere: the browser keeps it in a cookie that is HttpOnly'],
    ['access token', inCookies ? 'nowhere: it is in a cookie too' : token === null ? 'none now' : `in a variable of this page: ${shorten('token', token)}`]
  ]
  if (key) rows.push(['key of this device', 'in IndexedDB: a script can sign with it, but not read it'])
  element('theft').hidden = key === null
  element('sight').replaceChildren(...rows.flatMap(([name, value]) => [create('dt', name), create('dd', value)]))
}

function take (reply) {
  lastBody = reply.body
  token = reply.body.token ?? null
  look()
}

/** Keeps the key of a new sign-in; null: it is bound to none. */
async function hold (next) {
  key = next
  await keepKey(key)
}

async function signIn () {
  const { bind, ...credentials } = Object.fromEntries(new FormData(element('sign-in')))
  const own = bind ? key ?? await createKey() : null
  const reply = await send('POST', '/authorizations', credentials, own)
  if (reply.ok) await hold(own)
  showReply('entrance-reply', reply, inCookies
    ? 'The browser has both tokens, in two cookies. The body has none.'
    : 'The browser has the refresh token, in a cookie. The body has only the access token.')
  if (reply.ok) take(reply)
}

async function refresh (place) {
  const reply = await send('PUT', '/authorizations', undefined, key)
  showReply(place, reply, `The browser sent the refresh cookie by itself${key ? ', and the page a proof of the key' : ''}.`)
  if (reply.ok) take(reply)
}

/** The thief is another computer, which has copied the cookie. */
async function steal (key) {
  showReply('theft-reply', await send('PUT', '/authorizations', undefined, key))
}

async function signOut () {
  const reply = await send('DELETE', '/authorizations')
  if (reply.ok) {
    await hold(null)
    showReply('use-reply', reply, 'The server has deleted the cookies, which no script can do.')
    take({ body: {} })
  } else showReply('use-reply', reply)
}

async function call (method, path) {
  showReply('use-reply', await send(method, path, method === 'POST' ? {} : undefined), inCookies
    ? 'The browser sent the access cookie by itself.'
    : 'The page sent its access token in the Authorization header.')
}

const tell = (isGood, name, status, sentence) => show('live-reply', isGood, headline(name, status), create('p', sentence))
const REFUSED = 'Refused: sign in first, or refresh.'

function openSocket () {
  return new Promise(resolve => {
    const socket = new WebSocket(`${window.location.origin.replace('http', 'ws')}/live`)
    socket.onmessage = ({ data }) => {
      tell(true, 'WebSocket /live', 'open', data)
      socket.onclose = null
      socket.close()
      resolve()
    }
    socket.onclose = () => resolve(tell(false, 'WebSocket /live', 'closed', REFUSED))
  })
}

function openEvents () {
  return new Promise(resolve => {
    const events = new window.EventSource('/events')
    const end = (...said) => {
      events.close()
      resolve(tell(...said))
    }
    events.onmessage = ({ data }) => end(true, 'EventSource /events', 'open', data)
    events.onerror = () => end(false, 'EventSource /events', 'closed', REFUSED)
  })
}

function loadPicture () {
  return new Promise(resolve => {
    const picture = Object.assign(new window.Image(), { alt: 'A picture that only a user may see', src: `/picture?${Date.now()}` })
    picture.onload = () => resolve(show('live-reply', true, headline('GET /picture', 'loaded'), create('p', picture)))
    picture.onerror = () => resolve(tell(false, 'GET /picture', 'not loaded', REFUSED))
  })
}

/** Only a session can be bound. */
async function offerBinding () {
  const { ok, body } = await send('GET', '/docs/json')
  element('binding').hidden = !ok || !('/authorizations/sessions' in body.paths)
}

/** The host names under which the attacker's page lives: one of another site, and a sibling of this host where it can have one. */
function showNeighbours () {
  const { hostname, port } = window.location
  const isKnown = ['127.0.0.1', 'localhost', 'app.localhost'].includes(hostname)
  const hosts = [['evil.localhost', 'another site'], ...(hostname === 'app.localhost' ? [['evil.app.localhost', 'a sibling of this host']] : [])]
  if (isKnown) {
    element('neighbours').replaceChildren(...hosts.map(([host, kind]) => {
      const link = Object.assign(create('a', `http://${host}:${port}`), { href: `http://${host}:${port}/#${hostname}` })
      return create('li', link, `, ${kind}`)
    }))
  }
  const loopback = `http://app.localhost:${port}`
  Object.assign(element('loopback'), { href: loopback, textContent: loopback })
  element('no-neighbours').hidden = hostname === 'app.localhost'
  if (isKnown) element('no-neighbours').replaceChildren('Open this page as ', element('loopback'), ', and a sibling host attacks it, too.')
}

onPress(element('sign-in'), signIn)
onPress(element('call'), () => call('GET', '/me'))
onPress(element('transfer'), () => call('POST', '/transfer'))
onPress(element('renew'), () => refresh('use-reply'))
onPress(element('sign-out'), signOut)
onPress(element('steal'), () => steal(null))
onPress(element('steal-with-key'), async () => await steal(await createKey()))
onPress(element('still-here'), () => refresh('theft-reply'))
onPress(element('socket'), openSocket)
onPress(element('events'), openEvents)
onPress(element('picture'), loadPicture)
element('live').hidden = !inCookies
element('profile').textContent = inCookies
  ? 'This server runs with COOKIES=access: both tokens are in HttpOnly cookies, and no script can read either.'
  : 'This server runs with COOKIES=true: the refresh token is in an HttpOnly cookie, the access token in the memory of this page. Try COOKIES=access, too.'
showNeighbours()
look()
offerBinding()
