// What a page of a neighbour tries in the name of a user who is signed in by cookie.
import type { Home } from './neighbours.ts'

/** A tab of any browser. */
export interface Tab {
  evaluate (script: string): Promise<unknown>
}

export interface Attack {
  readonly name: string
  /** What arrives at the server. */
  readonly request: RegExp
  /** What is done when it succeeds. */
  readonly act: string
  /** Runs in the neighbour's page; `home` and `here` are origins. */
  readonly script: string
}

/** Runs in a page: submits a form. */
export const FORM = `
  function submit (action, place = document.body, target = '_self') {
    const form = place.ownerDocument.createElement('form')
    Object.assign(form, { method: 'POST', action, target })
    place.append(form)
    form.submit()
  }`

/** Without tokens of its own to send, a page can only hope for the cookies of the browser. */
export const ATTACKS: readonly Attack[] = [
  {
    name: 'a form in a frame',
    request: /^POST \/transfer\?form$/,
    act: '7 transfers',
    script: `
      document.body.append(Object.assign(document.createElement('iframe'), { name: 'sink' }))
      submit(home + '/transfer?form', document.body, 'sink')`
  },
  {
    name: 'a form that is redirected with its method (307)',
    request: /^POST \/transfer\?307$/,
    act: '7 transfers',
    script: `
      document.body.append(Object.assign(document.createElement('iframe'), { name: 'sink307' }))
      submit(here + '/307?to=' + encodeURIComponent(home + '/transfer?307'), document.body, 'sink307')`
  },
  {
    name: 'fetch without CORS',
    request: /^POST \/transfer\?no-cors$/,
    act: '7 transfers',
    script: "await fetch(home + '/transfer?no-cors', { method: 'POST', mode: 'no-cors', credentials: 'include', body: 'x' })"
  },
  {
    name: 'fetch without CORS, and without a referrer',
    request: /^POST \/transfer\?no-referrer$/,
    act: '7 transfers',
    script: `await fetch(home + '/transfer?no-referrer', {
      method: 'POST', mode: 'no-cors', credentials: 'include', referrerPolicy: 'no-referrer', body: 'x'
    })`
  },
  {
    name: 'fetch with a header of its own, where CORS lets everybody in',
    request: /^POST \/transfer\?cors$/,
    act: '7 transfers',
    script: "await fetch(home + '/transfer?cors', { method: 'POST', credentials: 'include', headers: { 'content-type': 'application/json' }, body: '{}' })"
  },
  {
    name: 'a beacon',
    request: /^POST \/transfer\?beacon$/,
    act: '7 transfers',
    script: "navigator.sendBeacon(home + '/transfer?beacon', 'x')"
  },
  {
    name: 'a WebSocket',
    request: /^GET \/socket$/,
    act: '7 opens a socket',
    script: `await new Promise(resolve => {
      const socket = new WebSocket(home.replace('http', 'ws') + '/socket')
      socket.onmessage = socket.onclose = () => { socket.close(); resolve() }
    })`
  },
  {
    name: 'a form in a sandboxed frame, whose origin is null',
    request: /^POST \/transfer\?sandbox$/,
    act: '7 transfers',
    script: `document.body.append(Object.assign(document.createElement('iframe'), {
      sandbox: 'allow-scripts allow-forms',
      srcdoc: '<form method=POST action="' + home + '/transfer?sandbox"></form><script>document.forms[0].submit()</' + 'script>'
    }))`
  },
  {
    name: 'a refresh that uses the refresh token up',
    request: /^PUT \/authorizations$/,
    act: 'PUT /authorizations',
    script: "await fetch(home + '/authorizations', { method: 'PUT', credentials: 'include' })"
  },
  {
    name: 'a sign-in as the attacker',
    request: /^POST \/authorizations$/,
    act: 'POST /authorizations',
    script: `await fetch(home + '/authorizations', {
      method: 'POST', credentials: 'include', headers: { 'content-type': 'application/json' }, body: '{"user_id":666,"password":"good"}'
    })`
  },
  {
    name: 'a sign-out',
    request: /^DELETE \/authorizations$/,
    act: 'DELETE /authorizations',
    script: "await fetch(home + '/authorizations', { method: 'DELETE', credentials: 'include' })"
  }
]

/** Runs one attack in a tab of the neighbour, and waits until it has arrived and is answered. */
export async function attackBy (tab: Tab, here: string, { origin: home, arrived }: Home, { script, request }: Attack): Promise<string> {
  await tab.evaluate(`(async () => {
    const [home, here] = ${JSON.stringify([home, here])}
    ${FORM}
    try { ${script} } catch {} // a reply that it may not read
  })()`)
  return (await arrived(request)).outcome
}
