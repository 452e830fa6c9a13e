// Our own pages, in a real browser: whatever they send, none is taken for a stranger.
import type { FastifyError } from 'fastify'
import { test } from 'tap'
import { openBrowser, withoutBrowser } from '../support/browser.ts'
import { ACCESS, REFRESH } from '../support/cookies.ts'
import { fetchJson, jarOf, openTab, signInBy, startHome, startNeighbours, whoIs } from '../support/neighbours.ts'
import { ACCESS_LIFETIME } from '../support/tokens.ts'

/** Everything that a page can send that may change something, one after the other; it ends signed out. */
const EVERYTHING = `(async () => {
  const json = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' }
  const once = (target, name) => new Promise(resolve => target.addEventListener(name, resolve, { once: true }))
  await fetch('/transfer?fetch', json)
  await fetch('/transfer?no-cors', { method: 'POST', mode: 'no-cors', body: 'x' })
  await fetch('/transfer?no-referrer', { ...json, referrerPolicy: 'no-referrer' })
  await fetch('/transfer?keepalive', { ...json, keepalive: true })
  navigator.sendBeacon('/transfer?beacon', 'x')

  const request = new XMLHttpRequest()
  request.open('POST', '/transfer?xhr')
  request.send('x')
  await once(request, 'loadend')

  const frame = Object.assign(document.createElement('iframe'), { name: 'sink' })
  document.body.append(frame)
  const form = Object.assign(document.createElement('form'), { method: 'POST', action: '/transfer?form', target: 'sink' })
  document.body.append(form)
  form.submit()
  await once(frame, 'load')

  const inner = Object.assign(document.createElement('iframe'), { srcdoc: '<script>fetch("/transfer?srcdoc", { method: "POST" }).then(() => parent.postMessage(0))</' + 'script>' })
  document.body.append(inner)
  await once(window, 'message')

  const script = 'fetch("' + origin + '/transfer?worker", { method: "POST" }).then(() => postMessage(0))'
  const worker = new Worker(URL.createObjectURL(new Blob([script], { type: 'text/javascript' })))
  await once(worker, 'message')

  const socket = new WebSocket(origin.replace('http', 'ws') + '/socket')
  await once(socket, 'message')
  socket.close()

  await fetch('/authorizations', { method: 'PUT' })
  await fetch('/authorizations/sessions', { method: 'DELETE' })
  await fetch('/authorizations', { ...json, body: '{"user_id":7,"password":"good"}' })
  await fetch('/authorizations', { method: 'DELETE' })
})()`
const TRANSFERS = ['fetch', 'no-cors', 'no-referrer', 'keepalive', 'beacon', 'xhr', 'form', 'srcdoc', 'worker']

test('a page that tells no referrer is still ours', { skip: withoutBrowser }, async t => {
  const browser = await openBrowser(t)
  for (const path of ['/', '/plain']) {
    await t.test(path === '/' ? 'a page with a referrer, for comparison' : 'a page with Referrer-Policy: no-referrer', async t => {
      const home = await startHome(t)
      const context = await browser.newContext()
      t.teardown(() => context.close())
      const own = await openTab(context, home.origin + path)
      await signInBy(own)
      await own.evaluate(EVERYTHING)
      for (const name of TRANSFERS) await home.arrived(new RegExp(`^POST /transfer\\?${name}$`))
      t.strictSame(home.arrivals.filter(({ outcome }) => !/^\d+$/.test(outcome)), [], 'nothing is refused')
      t.equal(home.acts.filter(act => act === '7 transfers').length, TRANSFERS.length)
      t.ok(home.acts.includes('7 opens a socket'))
      t.strictSame(home.acts.filter(act => act.includes('/authorizations')).map(act => act.split(' ')[0]), ['POST', 'PUT', 'POST', 'DELETE'])
      t.strictSame(await jarOf(context), {})
      if (path === '/plain') t.match(home.arrivals.find(({ url }) => url === '/transfer?form'), { origin: 'null', site: 'same-origin' })

      // A form that navigates, its reload, and the way back to it.
      await signInBy(own)
      await own.evaluate("document.body.append(Object.assign(document.createElement('form'), { id: 'go', method: 'POST', action: '/transfer?navigates' })); go.submit()")
      await own.getByText('"user":7').waitFor()
      await own.reload()
      t.equal(home.acts.filter(act => act === '7 transfers').length, TRANSFERS.length + 2)
    })
  }
})

test('links, images, events, sockets', { skip: withoutBrowser }, async t => {
  const home = await startHome(t)
  const { origins } = await startNeighbours(t)
  const context = await (await openBrowser(t)).newContext()
  const own = await openTab(context, home.origin)
  await signInBy(own)

  t.equal(await own.evaluate("new Promise(resolve => { const image = new Image(); image.onload = () => resolve(image.naturalWidth); image.src = '/image' })"), 7)
  t.equal(await own.evaluate(`new Promise(resolve => {
    const events = new EventSource('/events')
    events.onmessage = ({ data }) => { events.close(); resolve(data) }
  })`), '7')
  t.equal(await own.evaluate(`new Promise(resolve => {
    const socket = new WebSocket(origin.replace('http', 'ws') + '/socket')
    socket.onmessage = ({ data }) => { socket.close(); resolve(data) }
  })`), '7')
  const downloaded = own.waitForEvent('download')
  await own.evaluate("document.body.append(Object.assign(document.createElement('a'), { id: 'get', href: '/download' })); get.click()")
  t.equal(await (await downloaded).failure(), null)
  t.match(home.arrivals.find(({ url }) => url === '/download'), { outcome: '200' })

  for (const [name, origin] of Object.entries(origins)) {
    const tab = await openTab(context, origin)
    await tab.evaluate(`document.body.append(Object.assign(document.createElement('a'), { id: 'go', href: ${JSON.stringify(`${home.origin}/me`)} })); go.click()`)
    await tab.getByText('{"user":7}').waitFor()
    t.pass(`a link of ${name} arrives signed in`)

    home.arrivals.length = 0
    await tab.goto(origin)
    await tab.evaluate(`document.body.append(Object.assign(document.createElement('img'), { src: ${JSON.stringify(`${home.origin}/image?of-others`)} }))`)
    const sameSite = name === 'a sibling host' || name === 'another port'
    t.equal((await home.arrived(/of-others/)).outcome, sameSite ? '200' : 'ACCESS_MISSING', `an image in the page of ${name}`)
  }
})

/** The reply to a navigation whose token has expired: it refreshes, and comes back by GET, which repeats nothing. */
const REFRESH_PAGE = `<!doctype html><title>One moment</title><script>
const { href } = location
fetch('/authorizations', { method: 'PUT' }).then(({ ok }) => {
  history.replaceState(null, '', '?renewed')
  location.replace(ok ? href : '/sign-in')
})
</script>`

test('a rendered page refreshes and comes back', { skip: withoutBrowser }, async t => {
  const home = await startHome(t, {
    weaken: [app => app.setErrorHandler((error: FastifyError, request, reply) => {
      const { 'sec-fetch-mode': mode } = request.headers
      if (error.statusCode === 401 && mode === 'navigate') return reply.code(401).type('text/html').send(REFRESH_PAGE)
      return reply.send(error)
    })],
    prepare: app => { app.get('/sign-in', async (_request, reply) => reply.type('text/html').send('<!doctype html><title>Sign in</title>')) }
  })
  const { origins } = await startNeighbours(t)
  const context = await (await openBrowser(t)).newContext()
  const own = await openTab(context, home.origin)
  await signInBy(own)
  const [before, length] = [await jarOf(context), Number(await own.evaluate('history.length'))]

  home.clock.advance(ACCESS_LIFETIME)
  home.acts.length = 0
  await own.goto(`${home.origin}/me?page=2`)
  await own.getByText('{"user":7}').waitFor()
  t.equal(own.url(), `${home.origin}/me?page=2`)
  t.equal(await own.evaluate('history.length'), length + 1, 'the way back leads to the page before')
  t.not((await jarOf(context))[REFRESH], before[REFRESH])
  t.strictSame(home.acts, ['PUT /authorizations'])

  await t.test('to a fragment of the page', async t => {
    for (const path of ['/me#part', '/me?page=2#part']) {
      home.clock.advance(ACCESS_LIFETIME)
      const tab = await openTab(context, home.origin + path)
      await tab.getByText('{"user":7}').waitFor()
      t.equal(tab.url(), home.origin + path)
    }
  })

  await t.test('by a link of another site, whose navigation carries no Strict cookie', async t => {
    home.clock.advance(ACCESS_LIFETIME)
    const tab = await openTab(context, origins['another site'])
    await tab.evaluate(`document.body.append(Object.assign(document.createElement('a'), { id: 'go', href: ${JSON.stringify(`${home.origin}/me`)} })); go.click()`)
    await tab.getByText('{"user":7}').waitFor()
    t.equal(tab.url(), `${home.origin}/me`)
  })

  await t.test('a form of a neighbour, answered by that page, does not act', async t => {
    home.clock.advance(ACCESS_LIFETIME)
    home.acts.length = 0
    home.arrivals.length = 0
    const tab = await openTab(context, origins['another site'])
    // Lax keeps the cookie away from it: the reply is 401, which the page answers by a refresh, and the way back is a GET.
    await tab.evaluate(`document.body.append(Object.assign(document.createElement('form'), { id: 'go', method: 'POST', action: ${JSON.stringify(`${home.origin}/transfer`)} })); go.submit()`)
    await home.arrived(/^GET \/transfer$/)
    t.match(home.arrivals.find(({ url }) => url === '/transfer'), { method: 'POST', outcome: 'ACCESS_MISSING' })
    t.strictSame(home.acts, ['PUT /authorizations'])
  })

  await t.test('where nobody can refresh, it leads to the sign-in', async t => {
    await fetchJson(own, 'DELETE', '/authorizations')
    await own.goto(`${home.origin}/me`)
    await own.waitForURL('**/sign-in')
    t.equal(await own.title(), 'Sign in')
    t.equal(await whoIs(own), 'ACCESS_MISSING')
    t.equal((await jarOf(context))[ACCESS], undefined)
  })
})
