import { createHash } from 'node:crypto'
import Fastify, { type FastifyInstance } from 'fastify'
import { test, type Test } from 'tap'
import { dualToken, type DualTokenOptions } from '../../lib/index.ts'
import { createApp, type AppOptions } from '../support/app.ts'
import { ALGORITHMS, PAIRS, publicRingKey, ringKey } from '../support/key-pairs.ts'
import { accessToken, SECRET } from '../support/tokens.ts'
import { listen, request } from '../support/wire.ts'

const JWKS = '/.well-known/jwks.json'
const ring = [ringKey('EdDSA', 'k1'), publicRingKey('ES256', 'k2'), ringKey('RS256', 'k3'), publicRingKey('PS256', 'k4')]

async function createJwksApp (t: Test, options: AppOptions = {}): Promise<FastifyInstance> {
  return (await createApp(t, { keys: ring, jwks: true, ...options })).app
}

test('the key set has the public members of every key, its name, its algorithm and its use, and nothing else', async t => {
  const app = await createJwksApp(t)
  const reply = await app.inject(JWKS)
  t.equal(reply.statusCode, 200)
  t.equal(reply.headers['content-type'], 'application/jwk-set+json; charset=utf-8')
  t.equal(reply.headers['cache-control'], 'public, max-age=300')

  const { keys, ...others } = reply.json<{ keys: Array<Record<string, string>> }>()
  t.same(others, {})
  t.same(keys, [['EdDSA', 'k1'], ['ES256', 'k2'], ['RS256', 'k3'], ['PS256', 'k4']].map(([alg, kid]) =>
    ({ ...PAIRS[alg as 'EdDSA'][0].publicKey.export({ format: 'jwk' }), kid, alg, use: 'sig' })))
  t.same(keys.map(key => Object.keys(key).sort().join()), [
    'alg,crv,kid,kty,use,x', 'alg,crv,kid,kty,use,x,y', 'alg,e,kid,kty,n,use', 'alg,e,kid,kty,n,use'
  ])
  for (const algorithm of ALGORITHMS) {
    const { d, p, q } = PAIRS[algorithm][0].privateKey.export({ format: 'jwk' })
    for (const member of [d, p, q]) if (member !== undefined) t.notOk(reply.body.includes(member), algorithm)
  }
})

test('the key set can be cached and revalidated', async t => {
  const app = await createJwksApp(t)
  const { body, headers: { etag } } = await app.inject(JWKS)
  t.equal(etag, `"${createHash('sha256').update(body).digest('base64url')}"`)

  for (const known of [etag!, `W/${etag}`, '*', `"other", ${etag}`, `${etag},"other"`, `"a" ,  W/${etag} , "b"`]) {
    const reply = await app.inject({ url: JWKS, headers: { 'if-none-match': known } })
    t.equal(reply.statusCode, 304, known)
    t.equal(reply.body, '')
    t.equal(reply.headers.etag, etag)
    t.equal(reply.headers['cache-control'], 'public, max-age=300')
  }
  for (const known of ['"other"', '', etag!.slice(1, -1), `w/${etag}`, 'W/*']) {
    t.equal((await app.inject({ url: JWKS, headers: { 'if-none-match': known } })).statusCode, 200, known)
  }
})

test('HEAD answers as GET does, without the body', async t => {
  for (const exposeHeadRoutes of [true, false]) {
    const app = Fastify({ exposeHeadRoutes })
    t.teardown(() => app.close())
    await app.register(dualToken, { keys: ring, jwks: true })
    const get = await app.inject(JWKS)
    const head = await app.inject({ method: 'HEAD', url: JWKS })
    t.equal(head.statusCode, 200)
    t.equal(head.body, '')
    for (const name of ['etag', 'cache-control', 'content-type', 'content-length']) t.equal(head.headers[name], get.headers[name], name)
    t.equal((await app.inject({ method: 'HEAD', url: JWKS, headers: { 'if-none-match': get.headers.etag } })).statusCode, 304)
  }
})

test('an Authorization header, however bad, changes nothing', async t => {
  const app = await createJwksApp(t)
  const port = await listen(app)
  const { bytes } = await request(port, `GET ${JWKS}`)
  t.match(bytes, /^HTTP\/1\.1 200 /)
  for (const lines of [
    ['Authorization: Bearer nonsense'], ['Authorization: Bearer'], ['Authorization:'], ['Authorization: Basic YTpi'],
    [`Authorization: Bearer ${accessToken()}`], ['Authorization: Bearer a', 'Authorization: Bearer b'], [`Authorization: Bearer ${'x'.repeat(9000)}`]
  ]) t.equal((await request(port, `GET ${JWKS}`, lines)).bytes, bytes, lines.join().slice(0, 60))
})

test('the key set follows setKeys', async t => {
  const app = await createJwksApp(t)
  const before = await app.inject(JWKS)
  app.dualToken.setKeys([ringKey('ES256', 'k5', 1)])
  const after = await app.inject({ url: JWKS, headers: { 'if-none-match': before.headers.etag } })
  t.equal(after.statusCode, 200)
  t.not(after.headers.etag, before.headers.etag)
  t.same(after.json().keys.map(({ kid }: { kid: string }) => kid), ['k5'])

  t.throws(() => app.dualToken.setKeys([ringKey('ES256', 'k6', 1), ringKey('ES256', 'k6', 0)]))
  t.equal((await app.inject(JWKS)).body, after.body)
})

test('the key set uses the configured path and maxAge', async t => {
  const app = await createJwksApp(t, { jwks: { path: '/keys', maxAge: '1h' } })
  t.equal((await app.inject('/keys')).headers['cache-control'], 'public, max-age=3600')
  t.equal((await app.inject(JWKS)).statusCode, 404)
})

test('without the option, no key set is served', async t => {
  for (const options of [{ jwks: false }, {}, { keys: ring.slice(0, 1) }]) {
    const { app } = await createApp(t, { keys: ring, ...options })
    t.equal((await app.inject(JWKS)).statusCode, 404)
  }
})

test('a verify-only ring can publish its keys', async t => {
  const app = await createJwksApp(t, { keys: [publicRingKey('EdDSA', 'k1')], routes: false })
  t.equal((await app.inject(JWKS)).json().keys.length, 1)
})

test('jwks with secrets fails the boot', async t => {
  const message = 'Option jwks needs asymmetric keys: a secret has no public part.'
  for (const options of [{ secret: SECRET }, { keys: [{ kid: 'k', algorithm: 'HS256' as const, secret: SECRET }] }]) {
    for (const jwks of [true, {}]) {
      await t.rejects(async () => { await Fastify().register(dualToken, { ...options, jwks } as DualTokenOptions) }, { code: 'FST_DUAL_TOKEN_OPTION_INVALID', message })
    }
  }
})
