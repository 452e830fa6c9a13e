import { test } from 'tap'
import type { FastifyRequest } from 'fastify'
import { createAuthentication } from '../../lib/access/authenticate.ts'
import type { GuardedRequest } from '../../lib/access/types.ts'
import { refused, type Accepted } from '../../lib/tokens/verdict.ts'
import { bearer, createApp } from '../support/app.ts'
import { accessClaims, accessToken, mint, NOW, refreshToken } from '../support/tokens.ts'

const GOOD: Accepted = { claims: { user_id: 7, refresh: false, exp: NOW + 60 }, refusal: null, from: NOW, until: NOW + 60, token: 'good' }
const BAD = refused('INVALID', 'signature')

function requestWith (headers: GuardedRequest['headers']): GuardedRequest {
  return { headers, raw: {} as GuardedRequest['raw'] }
}

test('the verdict on a request is the verdict on its token, or the reason why there is none', async t => {
  const { verdictOf } = createAuthentication(token => token === 'good' ? GOOD : BAD)
  t.equal(verdictOf(requestWith(bearer('good'))), GOOD)
  t.equal(verdictOf(requestWith(bearer('bad'))), BAD)
  t.match(verdictOf(requestWith({})), { claims: null, refusal: { kind: 'MISSING' } })
})

test('a request is authenticated once', async t => {
  let calls = 0
  const { verdictOf } = createAuthentication(() => {
    calls++
    return BAD
  })
  const request = requestWith(bearer('bad'))
  t.equal(verdictOf(request), verdictOf(request))
  t.equal(calls, 1)
})

test('the hook sets request.user and continues, whatever the token', async t => {
  const { hook } = createAuthentication(token => token === 'good' ? GOOD : BAD)
  for (const [headers, user] of [[bearer('good'), GOOD.claims], [bearer('bad'), null], [{}, null]] as const) {
    const request = requestWith(headers) as FastifyRequest
    let done = 0
    hook.call({} as never, request, {} as never, () => { done++ })
    t.equal(request.user, user)
    t.equal(done, 1)
  }
})

test('each instance keeps its verdicts apart', async t => {
  const one = createAuthentication(() => GOOD)
  const other = createAuthentication(() => BAD)
  const request = requestWith(bearer('any'))
  t.not(one.slot, other.slot)
  t.equal(one.verdictOf(request), GOOD)
  t.equal(other.verdictOf(request), BAD)
  t.equal(one.verdictOf(request), GOOD)
})

test('request.user is frozen and inherits nothing', async t => {
  const { app } = await createApp(t)
  app.get('/look', async ({ user }) => ({
    frozen: Object.isFrozen(user),
    inherited: Object.getOwnPropertyNames(Object.prototype).filter(name => name in user!),
    written: Reflect.set(user!, 'role', 'admin'),
    deep: Object.isFrozen((user as unknown as { nested: object }).nested)
  }))
  const reply = await app.inject({ url: '/look', headers: bearer(mint(accessClaims({ nested: { a: 1 } }))) })
  t.strictSame(reply.json(), { frozen: true, inherited: [], written: false, deep: true })
})

test('request.user is there in every hook of a request, and in none of the next', async t => {
  const { app } = await createApp(t)
  const seen: unknown[] = []
  app.get('/hooks', {
    onRequest: async request => { seen.push(request.user?.user_id) },
    preHandler: async request => { seen.push(request.user?.user_id) },
    onResponse: async request => { seen.push(request.user?.user_id) }
  }, async request => request.user?.user_id ?? null)

  await app.inject({ url: '/hooks', headers: bearer(accessToken()) })
  await app.inject({ url: '/hooks' })
  await app.inject({ url: '/hooks', headers: bearer(refreshToken({ user_id: 8 })) })
  t.strictSame(seen, [7, 7, 7, undefined, undefined, undefined, 8, 8, 8])
})

test('an unknown route is authenticated too, and answers 404', async t => {
  const { app } = await createApp(t)
  app.setNotFoundHandler(async (request, reply) => reply.code(404).send({ user: request.user?.user_id ?? null }))
  t.strictSame((await app.inject({ url: '/none', headers: bearer(accessToken()) })).json(), { user: 7 })
  const anonymous = await app.inject({ url: '/none', headers: bearer('bad') })
  t.strictSame([anonymous.statusCode, anonymous.json()], [404, { user: null }])
})
