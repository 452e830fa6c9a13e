import { once } from 'node:events'
import Fastify from 'fastify'
import { test } from 'tap'
import { dualToken, memoryStore, type DualTokenKey } from '../../lib/index.ts'
import { bearer, createApp } from '../support/app.ts'
import { mintWith, PAIRS, publicRingKey, ringKey } from '../support/key-pairs.ts'
import { accessClaims, accessToken, OTHER_SECRET, refreshClaims, SECRET } from '../support/tokens.ts'
import { listen } from '../support/wire.ts'

const k1 = ringKey('EdDSA', 'k1')
const k2 = ringKey('ES256', 'k2')
const k1Public = publicRingKey('EdDSA', 'k1')
const k2Public = publicRingKey('ES256', 'k2')

function headerOf (token: string): unknown {
  return JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString())
}

test('new keys sign and verify at once, and what was signed before is good as long as its key is there', async t => {
  const { app } = await createApp(t, { keys: [k1] })
  const { token: first } = await app.dualToken.issueTokens({ user_id: 7 })
  t.match(headerOf(first), { alg: 'EdDSA', kid: 'k1' })

  app.dualToken.setKeys([k2, k1Public])
  const { token: second } = await app.dualToken.issueTokens({ user_id: 7 })
  t.match(headerOf(second), { alg: 'ES256', kid: 'k2' })
  for (const token of [first, second]) t.equal((await app.inject({ url: '/me', headers: bearer(token) })).statusCode, 200)
})

test('a removed key fails at once, however often its tokens were seen before', async t => {
  const { app } = await createApp(t, { keys: [k1, k2] })
  const { token, refresh_token: refresh } = await app.dualToken.issueTokens({ user_id: 7 })
  for (let i = 0; i < 3; i++) t.equal((await app.inject({ url: '/me', headers: bearer(token) })).statusCode, 200)

  app.dualToken.setKeys([k2])
  const reply = await app.inject({ url: '/me', headers: bearer(token) })
  t.equal(reply.statusCode, 401)
  t.equal(reply.json().code, 'FST_DUAL_TOKEN_ACCESS_INVALID')
  t.equal((await app.inject({ method: 'PUT', url: '/authorizations', headers: bearer(refresh) })).json().code, 'FST_DUAL_TOKEN_REFRESH_INVALID')
  t.throws(() => app.dualToken.verifyToken(token), { code: 'FST_DUAL_TOKEN_ACCESS_INVALID' })
})

test('another key under the same name fails the tokens of the first', async t => {
  const { app } = await createApp(t, { keys: [k1] })
  const token = mintWith('EdDSA', 'k1', accessClaims())
  t.equal(app.dualToken.verifyToken(token).user_id, 7)
  app.dualToken.setKeys([ringKey('EdDSA', 'k1', 1)])
  t.throws(() => app.dualToken.verifyToken(token), { code: 'FST_DUAL_TOKEN_ACCESS_INVALID' })
})

test('without a cache the keys change just the same', async t => {
  const { app } = await createApp(t, { keys: [k1], cache: 0 })
  const token = mintWith('EdDSA', 'k1', accessClaims())
  t.equal(app.dualToken.verifyToken(token).user_id, 7)
  app.dualToken.setKeys([k2])
  t.throws(() => app.dualToken.verifyToken(token), { code: 'FST_DUAL_TOKEN_ACCESS_INVALID' })
})

test('invalid keys change nothing', async t => {
  const { app } = await createApp(t, { keys: [k1] })
  const token = mintWith('EdDSA', 'k1', accessClaims())
  const wrong: Array<[unknown, string | RegExp]> = [
    [undefined, 'Option keys must be a list of at least one key.'],
    [[], 'Option keys must be a list of at least one key.'],
    [[k2, k2], 'Option keys[1].kid must not be that of another key.'],
    [[k2, { ...k1, privateKey: 'nonsense' }], /^Option keys\[1\]\.privateKey must be an unencrypted PEM/],
    [[k2, { ...k1, publicKey: PAIRS.EdDSA[1].publicKey }], 'Option keys[1] must have a privateKey and a publicKey that belong together.'],
    [[k2Public], 'Option routes needs keys that begin with a private one: these can only verify.'],
    [[k2Public, k1], 'Option routes needs keys that begin with a private one: these can only verify.'],
    [[{ kid: 's', algorithm: 'HS256', secret: SECRET }], 'Option keys must stay symmetric or asymmetric, as it was at boot.']
  ]
  for (const [keys, message] of wrong) {
    t.throws(() => app.dualToken.setKeys(keys as DualTokenKey[]), { code: 'FST_DUAL_TOKEN_OPTION_INVALID', message })
    t.equal(app.dualToken.verifyToken(token).user_id, 7)
    t.match(headerOf((await app.dualToken.issueTokens({ user_id: 7 })).token), { kid: 'k1' })
  }
})

test('a ring of secrets rotates too, and does not become asymmetric', async t => {
  const [a, b] = [SECRET, OTHER_SECRET].map((secret, index): DualTokenKey => ({ kid: `s${index}`, algorithm: 'HS256', secret }))
  const { app } = await createApp(t, { keys: [a!] })
  const { token } = await app.dualToken.issueTokens({ user_id: 7 })
  app.dualToken.setKeys([b!, a!])
  t.equal(app.dualToken.verifyToken(token).user_id, 7)
  t.match(headerOf((await app.dualToken.issueTokens({ user_id: 7 })).token), { alg: 'HS256', kid: 's1' })
  t.throws(() => app.dualToken.setKeys([k1]), { message: 'Option keys must stay symmetric or asymmetric, as it was at boot.' })
  t.throws(() => app.dualToken.setKeys([k1, a!]), { message: 'Option keys must not have symmetric keys beside asymmetric ones.' })
  app.dualToken.setKeys([b!])
  t.throws(() => app.dualToken.verifyToken(token), { code: 'FST_DUAL_TOKEN_ACCESS_INVALID' })
})

test('a server with a secret has no keys to set', async t => {
  const { app } = await createApp(t)
  t.throws(() => app.dualToken.setKeys([k1]), { code: 'FST_DUAL_TOKEN_OPTION_INVALID', message: 'Option keys is required for setKeys.' })
  t.equal(app.dualToken.verifyToken(accessToken()).user_id, 7)
})

test('routes do not boot on a ring that can only verify', async t => {
  for (const keys of [[k1Public], [k1Public, k2]]) {
    await t.rejects(async () => { await Fastify().register(dualToken, { keys, routes: { login: () => null } }) }, {
      code: 'FST_DUAL_TOKEN_OPTION_INVALID', message: 'Option routes needs keys that begin with a private one: these can only verify.'
    })
  }
})

test('a ring that can only verify guards routes, and issues nothing', async t => {
  const { app } = await createApp(t, { keys: [k1Public], routes: false })
  const token = mintWith('EdDSA', 'k1', accessClaims())
  t.equal((await app.inject({ url: '/me', headers: bearer(token) })).statusCode, 200)
  t.equal((await app.inject({ url: '/renewal', headers: bearer(mintWith('EdDSA', 'k1', refreshClaims())) })).statusCode, 200)
  await t.rejects(app.dualToken.issueTokens({ user_id: 7 }), {
    code: 'FST_DUAL_TOKEN_OPTION_INVALID', message: 'Option keys must begin with a private key for issueTokens.'
  })

  app.dualToken.setKeys([k2, k1Public])
  t.match(headerOf((await app.dualToken.issueTokens({ user_id: 7 })).token), { kid: 'k2' })
  app.dualToken.setKeys([k1Public])
  await t.rejects(app.dualToken.issueTokens({ user_id: 7 }), { code: 'FST_DUAL_TOKEN_OPTION_INVALID' })
})

test('with sessions, a ring that can only verify uses up no refresh token', async t => {
  const { app } = await createApp(t, { keys: [k1], routes: false, sessions: { store: memoryStore() } })
  await app.ready()
  const { refresh_token: refresh } = await app.dualToken.issueTokens({ user_id: 7 })
  app.dualToken.setKeys([k1Public])
  await t.rejects(app.dualToken.refreshTokens(refresh), {
    code: 'FST_DUAL_TOKEN_OPTION_INVALID', message: 'Option keys must begin with a private key for refreshTokens.'
  })
  const [before] = await app.dualToken.listSessions(7)
  t.equal(before!.lastUsedAt, before!.createdAt)
  app.dualToken.setKeys([k1])
  t.match(await app.dualToken.refreshTokens(refresh), { token_type: 'Bearer' })
})

test('two servers rotate from one key to the next under load, and no request fails', async t => {
  const { app: signIn } = await createApp(t, { keys: [k1], jwks: true })
  const { app: other } = await createApp(t, { keys: [k1Public], routes: false })
  const [signInPort, otherPort] = [await listen(signIn), await listen(other)]
  const statuses = new Map<string, number>()
  const kids = new Set<unknown>()

  async function call (name: string, port: number, path: string, init: RequestInit): Promise<Record<string, string>> {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, init)
    const key = `${name} ${response.status}`
    statuses.set(key, (statuses.get(key) ?? 0) + 1)
    return await response.json() as Record<string, string>
  }

  /** One user: signs in, then renews and visits both servers, again and again, with tokens of whatever key. */
  async function visit (rounds: number): Promise<void> {
    const { token, refresh_token: refresh } = await call('sign in', signInPort, '/authorizations', {
      method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"password":"good"}'
    })
    for (let round = 0; round < rounds; round++) {
      const { token: renewed } = await call('renew', signInPort, '/authorizations', { method: 'PUT', headers: bearer(refresh!) })
      for (const one of [token!, renewed!]) {
        kids.add((headerOf(one) as { kid: unknown }).kid)
        await call('visit', signInPort, '/me', { headers: bearer(one) })
        await call('visit', otherPort, '/me', { headers: bearer(one) })
      }
    }
  }

  // Publish, sign, retire: each step while requests of users from before and after it are under way.
  const old = Array.from({ length: 6 }, () => visit(12))
  await once(signIn.server, 'request')
  other.dualToken.setKeys([k1Public, k2Public])
  signIn.dualToken.setKeys([k1, k2])
  const middle = Array.from({ length: 6 }, () => visit(12))
  await once(signIn.server, 'request')
  signIn.dualToken.setKeys([k2, k1Public])
  await Promise.all([...old, ...middle])
  t.same([...kids].sort(), ['k1', 'k2'])

  const young = Array.from({ length: 6 }, () => visit(12))
  await once(signIn.server, 'request')
  signIn.dualToken.setKeys([k2])
  other.dualToken.setKeys([k2Public])
  await Promise.all(young)

  t.same(Object.fromEntries(statuses), { 'sign in 201': 18, 'renew 201': 216, 'visit 200': 864 })
  t.equal((await fetch(`http://127.0.0.1:${otherPort}/me`, { headers: bearer(mintWith('EdDSA', 'k1', accessClaims())) })).status, 401)
})
