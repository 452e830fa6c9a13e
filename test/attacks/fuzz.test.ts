// Random tokens, headers, bodies and requests: no status of 500 or more, no hang, and nobody but those who were issued a token.
import fc from 'fast-check'
import type { InjectOptions } from 'fastify'
import { test } from 'tap'
import { createApp } from '../support/app.ts'
import { accessToken, forge, NOW, refreshToken } from '../support/tokens.ts'
import { listen, parseReply, sendBytes } from '../support/wire.ts'

const ISSUED = [accessToken(), refreshToken(), accessToken({ user_id: 'seven', name: 'a "quoted" \u{1f600} name' })]
const HEADER = '{"alg":"HS256","typ":"JWT"}'

/** One change of a text: some characters out, others in. */
interface Edit { at: number, remove: number, insert: string }

function editOf (insert: fc.Arbitrary<string>): fc.Arbitrary<Edit> {
  return fc.record({ at: fc.nat(), remove: fc.nat({ max: 12 }), insert })
}

function edit (text: string, edits: readonly Edit[]): string {
  return edits.reduce((edited, { at, remove, insert }) => {
    const start = at % (edited.length + 1)
    return edited.slice(0, start) + insert + edited.slice(start + remove)
  }, text)
}

const issued = fc.constantFrom(...ISSUED)
const tokenText = fc.string({ unit: fc.constantFrom(...'ABYZabyz0189-_.=+/ \n\0\xe9\u0141'), maxLength: 8 })

const mutated = fc.oneof(
  fc.tuple(issued, fc.array(editOf(tokenText), { minLength: 1, maxLength: 4 })).map(([token, edits]) => edit(token, edits)),
  fc.array(fc.oneof(issued.chain(token => fc.constantFrom(...token.split('.'))), tokenText), { maxLength: 6 }).map(parts => parts.join('.')),
  fc.tuple(issued, fc.nat()).map(([token, at]) => token.slice(0, at % token.length)),
  fc.tuple(issued, fc.nat()).map(([token, at]) => {
    const i = at % token.length
    const letter = token[i]!
    return token.slice(0, i) + (letter === letter.toUpperCase() ? letter.toLowerCase() : letter.toUpperCase()) + token.slice(i + 1)
  }),
  fc.array(issued, { minLength: 2, maxLength: 3 }).map(tokens => tokens.join('')),
  fc.string({ unit: 'binary' })
).filter(token => !ISSUED.includes(token))

test('no mutation of a good token is a good token', async t => {
  const { app } = await createApp(t)
  fc.assert(fc.property(mutated, token => {
    for (const good of ISSUED) app.dualToken.verifyToken(good)
    try {
      app.dualToken.verifyToken(token)
    } catch (error) {
      return (error as { code: string }).code === 'FST_DUAL_TOKEN_ACCESS_INVALID'
    }
    return false
  }), { numRuns: 3000 })
})

const instant = fc.oneof(
  fc.constantFrom(0, -1, NOW - 60, NOW, NOW + 1, NOW + 60, NOW + 61, NOW + 7200, NOW + 7260, NOW + 7261, NOW + 1_209_600, NOW + 1_209_660, NOW + 1_209_661, NOW * 1000),
  fc.integer({ min: NOW - 10_000, max: NOW + 1_300_000 }),
  fc.double({ noNaN: true, noDefaultInfinity: true })
)
const json = fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<unknown>
const mostly = <T>(good: fc.Arbitrary<T>) => fc.oneof({ weight: 8, arbitrary: good }, { weight: 1, arbitrary: json })
const claims = fc.record({
  user_id: mostly(fc.constantFrom<unknown>(7, 'seven', 0, '', -1, 2 ** 53, 2 ** 53 - 1, 1.5)),
  refresh: mostly(fc.boolean()),
  exp: mostly(instant),
  iat: mostly(instant),
  nbf: mostly(instant),
  more: json
}, { requiredKeys: [] })

/** The rules for claims once more, as the README tells them and not as the code does. */
function rulesSay (payload: unknown): 'good' | 'EXPIRED' | 'INVALID' {
  const { user_id: id, refresh, exp, iat, nbf } = payload as Record<string, unknown>
  if (typeof exp !== 'number') return 'INVALID'
  if (exp <= NOW) return 'EXPIRED'
  const lifetime = refresh === true ? 1_209_600 : 7200
  const good = (refresh === true || refresh === false) && exp - NOW <= lifetime + 60 &&
    (iat === undefined || (typeof iat === 'number' && iat - NOW <= 60)) &&
    (nbf === undefined || (typeof nbf === 'number' && nbf <= NOW)) &&
    (typeof id === 'string' ? id.length > 0 : typeof id === 'number' && id % 1 === 0 && id !== 0 && Math.abs(id) < 2 ** 53)
  return good ? 'good' : 'INVALID'
}

test('a correctly signed token is valid if and only if its claims keep the rules', async t => {
  const { app } = await createApp(t)
  const seen = new Set<string>()
  fc.assert(fc.property(claims, record => {
    const text = JSON.stringify(record)
    const expected = rulesSay(JSON.parse(text))
    let found = 'good'
    try {
      app.dualToken.verifyToken(forge(HEADER, text))
    } catch (error) {
      found = (error as { code: string }).code.replace('FST_DUAL_TOKEN_ACCESS_', '')
    }
    seen.add(found)
    return found === (text.length > 2900 ? 'INVALID' : expected)
  }), { numRuns: 3000, examples: [[{ user_id: 7, refresh: false, exp: NOW + 60 }]] })
  t.same([...seen].sort(), ['EXPIRED', 'INVALID', 'good'])
})

test('a correctly signed token is valid if and only if its header says HS256 and has none of the refused members', async t => {
  const { app } = await createApp(t)
  const name = fc.constantFrom('alg', 'typ', 'kid', 'crit', 'b64', 'jwk', 'jku', 'x5u', 'x5c', 'x5t', 'x5t#S256', '__proto__', 'constructor', 'cty')
  const value = fc.oneof(fc.constantFrom<unknown>('HS256', 'none', 'HS512', null, true, [], {}), json)
  const header = fc.oneof(
    fc.array(fc.tuple(name, value), { maxLength: 3 }).map(members =>
      `{${[['alg', 'HS256'], ...members].map(([key, member]) => `${JSON.stringify(key)}:${JSON.stringify(member)}`).join()}}`),
    json.map(whole => JSON.stringify(whole))
  )
  const payload = JSON.stringify({ user_id: 7, refresh: false, exp: NOW + 60 })
  fc.assert(fc.property(header, text => {
    const parsed: unknown = JSON.parse(text)
    const members = typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? Object.entries(parsed) : []
    const expected = text.length < 2900 && members.some(([key, member]) => key === 'alg' && member === 'HS256') &&
      !members.some(([key]) => ['crit', 'b64', 'jwk', 'jku'].includes(key) || key.startsWith('x5'))
    try {
      return app.dualToken.verifyToken(forge(text, payload)).user_id === 7 && expected
    } catch {
      return !expected
    }
  }), { numRuns: 2000 })
})

test('no method, path, header or body gets a status of 500 or more, or somebody else\'s user', async t => {
  const { app } = await createApp(t)
  const authorization = fc.oneof(
    fc.tuple(fc.constantFrom('Bearer ', 'bearer  ', 'Basic ', 'Bearer\t', ''), fc.oneof(issued, mutated)).map(parts => parts.join('')),
    fc.array(issued.map(token => `Bearer ${token}`), { maxLength: 3 }),
    fc.string({ unit: 'binary' })
  )
  const payload = fc.oneof(
    fc.string({ unit: 'binary' }),
    json.map(value => JSON.stringify(value)),
    fc.record({ username: json, password: mostly(fc.constantFrom('good', 'bad')), __proto__: json }, { requiredKeys: [] }).map(body => JSON.stringify(body)),
    fc.tuple(fc.constant('{"password":"good"}'), fc.array(editOf(tokenText), { maxLength: 2 })).map(([body, edits]) => edit(body, edits))
  )
  const request = fc.record({
    method: fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'),
    url: fc.constantFrom('/me', '/renewal', '/open', '/authorizations', '/authorizations/', '/nowhere', '/me?a=1', '/%6de', '/%', '//me'),
    authorization,
    type: fc.oneof(fc.constantFrom('application/json', 'application/json; charset=utf-8', 'text/plain', 'a/b', '', ';', 'multipart/form-data'), fc.string()),
    payload
  }, { requiredKeys: ['method', 'url'] })

  await fc.assert(fc.asyncProperty(request, async ({ method, url, authorization, type, payload }) => {
    const headers = { ...(authorization !== undefined && { authorization }), ...(type !== undefined && { 'content-type': type }) }
    const options = { method, url, headers, ...(payload !== undefined && method !== 'GET' && { payload }) }
    const reply = await app.inject(options as InjectOptions)
    const user = reply.statusCode === 200 && method === 'GET' ? reply.json().user : null
    return reply.statusCode < 500 && (user === null || (authorization !== undefined && ISSUED.some(token => String(authorization).endsWith(token))))
  }), { numRuns: 1500 })
})

test('no bytes on the wire hang the server, get a status of 500 or more, or make it name a stranger', async t => {
  const { app } = await createApp(t)
  const port = await listen(app)
  const base = fc.constantFrom(
    `GET /me HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${ISSUED[0]}\r\n\r\n`,
    `PUT /authorizations HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${ISSUED[1]}\r\nContent-Length: 2\r\n\r\n{}`,
    'POST /authorizations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 19\r\n\r\n{"password":"good"}',
    `PUT /authorizations HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${ISSUED[1]}\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`
  )
  const piece = fc.oneof(
    fc.string({ unit: fc.integer({ min: 0, max: 255 }).map(byte => String.fromCharCode(byte)), maxLength: 6 }),
    fc.constantFrom('\r\n', '\r\n\r\n', ' ', '\t', ':', ',', 'Authorization: Bearer x\r\n', 'Transfer-Encoding: chunked\r\n', 'Content-Length: 9\r\n', 'Expect: 100-continue\r\n')
  )
  const bytes = fc.tuple(base, fc.array(editOf(piece), { minLength: 1, maxLength: 3 })).map(([text, edits]) => edit(text, edits))

  await fc.assert(fc.asyncProperty(bytes, async text => {
    const received = await sendBytes(port, text)
    const statuses = [...received.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, status]) => Number(status))
    const names = [...received.matchAll(/"user_id":(\d+)/g)].map(([, id]) => id)
    return statuses.every(status => status < 500) && names.every(id => id === '7')
  }), { numRuns: 600 })
  t.equal(parseReply(await sendBytes(port, `GET /me HTTP/1.0\r\nAuthorization: Bearer ${ISSUED[0]}\r\n\r\n`)).status, 200)
})
