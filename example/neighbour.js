// The attacker's page: what the user presses → an attempt to act at the demo's own host, and why it failed.
import { create, element, headline, onPress, show } from './parts.js'

/** Which of the names of this machine to attack. */
const HOMES = ['127.0.0.1', 'localhost', 'app.localhost']
const named = window.location.hash.slice(1)
const fromHost = window.location.hostname.replace('evil.', '')
const host = HOMES.includes(named) ? named : fromHost
const home = `http://${host}:${window.location.port}`
const isSibling = window.location.hostname === `evil.${host}` && host !== 'localhost'

function submitForm (path, type = 'application/x-www-form-urlencoded') {
  const form = Object.assign(create('form'), { method: 'POST', action: home + path, target: 'sink', enctype: type })
  document.body.append(form)
  const arrived = new Promise(resolve => element('sink').addEventListener('load', resolve, { once: true }))
  form.submit()
  form.remove()
  return arrived
}

const credentials = 'include'
const json = { 'content-type': 'application/json' }
const ATTACKS = {
  'Submit a form': () => submitForm('/transfer'),
  'Send a fetch': () => fetch(`${home}/transfer`, { method: 'POST', mode: 'no-cors', credentials }),
  'Use the refresh token up': () => fetch(`${home}/authorizations`, { method: 'PUT', credentials }),
  'Sign you out': () => fetch(`${home}/authorizations`, { method: 'DELETE', credentials }),
  'Sign you in as another user': () => fetch(`${home}/authorizations`, { method: 'POST', credentials, headers: json, body: '{"username":"demo","password":"demo-password"}' }),
  'Open a WebSocket': () => new Promise(resolve => {
    const socket = new WebSocket(`${home.replace('http', 'ws')}/live`)
    socket.onopen = socket.onclose = () => { socket.close(); resolve() }
  }),
  'Load a picture': () => new Promise(resolve => {
    Object.assign(new window.Image(), { onload: resolve, onerror: resolve, src: `${home}/picture?${Date.now()}` })
  })
}

/** In words, why an attempt came to nothing. */
function reasonOf ({ name, status, code, withCookie }) {
  if (name.startsWith('OPTIONS')) return 'The browser asked first whether a page of another origin may do this. The server does not say so, and nothing else was sent.'
  if (code?.endsWith('CROSS_ORIGIN')) return 'Your cookie came along, but nothing proves that a page of the server has sent the request.'
  if (code?.endsWith('_MISSING')) {
    return withCookie
      ? 'A cookie came along, but the access token is in the memory of the other page, where this one cannot get at it.'
      : 'No cookie came along: SameSite keeps yours away from what other sites send.'
  }
  if (status < 300 && name.startsWith('GET /picture')) return 'A host of the same site may load it: a GET changes nothing. This page sees only its size.'
  return status < 400 ? 'It has succeeded!' : 'The server has refused it.'
}

async function attack (name, act) {
  await act().catch(() => {}) // The browser tells a page nothing but that it failed.
  const attempts = await (await fetch('/attempts')).json()
  const failed = attempts.every(attempt => attempt.status >= 400 || attempt.name.startsWith('GET /picture'))
  const lines = attempts.flatMap(attempt => [
    headline(attempt.name.replace(/\?.*/, ''), attempt.status),
    ...(attempt.code ? [create('p', create('code', attempt.code))] : []),
    create('p', reasonOf(attempt)),
    create('p', `Sec-Fetch-Site: ${attempt.site ?? 'not sent with a WebSocket; the Origin is this page'}`)
  ])
  show('outcome', !failed, ...(lines.length > 0 ? lines : [headline(name, 'nothing arrived'), create('p', 'The browser has sent nothing.')]))
}

element('attacks').replaceChildren(...Object.entries(ATTACKS).map(([name, act]) => {
  const button = Object.assign(create('button', name), { type: 'button' })
  onPress(button, () => attack(name, act))
  return button
}))
Object.assign(element('home'), { href: home, textContent: home })
element('relation').textContent = isSibling
  ? 'It is a sibling: browsers count it as the same site, so SameSite does not keep the cookies away. The proof does.'
  : 'Browsers count it as another site.'
