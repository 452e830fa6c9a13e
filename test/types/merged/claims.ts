// An application says once what its tokens carry, and everything knows it.
import Fastify from 'fastify'
import dualToken, { defineRoutes, type AccessClaims, type DualTokenUser, type UserId } from 'fastify-dual-token'
import { assert, type Equals } from '../equals.ts'

declare module 'fastify-dual-token' {
  interface DualTokenTypes {
    claims: { role: 'admin' | 'member', team?: string }
    userIdClaim: 'sub'
  }
}

const fastify = Fastify()
const routes = defineRoutes({
  login: () => ({ sub: 'u-1', role: 'admin', extra: 1 }),
  loadUser: userId => ({ sub: String(userId), role: 'member', team: 'a' })
})
await fastify.register(dualToken, { secret: 'x'.repeat(32), userIdClaim: 'sub', routes })

fastify.get('/', { preHandler: fastify.loginRequired }, async ({ user }) => {
  if (user === null) return
  assert<Equals<typeof user.sub, string>>()
  assert<Equals<typeof user.role, 'admin' | 'member'>>()
  assert<Equals<typeof user.team, string | undefined>>()
  // @ts-expect-error the id is under sub
  const id = user.user_id
  // @ts-expect-error claims are frozen
  user.role = 'admin'
  return user.refresh ? id : user.role
})

assert<Equals<AccessClaims['role'], 'admin' | 'member'>>()
assert<Equals<DualTokenUser['sub'], string | { toJSON (): string }>>()
assert<Equals<UserId, string | number>>()

export const pair = await fastify.dualToken.issueTokens({ sub: 'u-1', role: 'member' })
assert<Equals<typeof pair.refresh_token, string>>()

// @ts-expect-error the role is missing
await fastify.dualToken.issueTokens({ sub: 'u-1' })
// @ts-expect-error no such role
await fastify.dualToken.issueTokens({ sub: 'u-1', role: 'owner' })
// @ts-expect-error under sub an id is a string
await fastify.dualToken.issueTokens({ sub: 7, role: 'member' })
// @ts-expect-error the id is under sub
await fastify.dualToken.issueTokens({ user_id: 7, role: 'member' })
// @ts-expect-error the role is missing
defineRoutes({ login: () => ({ sub: 'u-1' }) })
