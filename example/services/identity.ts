// The identity service: it signs users in and out, keeps their sessions, and publishes its keys. Only this service can sign tokens.
import { Type } from '@sinclair/typebox'
import dualToken, { defineRoutes } from '../../lib/index.ts'
import { AUDIENCES, ISSUER, readKeySetMaxAge, REFRESH_DAYS } from './agreed.ts'
import { createKey, keyRoll } from './key-roll.ts'
import { serve } from './serve.ts'
import { openStore } from './store.ts'
import { findUser, loadUser } from './users.ts'

await serve('identity', process.env.IDENTITY_PORT ?? '3001', async fastify => {
  const key = createKey()
  const keySetMaxAge = readKeySetMaxAge()
  await fastify.register(dualToken, {
    keys: [key],
    jwks: { maxAge: keySetMaxAge },
    issuer: ISSUER,
    audience: AUDIENCES,
    refreshExpiresIn: `${REFRESH_DAYS}d`,
    sessions: { store: await openStore(fastify) },
    routes: defineRoutes({
      body: Type.Object({ username: Type.String({ maxLength: 64 }), password: Type.String({ maxLength: 256 }) }),
      login: findUser,
      loadUser
    })
  })
  await fastify.register(keyRoll, { key, keySetMaxAge })
})
