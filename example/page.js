// The page at `/`: what the user presses → one request to this server, its reply in words, and the tokens as they now are.
import { createKey, proveFor } from '/proof.js'

const element = id => document.getElementById(id)

/** The pair, in this variable and nowhere else; `usedUp` is the refresh token before it; `key` is what the session is bound to. */
const signedOut = { access: null, refresh: null, key: null, usedUp: null, usedUpAt: 0, ended: false }
let held = signedOut
/** How far the server's clock is ahead of ours, in milliseconds. */
let skew = 0
let busy = false

const NO_SECRET = 'This server did not sign the token: without JWT_SECRET, it makes a new secret at each start. Sign in again.'
const EXPLANATIONS = {
  LOGIN_REFUSED: 'The demo user is demo, with the password demo-password.',
  ACCESS_EXPIRED: 'The access token has expired. The refresh token gets a new one: refresh.',
  ACCESS_INVALID: NO_SECRET,
  ACCESS_REVOKED: 'The session of this token was ended. Sign in again.',
  ACCESS_IS_REFRESH: 'A refresh token opens no guarded route. It is sent rarely, so it is seldom stolen.',
  REFRESH_INVALID: NO_SECRET,
  REFRESH_EXPIRED: 'The refresh token has expired as well. Sign in again.',
  REFRESH_REUSED: 'Theft: somebody used a used-up refresh token. The server cannot tell owner from thief, so the session ends for both. Sign in again.',
  REFRESH_REVOKED: 'The session of this token was ended, or the store has lost it. Sign in again.',
  PROOF_INVALID: 'The refresh token is bound to a key, and nothing proves that the sender has it. The session lives on, and its owner notices nothing.',
  STORE_UNAVAILABLE: 'The session store is unreachable. Your tokens are still valid: try again when it is back.'
}

const MEANINGS = { sid: 'session', gen: 'generation', n: 'nonce', cnf: 'the key it is bound to' }

/** Sends one request, with a proof if there is a key; resolves to its status and body, also when there is no reply. */
async function send (method, path, { token, body, key, nonce } = {}) {
  const headers = key ? { dpop: await proveFor(key, method, path, nonce) } : {}
  if (token) headers.authorization = `Bearer ${token}`
  if (body) headers['content-type'] = 'application/json'
  try {
    const response = await fetch(path, { method, headers, body: body && JSON.stringify(body), signal: AbortSignal.timeout(10_000) })
    skew = Date.parse(response.headers.get('date')) - Date.now() || 0
    const asked = response.headers.get('dpop-nonce')
    if (key && asked && !nonce) return await send(method, path, { token, body, key, nonce: asked })
    const text = await response.text()
    return { name: `${method} ${path}`, status: response.status, ok: response.ok, body: text === '' ? {} : JSON.parse(text) }
  } catch {
    return { name: `${method} ${path}`, status: 0, ok: false, body: { message: 'The server is unreachable. The page keeps your tokens: try again.' } }
  }
}

/** The code of a refusal without its prefix. */
const codeOf = reply => String(reply.body.code ?? '').replace('FST_DUAL_TOKEN_', '')

function claimsOf (token) {
  const base64 = token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/')
  return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(base64), character => character.codePointAt(0))))
}

// What the page shows. It inserts only text, never markup.

function create (name, ...children) {
  const node = document.createElement(name)
  node.append(...children)
  return node
}

/** Shows a reply where it was asked for: the status, code and message of an error, or the body. */
function show (place, reply, explanation = EXPLANATIONS[codeOf(reply)]) {
  const area = element(place)
  const { code = reply.body.error, message } = reply.body
  const lines = [create('p', create('time', new Date().toLocaleTimeString()), create('code', reply.name), ' →\u00a0', create('strong', reply.status || 'no reply'))]
  if (!reply.ok && code) lines.push(create('p', create('code', code)))
  if (!reply.ok) lines.push(create('p', message))
  if (explanation) lines.push(create('p', explanation))
  if (reply.ok && Object.keys(reply.body).length > 0) lines.push(create('pre', JSON.stringify(reply.body, shorten, 2)))
  area.className = `reply ${reply.ok ? 'accepted' : 'refused'}`
  area.replaceChildren(...lines)
  area.scrollIntoView({ block: 'nearest' })
}

/** Which of the three is the next to press: the one that is filled. */
function mark (next) {
  for (const id of ['enter', 'call', 'renew']) element(id).classList.toggle('next', id === next)
}

function clear (...places) {
  for (const place of places) {
    element(place).className = 'reply'
    element(place).replaceChildren()
  }
}

/** Tokens stand in full in their cards; in a reply their ends are enough to tell them apart. */
function shorten (name, value) {
  return name === 'token' || name === 'refresh_token' ? `${value.slice(0, 8)} … ${value.slice(-8)}` : value
}

function hold (changes) {
  held = { ...held, ...changes }
  const isHeld = held.access !== null
  element('no-tokens').hidden = isHeld
  for (const id of ['both', 'use']) element(id).hidden = !isHeld
  for (const id of ['sessions', 'theft']) element(id).hidden = !hasSessions()
  element('bound-theft').hidden = held.key === null
  for (const part of document.querySelectorAll('.unbound')) part.hidden = held.key !== null
  if (held.ended) showSessions([])
  element('replay').disabled = held.usedUp === null
  if (isHeld) {
    showToken('access', held.access)
    showToken('refresh', held.refresh)
    const { iat, exp } = claimsOf(held.access)
    element('long-lived').hidden = exp - iat <= 60
  }
  element('news').textContent = ''
  tick()
}

function showToken (id, token) {
  const card = element(id)
  const { exp, ...others } = claimsOf(token)
  const rows = Object.entries({ ...others, exp }).flatMap(([name, value]) => {
    const note = name === 'iat' || name === 'exp' ? dateTime(value * 1000) : MEANINGS[name] ?? ''
    return [create('dt', name), create('dd', JSON.stringify(value), ' ', create('small', note))]
  })
  card.querySelector('dl').replaceChildren(...rows)
  card.querySelector('code').textContent = token
}

/** Shows the time that is left, and says once when the access token has run out. */
function tick () {
  if (held.access === null) return mark('enter')
  let next = held.ended ? 'enter' : 'call'
  for (const [id, token] of [['access', held.access], ['refresh', held.refresh]]) {
    const { iat, exp } = claimsOf(token)
    const left = Math.max(0, exp - (Date.now() + skew) / 1000)
    const text = element(id).querySelector('.left')
    text.classList.toggle('over', held.ended || left === 0)
    text.textContent = held.ended ? 'Refused: its session was ended' : left === 0 ? 'Expired' : `${duration(left)} left`
    const bar = element(id).querySelector('progress')
    bar.max = exp - iat
    bar.value = held.ended ? 0 : left
    if (id === 'access') element('access-left').textContent = text.textContent
    if (id === 'access' && left === 0 && !held.ended) {
      next = 'renew'
      announce('news', 'The access token has expired.')
    }
  }
  mark(next)
  if (held.usedUp === null) element('used-up').textContent = 'None is used up yet.'
  else element('used-up').textContent = `Generation ${claimsOf(held.usedUp).gen} was used up ${duration((Date.now() - held.usedUpAt) / 1000)} ago.`
}

function announce (place, sentence) {
  if (element(place).textContent !== sentence) element(place).textContent = sentence
}

/** Whole seconds begun: `13 d 23:59:59`, `1:59:59`, `0:09`. */
function duration (seconds) {
  const whole = Math.ceil(seconds)
  const two = number => String(number).padStart(2, '0')
  const [d, h, min, s] = [Math.floor(whole / 86_400), Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60, whole % 60]
  if (d > 0) return `${d} d ${two(h)}:${two(min)}:${two(s)}`
  return h > 0 ? `${h}:${two(min)}:${two(s)}` : `${min}:${two(s)}`
}

function dateTime (instant) {
  return new Date(instant).toLocaleString()
}

function showSessions (sessions) {
  element('session-list').replaceChildren(...sessions.map(session => {
    const title = create('p', create('strong', session.current ? 'This one' : 'Another one'), `, since ${dateTime(session.created_at)}`)
    const details = create('p', `${session.ip}, ${session.user_agent}. Last used ${dateTime(session.last_used_at)}, ` +
      `ends ${dateTime(session.expires_at)}.`)
    details.className = 'note'
    const button = create('button', session.current ? 'End this session' : 'End that session')
    button.type = 'button'
    button.setAttribute('aria-label', `${button.textContent}, since ${dateTime(session.created_at)}`)
    onPress(button, () => endSession(session))
    return create('li', title, details, button)
  }))
}

// The buttons. One request at a time, so that replies cannot overtake each other.

function onPress (target, act) {
  target.addEventListener(target.id === 'sign-in' ? 'submit' : 'click', async event => {
    event.preventDefault()
    if (busy) return
    busy = true
    document.body.classList.add('waiting')
    try {
      await act()
    } finally {
      busy = false
      document.body.classList.remove('waiting')
    }
  })
}

/** Whether a reply says that the session of the tokens is over. */
const saysEnded = reply => ['ACCESS_REVOKED', 'REFRESH_REVOKED', 'REFRESH_REUSED'].includes(codeOf(reply))

/** The tokens of a session name it. */
const hasSessions = () => held.access !== null && 'sid' in claimsOf(held.access)

/** Says how the server runs: its routes of sessions exist only where there are sessions. */
async function showProfile () {
  const { ok, body } = await send('GET', '/docs/json')
  if (!ok) announce('profile', `Cannot read how this server runs. ${body.message}`)
  else describe('/authorizations/sessions' in body.paths)
}

function describe (keepsSessions) {
  element('binding').hidden = !keepsSessions
  announce('profile', keepsSessions
    ? 'This server keeps sessions: each refresh renews both tokens, theft is detected, and signing out is final.'
    : 'This server is stateless, which is the default: it stores nothing. Start it with SESSIONS=memory to see sessions.')
}

async function signIn () {
  const { bind, ...body } = Object.fromEntries(new FormData(element('sign-in')))
  const key = bind ? await createKey() : null
  const reply = await send('POST', '/authorizations', { body, key })
  show('entrance-reply', reply, key && reply.ok ? 'Bound: the refresh token says in cnf which key it belongs to.' : undefined)
  if (!reply.ok) return
  clear('use-reply', 'sessions-reply', 'theft-reply')
  hold({ ...signedOut, access: reply.body.token, refresh: reply.body.refresh_token, key })
  describe(hasSessions())
  if (hasSessions()) await listSessions()
}

async function callMe (place, token) {
  const reply = await send('GET', '/me', { token })
  if (reply.ok) show(place, reply, 'The access token opens the guarded route. Its handler finds this in request.user:')
  else show(place, reply)
  if (saysEnded(reply)) hold({ ended: true })
}

async function refresh (place) {
  const presented = held.refresh
  const reply = await send('PUT', '/authorizations', { token: presented, key: held.key })
  const { token, refresh_token: successor = presented } = reply.body
  const rotated = successor !== presented
  if (!reply.ok) show(place, reply)
  else if (rotated) show(place, reply, 'Both tokens are new, and the refresh token before them is used up.')
  else if (hasSessions()) show(place, reply, 'The access token is new. The refresh token is the same, because it rotates at most once within grace.')
  else show(place, reply, 'The access token is new. The refresh token stays the same until it expires.')
  if (saysEnded(reply)) hold({ ended: true })
  if (reply.ok) hold({ access: token, refresh: successor, ...(rotated && { usedUp: presented, usedUpAt: Date.now() }) })
}

async function signOut () {
  if (hasSessions()) {
    const reply = await send('DELETE', '/authorizations', { token: held.refresh })
    if (reply.status === 0 || reply.status >= 500) return show('use-reply', reply, 'You are still signed in.')
    if (reply.ok) show('entrance-reply', reply, 'Signed out: the session has ended, and the server refuses every copy of its tokens.')
    else show('entrance-reply', reply)
  } else {
    clear('entrance-reply')
    element('entrance-reply').append('Signed out: this page has dropped its tokens. Without sessions, copies of them stay valid until they expire.')
  }
  hold(signedOut)
  element('username').focus()
}

async function listSessions () {
  const reply = await send('GET', '/authorizations/sessions', { token: held.access })
  if (saysEnded(reply)) hold({ ended: true })
  if (!reply.ok) return show('sessions-reply', reply)
  clear('sessions-reply')
  showSessions(reply.body.sessions)
}

async function endSession ({ id, current }) {
  const reply = await send('DELETE', `/authorizations/sessions/${id}`, { token: held.access })
  if (saysEnded(reply)) hold({ ended: true })
  if (!reply.ok) return show('sessions-reply', reply)
  if (current) {
    hold({ ended: true })
  } else {
    await listSessions()
  }
  show('sessions-reply', reply, current ? 'Ended: your tokens are refused from now on. Call GET /me to see it.' : 'Ended: its tokens are refused from now on.')
  element('sessions-heading').focus() // The button that was pressed is gone.
}

async function replay () {
  const reply = await send('PUT', '/authorizations', { token: held.usedUp })
  if (!reply.ok) show('theft-reply', reply)
  else if (reply.body.refresh_token === held.refresh) {
    show('theft-reply', reply, 'Within grace: the same refresh token that you already hold, as a retry needs it. A thief now has a copy of it, ' +
      'and the server detects the theft as soon as one of you uses it up.')
  } else {
    show('theft-reply', reply, 'A third refresh token: the server has never seen yours in use, so it assumes that the reply was lost. ' +
      'Only one of the two stays valid: refresh, and the server detects the theft.')
  }
  if (saysEnded(reply)) hold({ ended: true })
}

/** The thief is another computer, which has copied the refresh token. */
async function steal (key) {
  show('theft-reply', await send('PUT', '/authorizations', { token: held.refresh, key }))
}

onPress(element('sign-in'), signIn)
onPress(element('call'), () => callMe('use-reply', held.access))
onPress(element('call-wrong'), () => callMe('use-reply', held.refresh))
onPress(element('renew'), () => refresh('use-reply'))
onPress(element('sign-out'), signOut)
onPress(element('list'), listSessions)
onPress(element('use-up'), () => refresh('theft-reply'))
onPress(element('use-new'), () => callMe('theft-reply', held.access))
onPress(element('replay'), replay)
onPress(element('steal'), () => steal(null))
onPress(element('steal-with-key'), async () => await steal(await createKey()))
onPress(element('still-here'), () => refresh('theft-reply'))
setInterval(tick, 250)
showProfile()
