import type { IncomingMessage } from 'node:http'
import { test } from 'tap'
import { extract } from '../../lib/access/extract.ts'
import type { GuardedRequest } from '../../lib/access/types.ts'

function requestWith (authorization: unknown, rawHeaders?: string[]): GuardedRequest {
  return {
    headers: { authorization } as GuardedRequest['headers'],
    raw: { rawHeaders } as IncomingMessage
  }
}

test('the token is what follows the scheme and its spaces', async t => {
  for (const value of ['Bearer a.b.c', 'bearer a.b.c', 'BEARER a.b.c', 'bEaReR a.b.c', 'Bearer  a.b.c', `Bearer${' '.repeat(50)}a.b.c`]) {
    t.equal(extract(requestWith(value)), 'a.b.c', value)
  }
  for (const rest of ['a', 'a b', 'a.b.c ', ', Bearer b', '\ta.b.c', 'Bearer a']) {
    t.equal(extract(requestWith(`Bearer ${rest}`)), rest, 'as it was sent')
  }
})

test('no header, an empty one, another scheme or only a scheme count as no token', async t => {
  const cases = [
    undefined, '', ' ', 'B', 'Beare', 'Bearer', 'bearer', 'Bearer ', `Bearer${' '.repeat(50)}`, 'Basic ZGVtbzpkZW1v', 'Token a.b.c',
    'Bearers a.b.c', 'Bearera.b.c', 'Bearer:a.b.c', 'Bearer,a.b.c', 'Bearer=a.b.c', 'a.b.c', 'a.b.c Bearer', ' Bearer a.b.c', 'Βearer a.b.c'
  ]
  for (const value of cases) {
    t.strictSame(extract(requestWith(value)), { claims: null, refusal: { kind: 'MISSING', reason: 'no bearer token' } }, JSON.stringify(value))
  }
})

test('a tab after the scheme is invalid', async t => {
  for (const value of ['Bearer\ta.b.c', 'Bearer\t', 'Bearer\t a.b.c']) {
    t.strictSame(extract(requestWith(value)), { claims: null, refusal: { kind: 'INVALID', reason: 'no space after the scheme' } }, JSON.stringify(value))
  }
})

test('a second Authorization line is invalid, whatever either says', async t => {
  const cases = [
    ['Authorization', 'Bearer a', 'Authorization', 'Bearer a'],
    ['Authorization', 'Bearer a', 'authorization', 'Bearer b'],
    ['Host', 'h', 'AUTHORIZATION', 'Bearer a', 'Accept', '*/*', 'authorizatioN', 'Basic b'],
    ['Authorization', '', 'Authorization', 'Bearer b']
  ]
  for (const rawHeaders of cases) {
    t.strictSame(
      extract(requestWith(rawHeaders[1], rawHeaders)),
      { claims: null, refusal: { kind: 'INVALID', reason: 'more than one Authorization header' } },
      rawHeaders.join(' ')
    )
  }
  t.match(extract(requestWith(['Bearer a', 'Bearer b'])), { refusal: { kind: 'INVALID' } }, 'a list instead of a string')
})

test('one Authorization line among others, or its name in a value, counts as one', async t => {
  const cases = [
    ['Authorization', 'Bearer a'],
    ['Host', 'authorization', 'Authorization', 'Bearer a', 'Accept', 'authorization'],
    ['Authorization', 'Bearer a', 'Proxy-Authorization', 'Bearer b', 'X-Authorization', 'Bearer c', 'x-request-idx', '13 letters']
  ]
  for (const rawHeaders of cases) t.equal(extract(requestWith('Bearer a', rawHeaders)), 'a', rawHeaders.join(' '))
})
