import { test } from 'tap'
import { createValidateClaims, type ClaimsVerdict } from '../../lib/tokens/claims.ts'
import { resolveOptions } from '../../lib/options/resolve.ts'
import { ACCESS_LIFETIME, accessClaims, NOW, type Payload, REFRESH_LIFETIME, refreshClaims, SECRET } from '../support/tokens.ts'

function judgeWith (options: Record<string, unknown> = {}): (payload: Payload | null, now?: number) => ClaimsVerdict {
  const judge = createValidateClaims(resolveOptions({ secret: SECRET, ...options }))
  return (payload, now = NOW) => judge(payload, now)
}

function outcome ({ claims, refusal }: ClaimsVerdict): string {
  return claims === null ? `${refusal.kind} ${refusal.reason}` : 'good'
}

test('a payload of either kind is accepted for the span in which it is good', async t => {
  const judge = judgeWith()
  t.match(judge(accessClaims()), { claims: accessClaims(), refusal: null, from: NOW - 60, until: NOW + ACCESS_LIFETIME })
  t.match(judge(refreshClaims()), { claims: refreshClaims(), refusal: null, from: NOW - 60, until: NOW + REFRESH_LIFETIME })
  t.match(judge(accessClaims({ nbf: NOW - 5 })), { from: NOW - 5 })
  t.match(judge({ exp: NOW + 60, user_id: 7, refresh: false }), { claims: { user_id: 7 }, from: NOW - ACCESS_LIFETIME })
})

test('a payload that is not an object is invalid', async t => {
  t.equal(outcome(judgeWith()(null)), 'INVALID payload is not an object in UTF-8')
})

test('a claim of the wrong type is invalid', async t => {
  const judge = judgeWith()
  const cases: Array<[string, unknown[]]> = [
    ['exp', [undefined, null, String(NOW + 60), Infinity, NaN, true, [NOW + 60], {}]],
    ['nbf', [null, String(NOW), -Infinity, NaN, false, [], {}]],
    ['iat', [null, String(NOW), -Infinity, NaN, false, [], {}]],
    ['refresh', [undefined, null, 0, 1, '', 'false', 'true', [], {}]]
  ]
  for (const [name, values] of cases) {
    for (const value of values) t.equal(outcome(judge(accessClaims({ [name]: value }))), `INVALID ${name}`, `${name} ${JSON.stringify(value)}`)
  }
  for (const id of [undefined, null, 0, '', 1.5, 2 ** 53, true, [7], {}]) {
    t.equal(outcome(judge(accessClaims({ user_id: id }))), 'INVALID user id', JSON.stringify(id))
  }
})

test('an inherited claim is no claim', async t => {
  const judge = judgeWith()
  t.equal(outcome(judge(Object.create(accessClaims()))), 'INVALID exp')
  t.equal(outcome(judge(JSON.parse(`{"__proto__":${JSON.stringify(accessClaims())}}`))), 'INVALID exp')
  t.equal(outcome(judgeWith({ userIdClaim: 'constructor' })(accessClaims())), 'INVALID user id')
})

test('a token is expired from exp on, and not a moment before', async t => {
  const judge = judgeWith()
  for (const [now, expected] of [
    [NOW + ACCESS_LIFETIME - 0.001, 'good'], [NOW + ACCESS_LIFETIME, 'EXPIRED expired'], [NOW + 1e9, 'EXPIRED expired']
  ] as const) t.equal(outcome(judge(accessClaims(), now)), expected, String(now))

  for (const exp of [0, -1, NOW, 1]) t.equal(outcome(judge(accessClaims({ exp }))), 'EXPIRED expired', String(exp))
  t.equal(outcome(judge({ exp: NOW, refresh: 'neither' })), 'EXPIRED expired', 'said before anything else is looked at')
})

test('clockTolerance applies at both ends', async t => {
  const judge = judgeWith({ clockTolerance: 10 })
  t.equal(outcome(judge(accessClaims(), NOW + ACCESS_LIFETIME + 9.999)), 'good')
  t.equal(outcome(judge(accessClaims(), NOW + ACCESS_LIFETIME + 10)), 'EXPIRED expired')
  t.equal(outcome(judge(accessClaims({ nbf: NOW + 10 }))), 'good')
  t.equal(outcome(judge(accessClaims({ nbf: NOW + 10.001 }))), 'INVALID not valid yet, or for too long')
})

test('nbf must be reached', async t => {
  const judge = judgeWith()
  t.equal(outcome(judge(accessClaims({ nbf: NOW }))), 'good')
  t.equal(outcome(judge(accessClaims({ nbf: NOW + 0.001 }))), 'INVALID not valid yet, or for too long')
})

test('iat may be ahead by the skew of two clocks, and no more', async t => {
  const judge = judgeWith()
  t.equal(outcome(judge(accessClaims({ iat: NOW + 60 }))), 'good')
  t.equal(outcome(judge(accessClaims({ iat: NOW + 60.001 }))), 'INVALID not valid yet, or for too long')
})

test('no token lives longer than its kind', async t => {
  const judge = judgeWith()
  const longest = { access: NOW + ACCESS_LIFETIME + 60, refresh: NOW + REFRESH_LIFETIME + 60 }
  t.equal(outcome(judge(accessClaims({ exp: longest.access }))), 'good')
  t.equal(outcome(judge(accessClaims({ exp: longest.access + 1 }))), 'INVALID not valid yet, or for too long')
  t.equal(outcome(judge(accessClaims({ exp: longest.refresh }))), 'INVALID not valid yet, or for too long')
  t.equal(outcome(judge(refreshClaims({ exp: longest.refresh }))), 'good')
  t.equal(outcome(judge(refreshClaims({ exp: longest.refresh + 1 }))), 'INVALID not valid yet, or for too long')
  t.equal(outcome(judge(accessClaims({ exp: Number.MAX_VALUE }))), 'INVALID not valid yet, or for too long')
})

test('issuer and audience are required when configured', async t => {
  const judge = judgeWith({ issuer: 'https://id.example', audience: 'shop' })
  const cases: Array<[unknown, unknown, string]> = [
    ['https://id.example', 'shop', 'good'],
    ['https://id.example', ['shop'], 'good'],
    ['https://id.example', ['other', 'shop'], 'good'],
    [undefined, 'shop', 'INVALID iss'],
    ['https://id.example/', 'shop', 'INVALID iss'],
    [['https://id.example'], 'shop', 'INVALID iss'],
    [null, 'shop', 'INVALID iss'],
    ['https://id.example', undefined, 'INVALID aud'],
    ['https://id.example', 'Shop', 'INVALID aud'],
    ['https://id.example', 'shop ', 'INVALID aud'],
    ['https://id.example', [], 'INVALID aud'],
    ['https://id.example', [['shop']], 'INVALID aud'],
    ['https://id.example', { 0: 'shop', length: 1 }, 'INVALID aud']
  ]
  for (const [iss, aud, expected] of cases) t.equal(outcome(judge(accessClaims({ iss, aud }))), expected, JSON.stringify({ iss, aud }))
})

test('of a list of audiences one is enough', async t => {
  const judge = judgeWith({ audience: ['shop', 'orders'] })
  const cases: Array<[unknown, string]> = [
    ['shop', 'good'],
    ['orders', 'good'],
    [['orders'], 'good'],
    [['other', 'orders'], 'good'],
    [['shop', 'orders'], 'good'],
    [undefined, 'INVALID aud'],
    [null, 'INVALID aud'],
    ['other', 'INVALID aud'],
    ['shop orders', 'INVALID aud'],
    ['shop,orders', 'INVALID aud'],
    ['Shop', 'INVALID aud'],
    ['0', 'INVALID aud'],
    ['size', 'INVALID aud'],
    [[], 'INVALID aud'],
    [['other'], 'INVALID aud'],
    [[['shop', 'orders']], 'INVALID aud'],
    [{ shop: 'shop' }, 'INVALID aud']
  ]
  for (const [aud, expected] of cases) t.equal(outcome(judge(accessClaims({ aud }))), expected, JSON.stringify(aud))
})

test('issuer and audience are ignored when not configured', async t => {
  for (const value of ['anybody', null, 7, {}, []]) {
    t.equal(outcome(judgeWith()(accessClaims({ iss: value, aud: value }))), 'good', JSON.stringify(value))
  }
})

test('the id is read from userIdClaim alone', async t => {
  const judge = judgeWith({ userIdClaim: 'sub' })
  t.equal(outcome(judge(accessClaims({ sub: 'u-1', user_id: undefined }))), 'good')
  t.equal(outcome(judge(accessClaims({ sub: 'u-1', user_id: 0 }))), 'good')
  t.equal(outcome(judge(accessClaims())), 'INVALID user id')
  t.equal(outcome(judge(accessClaims({ sub: 7 }))), 'INVALID user id')
})

test('claims are a frozen copy that inherits nothing, all the way down', async t => {
  const payload = JSON.parse(`{"exp":${NOW + 60},"user_id":7,"refresh":false,"a":{"b":[{"c":1},null,"d"]},"__proto__":{"admin":true}}`)
  const { claims } = judgeWith()(payload)
  const { a } = claims as unknown as { a: { b: Array<{ c: number }> } }

  t.notSame(claims, payload)
  for (const object of [claims!, a, a.b[0]!]) {
    t.strictSame(Object.getOwnPropertyNames(Object.prototype).filter(name => name in object), [])
    t.ok(Object.isFrozen(Object.getPrototypeOf(object)))
    t.ok(Object.isFrozen(object))
  }
  t.ok(Object.isFrozen(a.b))
  t.strictSame(JSON.parse(JSON.stringify(a)), { b: [{ c: 1 }, null, 'd'] })
  t.notOk('admin' in claims!)
  t.notOk('__proto__' in claims!)
  t.notOk('constructor' in claims!)
})
