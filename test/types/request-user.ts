// request.user is a union told apart by `refresh`, null included.
import Fastify, { type FastifyRequest } from 'fastify'
import dualToken, { type AccessClaims, type Claims, type RefreshClaims, type UserId } from 'fastify-dual-token'
import { assert, type Equals } from './equals.ts'

const fastify = Fastify()
await fastify.register(dualToken, { secret: 'x'.repeat(32) })

assert<Equals<FastifyRequest['user'], Claims | null>>()
assert<Equals<Claims, AccessClaims | RefreshClaims>>()
assert<Equals<Claims['refresh'], boolean>>()
assert<Equals<AccessClaims['refresh'], false>>()
assert<Equals<RefreshClaims['refresh'], true>>()

fastify.get('/', async ({ user }) => {
  assert<Equals<typeof user, Claims | null>>()
  // @ts-expect-error nobody may be there
  const id = user.user_id
  if (user === null) return id

  assert<Equals<typeof user.user_id, UserId>>()
  assert<Equals<UserId, string | number>>()
  assert<Equals<typeof user.exp, number>>()
  if (user.refresh) assert<Equals<typeof user, RefreshClaims>>()
  else assert<Equals<typeof user, AccessClaims>>()

  // @ts-expect-error a token made elsewhere may have no iat
  const made: number = user.iat
  // @ts-expect-error claims are frozen
  user.user_id = 1
  // @ts-expect-error claims are frozen
  user.refresh = false
  // @ts-expect-error no such claim unless the application declares it
  return [made, user.role]
})

export const claims = fastify.dualToken.verifyToken('token')
assert<Equals<typeof claims, Claims>>()
