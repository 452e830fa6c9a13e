// Cookies: HTTP State Management Mechanism (draft-ietf-httpbis-rfc6265bis-22), by a reader of lines that follows its section 5.6 and 5.7.
import { test } from 'tap'
import { createApp } from '../support/app.ts'
import { ACCESS, carry, cookiesOf, linesOf, OWN_PAGE, REFRESH } from '../support/cookies.ts'
import { createSessionApp, outcomeOf, PATH } from '../support/session-app.ts'
import { NOW, REFRESH_LIFETIME } from '../support/tokens.ts'

interface Stored {
  readonly name: string
  readonly value: string
  readonly attributes: ReadonlyMap<string, string>
}

/** What a browser keeps of a line that comes over HTTPS, or why it keeps nothing. */
function store (line: string): Stored | string {
  if (/[\0-\x08\x0a-\x1f\x7f]/.test(line)) return 'a control character' // eslint-disable-line no-control-regex
  const [pair = '', ...rest] = line.split(';')
  const equals = pair.indexOf('=')
  const name = equals === -1 ? '' : pair.slice(0, equals).trim()
  const value = pair.slice(equals + 1).trim()
  if (name.length + value.length > 4096) return 'too long'
  const attributes = new Map(rest.map(attribute => {
    const [key = '', ...values] = attribute.trim().split('=')
    return [key.toLowerCase(), values.join('=')]
  }))
  const prefix = name.toLowerCase()
  const host = attributes.has('secure') && attributes.get('path') === '/' && !attributes.has('domain')
  if (prefix.startsWith('__host-') && !host) return '__Host-'
  if (prefix.startsWith('__host-http-') && !(host && attributes.has('httponly'))) return '__Host-Http-'
  return { name, value, attributes }
}

const SIGN_IN = { method: 'POST', url: PATH, headers: OWN_PAGE, payload: { password: 'good' } } as const

test('section 5.7: a browser keeps every line of ours, and by the prefix nobody else can write it', async t => {
  const { app } = await createApp(t, { cookies: { access: true } })
  const lines = linesOf(await app.inject(SIGN_IN))
  t.equal(lines.length, 2)
  for (const line of lines) {
    const stored = store(line)
    if (typeof stored === 'string') return t.fail(stored)
    t.strictSame([...stored.attributes.keys()], ['max-age', 'path', 'secure', 'httponly', 'samesite'])
    t.match(stored.attributes.get('max-age'), /^[1-9]\d*$/)
    for (const attribute of ['Secure', 'HttpOnly']) t.type(store(line.replace(` ${attribute};`, '')), 'string', attribute)
    t.type(store(line.replace('Path=/', 'Path=/me')), 'string')
    t.type(store(`${line}; Domain=localhost`), 'string')
  }
})

test('section 4.1.1: names are tokens, values are cookie octets, and each cookie is set once a reply', async t => {
  const { app } = await createApp(t, { cookies: { access: true, name: 'a.b-c' } })
  const lines = linesOf(await app.inject(SIGN_IN))
  for (const line of lines) t.match(line, /^[!#$%&'*+.^`|~\w-]+=[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]+; /)
  t.equal(new Set(lines.map(line => line.split('=')[0])).size, lines.length)
})

test('section 4.1.2.2: Max-Age is what is left, rounded up, and zero deletes', async t => {
  let now = NOW * 1000
  const { app } = await createApp(t, { cookies: { access: true }, now: () => now })
  const agesOf = (lines: string[]) => lines.map(line => Number(/Max-Age=(\d+)/.exec(line)![1]))
  for (const late of [0, 1, 499, 999]) {
    now = NOW * 1000 + late
    t.strictSame(agesOf(linesOf(await app.inject(SIGN_IN))), [REFRESH_LIFETIME, REFRESH_LIFETIME], `${late} ms`)
  }
  t.strictSame(agesOf(linesOf(await app.inject({ method: 'DELETE', url: PATH, headers: OWN_PAGE }))), [0, 0])
})

test('section 5.6: name and value of 4096 characters are kept, and one more is refused here, where a browser would drop it without a word', async t => {
  for (const access of [false, true]) {
    for (const sessions of [false, true]) {
      let text = ''
      const routes = { login: () => ({ user_id: 7, text }) }
      const { app } = await (sessions ? createSessionApp(t, { cookies: { access }, routes }) : createApp(t, { cookies: { access }, routes }))
      const lengthWith = async (length: number): Promise<number | string> => {
        text = 'x'.repeat(length)
        const reply = await app.inject(SIGN_IN)
        if (reply.statusCode !== 201) {
          t.equal(reply.json().message, "A user's claims must fit a token of 4071 characters.")
          return outcomeOf(reply)
        }
        for (const line of linesOf(reply)) t.type(store(line), 'object')
        return access ? ACCESS.length + cookiesOf(reply)[ACCESS]!.length : reply.json().token.length
      }
      let longest = 0
      let first: number | string = 0
      for (let length = 2700; typeof first === 'number'; length++) {
        first = await lengthWith(length)
        if (typeof first === 'number') longest = first
      }
      // Base64 grows by one or two characters a byte.
      t.ok(longest > 4094 && longest <= 4096, `${longest}`)
      t.equal(first, 'USER_INVALID')
    }
  }
})

test('section 5.6: an id that makes the refresh token too long is refused', async t => {
  let id = ''
  const { app, asked } = await createSessionApp(t, { cookies: true, userIdClaim: 'sub', routes: { login: () => ({ sub: id }) as never } })
  const outcomes: string[] = []
  for (let length = 2600; outcomes.at(-1) !== 'USER_INVALID'; length++) {
    id = 'x'.repeat(length)
    asked()
    const reply = await app.inject(SIGN_IN)
    outcomes.push(outcomeOf(reply))
    if (reply.statusCode === 201) t.ok(REFRESH.length + cookiesOf(reply)[REFRESH]!.length <= 4096)
    else t.strictSame(asked(), [], 'and leaves no session behind')
  }
  t.ok(outcomes.length > 10)
})

test('section 4.2: a cookie comes back without its attributes, in any company', async t => {
  const { app } = await createApp(t, { cookies: { access: true } })
  const cookies = cookiesOf(await app.inject(SIGN_IN))
  t.equal((await app.inject({ url: '/me', headers: carry({ a: '1', ...cookies, z: '' }) })).statusCode, 200)
})
