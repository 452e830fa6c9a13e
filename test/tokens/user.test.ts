import { test } from 'tap'
import { claimsOf, isUserId, readUserId, RESERVED_CLAIMS } from '../../lib/tokens/user.ts'

test('a user id is a non-empty string or a safe non-zero integer', async t => {
  for (const id of ['7', ' ', 'constructor', '0', 1, -1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]) {
    t.equal(isUserId(id, 'user_id'), true, JSON.stringify(id))
  }
  for (const id of ['', 0, -0, 1.5, NaN, Infinity, 2 ** 53, -(2 ** 53), 7n, true, null, undefined, {}, [7], Symbol.iterator, Object('7')]) {
    t.equal(isUserId(id, 'user_id'), false, String(id))
  }
})

test('under sub a user id is a string', async t => {
  t.equal(isUserId('7', 'sub'), true)
  for (const id of [7, '', 0, null]) t.equal(isUserId(id, 'sub'), false, JSON.stringify(id))
})

test('a user is read as JSON carries it', async t => {
  class Account {
    user_id = 7
    password = 'hidden'
    toJSON () {
      return { user_id: this.user_id, role: 'member' }
    }
  }
  t.strictSame(claimsOf({ user_id: 7 }, 'user_id'), { user_id: 7 })
  t.strictSame(claimsOf({ sub: 'u-1', user_id: 0 }, 'sub'), { sub: 'u-1', user_id: 0 })
  t.strictSame(claimsOf(new Account(), 'user_id'), { user_id: 7, role: 'member' })
  t.strictSame(
    claimsOf({ user_id: 'a', since: new Date(0), nested: { list: [1, undefined] }, gone: undefined }, 'user_id'),
    { user_id: 'a', since: '1970-01-01T00:00:00.000Z', nested: { list: [1, null] } }
  )
})

test('a getter cannot show one id to the check and another to the signature', async t => {
  let id = 0
  const claims = claimsOf({ get user_id () { return ++id } }, 'user_id')
  t.strictSame([claims.user_id, claims.user_id], [1, 1])
})

test('anything but an object with a valid id is no user', async t => {
  const object = 'A user must be an object with a user_id.'
  const id = "A user's user_id must be a non-empty string or a safe non-zero integer."
  const json = 'A user must be serializable as JSON: pass a BigInt as a string.'
  const cyclic: Record<string, unknown> = { user_id: 7 }
  cyclic.self = cyclic
  const cases: Array<[unknown, string]> = [
    [undefined, object], [null, object], [true, object], [7, object], ['7', object], [[], object], [[{ user_id: 7 }], object],
    [() => ({ user_id: 7 }), object], [Symbol('user'), object], [{ toJSON: () => null, user_id: 7 }, object],
    [{}, id], [{ user_id: 0 }, id], [{ user_id: '' }, id], [{ user_id: null }, id], [{ user_id: NaN }, id], [{ user_id: 2 ** 53 }, id],
    [{ id: 7 }, id], [{ user_id: { user_id: 7 } }, id], [Object.create({ user_id: 7 }), id],
    [{ user_id: 7n }, json], [{ user_id: 7, balance: 7n }, json], [cyclic, json]
  ]
  for (const [user, message] of cases) {
    t.throws(() => claimsOf(user, 'user_id'), { code: 'FST_DUAL_TOKEN_USER_INVALID', statusCode: 500, message })
  }
  t.throws(() => claimsOf({ sub: 7 }, 'sub'), { code: 'FST_DUAL_TOKEN_USER_INVALID', message: "A user's sub must be a non-empty string." })
  t.throws(() => claimsOf({}, 'constructor'), { code: 'FST_DUAL_TOKEN_USER_INVALID' }, 'an inherited member is no id')
})

test('a user with a reserved claim is refused, whatever its value', async t => {
  t.strictSame([...RESERVED_CLAIMS], ['exp', 'iat', 'nbf', 'iss', 'aud', 'jti', 'refresh', 'sid', 'gen', 'n', '__proto__'])
  for (const name of RESERVED_CLAIMS) {
    for (const value of ['null', 'false', '1', '{"a":1}']) {
      t.throws(
        () => claimsOf(JSON.parse(`{"user_id":7,"${name}":${value}}`), 'user_id'),
        { code: 'FST_DUAL_TOKEN_USER_INVALID', message: `A user must not have the reserved claim ${name}.` }
      )
    }
  }
})

test('the id of a user is read as JSON carries it, alone and in a user alike', async t => {
  const objectId = { toJSON: () => '65f0c1d2e3a4b5c6d7e8f901' }
  for (const [given, id] of [[7, 7], ['7', '7'], [objectId, '65f0c1d2e3a4b5c6d7e8f901'], [{ toJSON: () => 7 }, 7], [Object('7'), '7']] as const) {
    t.equal(readUserId(given, 'user_id'), id)
    t.equal(claimsOf({ user_id: given }, 'user_id').user_id, id)
  }
  const kinds = "A user's user_id must be a non-empty string or a safe non-zero integer."
  for (const id of [undefined, null, '', 0, 2 ** 53, {}, { user_id: 7 }, [7], true, () => 7, Symbol('7'), { toJSON: () => ({}) }, Object.create({ user_id: 7 })]) {
    t.throws(() => readUserId(id, 'user_id'), { code: 'FST_DUAL_TOKEN_USER_INVALID', message: kinds })
  }
  const json = 'A user must be serializable as JSON: pass a BigInt as a string.'
  for (const id of [7n, { toJSON: () => 7n }, { toJSON () { throw new Error('closed') } }]) {
    t.throws(() => readUserId(id, 'user_id'), { code: 'FST_DUAL_TOKEN_USER_INVALID', message: json })
  }
  t.throws(() => readUserId(7, 'sub'), { message: "A user's sub must be a non-empty string." })
  t.equal(readUserId({ toJSON: () => '7' }, 'sub'), '7')
})
