// What others wrote: jose verifies our tokens through the key set, and its tokens are verified here.
import { createLocalJWKSet, createRemoteJWKSet, exportJWK, exportPKCS8, exportSPKI, generateKeyPair, jwtVerify, SignJWT, type JWTPayload } from 'jose'
import { test } from 'tap'
import { remoteKeys, type AsymmetricKey } from '../../lib/index.ts'
import { runCommand } from '../../lib/cli/keygen.ts'
import { bearer, createApp } from '../support/app.ts'
import { ALGORITHMS, publicRingKey, ringKey } from '../support/key-pairs.ts'
import { createPublisher, until } from '../support/publisher.ts'
import { ACCESS_LIFETIME, accessClaims, NOW, type Payload, REFRESH_LIFETIME, refreshClaims, SECRET } from '../support/tokens.ts'
import { listen } from '../support/wire.ts'

const OPTIONS = { currentDate: new Date(NOW * 1000), issuer: 'https://id.example', audience: 'shop' }
const ADDRESSED = { issuer: 'https://id.example', audience: 'shop' }

for (const algorithm of ALGORITHMS) {
  test(`${algorithm}: jose verifies our tokens by the key set that we serve`, async t => {
    const { app } = await createApp(t, { keys: [ringKey(algorithm, 'k1'), publicRingKey('EdDSA', 'k2', 1)], jwks: true, ...ADDRESSED })
    const keySet = createRemoteJWKSet(new URL(`http://127.0.0.1:${await listen(app)}/.well-known/jwks.json`))
    const pair = await app.dualToken.issueTokens({ user_id: 7, role: 'member' })
    for (const [token, refresh, lifetime] of [[pair.token, false, ACCESS_LIFETIME], [pair.refresh_token, true, REFRESH_LIFETIME]] as const) {
      const { payload, protectedHeader } = await jwtVerify(token, keySet, { ...OPTIONS, algorithms: [algorithm], requiredClaims: ['exp', 'iat'] })
      t.same(payload, { user_id: 7, role: 'member', refresh, iss: 'https://id.example', aud: 'shop', iat: NOW, exp: NOW + lifetime })
      t.same(protectedHeader, { alg: algorithm, typ: 'JWT', kid: 'k1' })
    }
  })

  test(`${algorithm}: tokens made by jose, under keys made by jose, are verified here`, async t => {
    const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true })
    const forms: AsymmetricKey[] = [
      { kid: 'k1', algorithm, privateKey: await exportPKCS8(privateKey) },
      { kid: 'k1', algorithm, privateKey: await exportJWK(privateKey) },
      { kid: 'k1', algorithm, publicKey: await exportSPKI(publicKey) },
      { algorithm, publicKey: { ...await exportJWK(publicKey), kid: 'k1', alg: algorithm, use: 'sig' } }
    ]
    const sign = (claims: Payload, kid = 'k1') => new SignJWT(claims as JWTPayload).setProtectedHeader({ alg: algorithm, kid }).sign(privateKey)
    for (const key of forms) {
      const { app } = await createApp(t, { keys: [key], routes: false })
      const me = await app.inject({ url: '/me', headers: bearer(await sign(accessClaims())) })
      t.same(me.json().user, accessClaims())
      t.equal((await app.inject({ url: '/renewal', headers: bearer(await sign(refreshClaims())) })).statusCode, 200)
      t.equal((await app.inject({ url: '/me', headers: bearer(await sign(accessClaims(), 'k2')) })).statusCode, 401)
    }
  })

  test(`${algorithm}: a key of the command line is one for jose`, async t => {
    const [jwk, , publicLine] = runCommand(['keygen', '--alg', algorithm]).output
    const { app } = await createApp(t, { keys: [{ algorithm, privateKey: JSON.parse(jwk!) }] })
    const { token } = await app.dualToken.issueTokens({ user_id: 7 }, { needRefreshToken: false })
    const published = JSON.parse(/'(.*)'/.exec(publicLine!)![1]!)
    const { payload } = await jwtVerify(token, createLocalJWKSet({ keys: [published] }), { currentDate: OPTIONS.currentDate })
    t.equal(payload.user_id, 7)
  })
}

test('HS256: jose and we verify each other, with a name for the secret and without', async t => {
  const key = Buffer.from(SECRET)
  for (const [options, header] of [
    [{ secret: SECRET }, { alg: 'HS256' }],
    [{ keys: [{ kid: 'k1', algorithm: 'HS256' as const, secret: SECRET }] }, { alg: 'HS256', kid: 'k1' }]
  ] as const) {
    const { app } = await createApp(t, options)
    const { token } = await app.dualToken.issueTokens({ user_id: 7 })
    const { payload, protectedHeader } = await jwtVerify(token, key, { currentDate: OPTIONS.currentDate, algorithms: ['HS256'] })
    t.same(payload, accessClaims())
    t.same(protectedHeader, { ...header, typ: 'JWT' })
    t.equal(app.dualToken.verifyToken(await new SignJWT(accessClaims() as JWTPayload).setProtectedHeader(header).sign(key)).user_id, 7)
  }
})

test('jose follows a key rotation through the key set', async t => {
  const { app } = await createApp(t, { keys: [ringKey('EdDSA', 'k1')], jwks: true })
  const address = new URL(`http://127.0.0.1:${await listen(app)}/.well-known/jwks.json`)
  const keySet = createRemoteJWKSet(address, { cooldownDuration: 0 })
  const current = async () => (await app.dualToken.issueTokens({ user_id: 7 })).token
  const verify = async (token: string) => (await jwtVerify(token, keySet, { currentDate: OPTIONS.currentDate })).protectedHeader.kid

  const first = await current()
  t.equal(await verify(first), 'k1')
  app.dualToken.setKeys([ringKey('EdDSA', 'k1'), publicRingKey('ES256', 'k2')])
  t.equal(await verify(await current()), 'k1')
  app.dualToken.setKeys([ringKey('ES256', 'k2'), publicRingKey('EdDSA', 'k1')])
  t.equal(await verify(await current()), 'k2')
  t.equal(await verify(first), 'k1')
  app.dualToken.setKeys([ringKey('ES256', 'k2')])
  await t.rejects(jwtVerify(first, createRemoteJWKSet(address), { currentDate: OPTIONS.currentDate }), { code: 'ERR_JWKS_NO_MATCHING_KEY' })
})

test('a second server, which has read the key set and can only verify, guards routes with the tokens of the first', async t => {
  const { app: first } = await createApp(t, { keys: ALGORITHMS.map(algorithm => ringKey(algorithm, algorithm)), jwks: true })
  const port = await listen(first)
  const { keys } = await (await fetch(`http://127.0.0.1:${port}/.well-known/jwks.json`)).json() as { keys: Array<{ alg: AsymmetricKey['algorithm'] }> }
  const { app: second } = await createApp(t, { keys: keys.map(publicKey => ({ algorithm: publicKey.alg, publicKey })), routes: false })

  for (const algorithm of ALGORITHMS) {
    first.dualToken.setKeys([ringKey(algorithm, algorithm)])
    const { token, refresh_token: refresh } = await first.dualToken.issueTokens({ user_id: 7, role: 'member' })
    t.match((await second.inject({ url: '/me', headers: bearer(token) })).json(), { user: { user_id: 7, role: 'member', refresh: false } })
    t.equal((await second.inject({ url: '/me', headers: bearer(refresh) })).statusCode, 403)
    t.equal((await second.inject({ url: '/renewal', headers: bearer(refresh) })).statusCode, 200)
  }
})

test('a server that follows the key set we serve takes our tokens, through a roll of keys', async t => {
  const { app: signIn } = await createApp(t, { keys: ALGORITHMS.map(algorithm => ringKey(algorithm, algorithm)), jwks: true, ...ADDRESSED })
  const url = `http://127.0.0.1:${await listen(signIn)}/.well-known/jwks.json`
  const { app } = await createApp(t, { keys: remoteKeys(url, { algorithms: ALGORITHMS, maxAge: '1d', cooldown: '1h' }), routes: false, ...ADDRESSED })
  await app.ready()
  const statusOf = async (token: string) => (await app.inject({ url: '/me', headers: bearer(token) })).statusCode
  for (const algorithm of ALGORITHMS) {
    signIn.dualToken.setKeys([ringKey(algorithm, algorithm)])
    t.equal(await statusOf((await signIn.dualToken.issueTokens({ user_id: 7 })).token), 200, algorithm)
  }
  signIn.dualToken.setKeys([ringKey('ES256', 'next', 1)])
  const { token } = await signIn.dualToken.issueTokens({ user_id: 7 })
  t.equal(await statusOf(token), 401)
  await until(async () => await statusOf(token) === 200)
})

for (const algorithm of ALGORITHMS) {
  test(`${algorithm}: a server that follows a key set made by jose takes the tokens of jose`, async t => {
    const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true })
    const jwk = await exportJWK(publicKey)
    for (const members of [{ kid: 'k1', alg: algorithm, use: 'sig' }, { kid: 'k1', key_ops: ['verify'] }, { kid: 'k1' }]) {
      const publisher = await createPublisher(t, { ...jwk, ...members }, { ...await exportJWK(privateKey), kid: 'private' })
      const { app } = await createApp(t, { keys: remoteKeys(publisher.url, { algorithms: [algorithm] }), routes: false })
      const sign = (kid: string) => new SignJWT(accessClaims() as JWTPayload).setProtectedHeader({ alg: algorithm, kid }).sign(privateKey)
      t.same((await app.inject({ url: '/me', headers: bearer(await sign('k1')) })).json().user, accessClaims())
      t.equal((await app.inject({ url: '/me', headers: bearer(await sign('private')) })).statusCode, 401)
    }
  })
}
