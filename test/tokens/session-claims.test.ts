import { createHash } from 'node:crypto'
import { test } from 'tap'
import { createRandom, createSessionClaims, hashNonce, isSessionId, hasSessionClaims, sessionOf } from '../../lib/tokens/session-claims.ts'
import type { Claims } from '../../lib/index.ts'
import { NOW } from '../support/tokens.ts'

const ID = 'AbCd-_0123456789abcdef'
const NONCE = 'zyxwvutsrqponmlkjihgfe'

test('an id and a nonce are 128 random bits each, base64url', async t => {
  const made = Array.from({ length: 1000 }, createRandom)
  t.equal(new Set(made).size, 1000)
  for (const one of made) t.equal(Buffer.from(one, 'base64url').length, 16)
  t.ok(made.every(isSessionId))
})

test('a store gets the SHA-256 of a nonce', async t => {
  t.equal(hashNonce(NONCE), createHash('sha256').update(NONCE).digest('base64url'))
})

test('the claims of a session are an id, a generation, and of a refresh token a nonce', async t => {
  const good = { refresh: true, sid: ID, gen: 0, n: NONCE }
  t.ok(hasSessionClaims(good))
  t.ok(hasSessionClaims({ ...good, gen: 2 ** 31 }))
  t.ok(hasSessionClaims({ refresh: false, sid: ID, gen: 3 }), 'an access token needs no nonce')

  const badTexts = [undefined, null, 7, '', 'x', ID.slice(1), `${ID}a`, ID.replace('A', '+'), `${ID.slice(1)}\n`, [ID], {}]
  for (const value of badTexts) {
    t.notOk(hasSessionClaims({ ...good, sid: value }), `sid ${String(value)}`)
    t.notOk(hasSessionClaims({ ...good, n: value }), `n ${String(value)}`)
  }
  for (const gen of [undefined, null, -1, 0.5, NaN, Infinity, 2 ** 31 + 1, '0', [0], true]) {
    t.notOk(hasSessionClaims({ ...good, gen }), `gen ${String(gen)}`)
    t.notOk(hasSessionClaims({ refresh: false, sid: ID, gen }), `gen ${String(gen)}`)
  }
})

const KEY = 'k'.repeat(43)

test('a refresh token may name its key, in the one form of a thumbprint; of an access token cnf is not looked at', async t => {
  const token = { refresh: true, sid: ID, gen: 0, n: NONCE }
  for (const cnf of [undefined, { jkt: KEY }, { jkt: KEY, more: true }]) t.ok(hasSessionClaims({ ...token, cnf }), JSON.stringify(cnf))
  for (const cnf of [null, {}, [], 'x', KEY, { jkt: '' }, { jkt: `${KEY}k` }, { jkt: KEY.slice(1) }, { jkt: `${KEY.slice(1)}=` }, { jkt: [KEY] }]) {
    t.notOk(hasSessionClaims({ ...token, cnf }), JSON.stringify(cnf))
    t.ok(hasSessionClaims({ ...token, refresh: false, cnf }))
  }
})

test('sessionOf returns the session claims', async t => {
  t.strictSame(sessionOf({ refresh: true, sid: ID, gen: 3, n: NONCE } as unknown as Claims), { sid: ID, gen: 3, nonce: NONCE, jkt: null })
  t.equal(sessionOf({ refresh: true, sid: ID, gen: 3, n: NONCE, cnf: { jkt: KEY } } as unknown as Claims).jkt, KEY)
})

test('the session claims of a sign-in are new, and their times are whole seconds', async t => {
  const [one, other] = [createSessionClaims(ID, NOW * 1000 + 999, 60), createSessionClaims(createRandom(), NOW * 1000 + 999, 60)]
  t.match(one, { gen: 0, now: NOW * 1000 + 999, issuedAt: NOW * 1000, expiresAt: (NOW + 60) * 1000 })
  t.equal(one.sid, ID)
  t.ok(isSessionId(one.nonce))
  t.equal(new Set([one.sid, one.nonce, other.sid, other.nonce]).size, 4)
})
