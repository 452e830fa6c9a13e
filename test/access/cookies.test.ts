import { test } from 'tap'
import { readCookie, TWICE, writeCookie } from '../../lib/access/cookies.ts'
import { createCookieJar } from '../../lib/access/cookie-jar.ts'
import { readCookies } from '../../lib/options/cookies.ts'
import type { CookieCarrier } from '../../lib/access/types.ts'
import { ACCESS, CLEARED, REFRESH } from '../support/cookies.ts'
import { ACCESS_LIFETIME, accessToken, encode, NOW, REFRESH_LIFETIME, refreshToken } from '../support/tokens.ts'

/** The rules one character at a time: what stands before the first `=` of a pair is its name. */
function readSlowly (header: string, wanted: string): string | null | typeof TWICE {
  const found: string[] = []
  let name = ''
  let value = ''
  let inValue = false
  const blank = (character: string | undefined) => character === ' ' || character === '\t'
  const stripped = (text: string): string => {
    const characters = [...text.split('')]
    while (blank(characters[0])) characters.shift()
    while (blank(characters.at(-1))) characters.pop()
    return characters.join('')
  }
  for (let i = 0; i <= header.length; i++) {
    const character = header.charAt(i)
    if (i === header.length || character === ';') {
      if (inValue && stripped(name) === wanted) found.push(stripped(value))
      name = value = ''
      inValue = false
    } else if (inValue) {
      value += character
    } else if (character === '=') {
      inValue = true
    } else {
      name += character
    }
  }
  return found.length > 1 ? TWICE : found[0] ?? null
}

test('the value of a cookie is read as browsers send it', async t => {
  const cases: Array<[string, string | null | typeof TWICE]> = [
    ['t=a.b.c', 'a.b.c'],
    ['t=', ''],
    ['x=1; t=a; y=2', 'a'],
    ['x=1;t=a;y=2', 'a'],
    [' \t t \t = \t a \t ', 'a'],
    ['t=a=b==', 'a=b=='],
    ['t="a"', '"a"'],
    ['t=a; t=a', TWICE],
    ['t=; t=a', TWICE],
    ['t=a; T=b', 'a'],
    ['T=b', null],
    ['xt=a', null],
    ['tx=a', null],
    ['t', null],
    ['=t', null],
    ['=t=a', null],
    ['', null],
    [';;;', null],
    ['x=t=a', null],
    ['%74=a', null],
    ['t=a%20b', 'a%20b']
  ]
  for (const [header, value] of cases) t.equal(readCookie(header, 't'), value, JSON.stringify(header))
})

test('a name that begins with a character that trim strips is another name', async t => {
  for (const code of [0xa0, 0x0b, 0x0c, 0xfeff, 0x2028, 0x3000, 0x85, 0]) {
    const blank = String.fromCharCode(code)
    t.equal(readCookie(`${blank}t=a`, 't'), null, `U+${code.toString(16)}`)
    t.equal(readCookie(`t${blank}=a`, 't'), null, `U+${code.toString(16)}`)
    t.equal(readCookie(`${blank}t=evil; t=ours`, 't'), 'ours', `U+${code.toString(16)}`)
    t.equal(readCookie(`t=a${blank}`, 't'), `a${blank}`, `U+${code.toString(16)}`)
  }
})

test('200,000 random headers are read as a slow reference reads them', async t => {
  // A generator of its own, so that a difference can be found again.
  let state = 20_260_701
  const random = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor(state / 2 ** 32 * below)
  }
  const parts = [REFRESH, ACCESS, 'a', 't', '=', '=', ';', '; ', ' ', '\t', '"', '\u00a0', ',', '%', 'refresh_token', '__Host-', `${REFRESH}=`, `; ${REFRESH}=`, 'x.y.z', '\\', 'é', '\0']
  let differences = 0
  const kinds = { none: 0, one: 0, twice: 0 }
  for (let i = 0; i < 200_000; i++) {
    let header = ''
    for (let length = random(14); length > 0; length--) header += parts[random(parts.length)]
    const value = readCookie(header, REFRESH)
    if (value !== readSlowly(header, REFRESH)) differences++
    kinds[value === null ? 'none' : value === TWICE ? 'twice' : 'one']++
  }
  t.equal(differences, 0)
  for (const [kind, count] of Object.entries(kinds)) t.ok(count > 5_000, `${kind}: ${count}`)
})

test('a long header of nothing takes no time to speak of', async t => {
  const size = 1_000_000
  for (const header of [' '.repeat(size) + 't', ';'.repeat(size) + 't', `t${' '.repeat(size)}x=`, '='.repeat(size) + 't']) {
    t.equal(readCookie(header, 't'), null)
  }
})

test('a line has what browsers need, and no more', async t => {
  const line = { name: 'n', value: 'v', maxAge: 7 }
  t.equal(writeCookie({ ...line, secure: true, sameSite: 'Strict' }), 'n=v; Max-Age=7; Path=/; Secure; HttpOnly; SameSite=Strict')
  t.equal(writeCookie({ ...line, secure: false, sameSite: 'Lax' }), 'n=v; Max-Age=7; Path=/; HttpOnly; SameSite=Lax')
})

/** A reply that gives its list of lines out as it is, and never copies one, as early versions of Fastify 5 do. */
function createReply (lines?: string | string[]): CookieCarrier & { readonly lines: () => unknown } {
  const headers = new Map<string, string | string[]>(lines === undefined ? [] : [['set-cookie', lines]])
  return {
    getHeader: name => headers.get(name),
    removeHeader: name => headers.delete(name),
    header: (name, value) => headers.set(name, value as string | string[]),
    lines: () => headers.get('set-cookie')
  }
}

test('the jar writes what the design says', async t => {
  const tokens = { token: accessToken(), refresh_token: refreshToken(), token_type: 'Bearer', expires_in: ACCESS_LIFETIME } as const
  const { refresh_token: refreshed, ...access } = tokens
  const { token, ...rest } = access
  const refreshLine = `${REFRESH}=${refreshed}; Max-Age=${REFRESH_LIFETIME}; Path=/; Secure; HttpOnly; SameSite=Strict`
  const accessLine = (maxAge: number) => `${ACCESS}=${token}; Max-Age=${maxAge}; Path=/; Secure; HttpOnly; SameSite=Lax`
  // A little later: what is left is rounded up.
  const inPage = createCookieJar(readCookies(true), () => NOW * 1000 + 400)
  const inCookie = createCookieJar(readCookies({ access: true }), () => NOW * 1000 + 400)

  let reply = createReply()
  t.strictSame(inPage.set(reply, tokens), access)
  t.strictSame(reply.lines(), [refreshLine])
  reply = createReply()
  t.strictSame(inCookie.set(reply, tokens), rest)
  t.strictSame(reply.lines(), [refreshLine, accessLine(REFRESH_LIFETIME)])

  reply = createReply()
  t.strictSame(inPage.set(reply, access, NOW + 1000), access)
  t.equal(reply.lines(), undefined, 'nothing to write')
  reply = createReply()
  t.strictSame(inCookie.set(reply, access, NOW + 1000), rest)
  t.strictSame(reply.lines(), [accessLine(1000)])
  reply = createReply()
  inCookie.set(reply, access)
  t.strictSame(reply.lines(), [accessLine(ACCESS_LIFETIME)], 'an access token alone lives as long as it is good')
  reply = createReply()
  inCookie.set(reply, access, NOW - 1000)
  t.strictSame(reply.lines(), [accessLine(0)], 'no life is negative')

  reply = createReply()
  inPage.clear(reply)
  t.strictSame(reply.lines(), CLEARED)
})

test('the lines of others stay, the last of ours counts, and every reply has a list of its own', async t => {
  const jar = createCookieJar(readCookies(true), () => NOW * 1000)
  const tokens = { token: accessToken(), refresh_token: refreshToken(), token_type: 'Bearer', expires_in: 7200 } as const
  for (const others of ['theme=dark', ['theme=dark', `x${REFRESH}=1`]]) {
    const before = structuredClone(others)
    const reply = createReply(others)
    jar.clear(reply)
    jar.set(reply, tokens)
    const lines = reply.lines() as string[]
    t.strictSame(lines.slice(0, [others].flat().length), [others].flat())
    t.equal(lines.filter(line => line.startsWith(`${REFRESH}=`)).length, 1)
    t.match(lines.at(-1), `${REFRESH}=eyJ`)
    t.strictSame(others, before, 'a list of somebody else is left as it is')
  }
  const [one, other] = [createReply(), createReply()]
  jar.clear(one)
  jar.clear(other)
  ;(one.lines() as string[]).push('more')
  t.strictSame(other.lines(), CLEARED)
})

test('only tokens go into cookies', async t => {
  const jar = createCookieJar(readCookies({ access: true }), () => NOW * 1000)
  const good = accessToken()
  const bad = ['', 'x', 'a.b.c', `${good}; Domain=example.org`, `${good}\r\nx: y`, encode('{}'), ...['{"exp":"1"}', '[]', 'x', '{}'].map(payload => `aaaa.${encode(payload)}.AAAA`), 7, null, undefined]
  for (const token of bad) {
    for (const tokens of [{ token, refresh_token: good }, { token: good, refresh_token: token ?? '' }, { token }]) {
      const reply = createReply()
      t.throws(() => jar.set(reply, tokens as never), { code: 'FST_DUAL_TOKEN_OPTION_INVALID' }, JSON.stringify(tokens))
      t.equal(reply.lines(), undefined)
    }
  }
})
