// A server with the plugin, one route per guard, the ready routes and a clock that stands still until it is moved.
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import type { Test } from 'tap'
import { dualToken, type DualTokenOptions } from '../../lib/index.ts'
import { NOW, SECRET } from './tokens.ts'

export interface Clock {
  /** Milliseconds: the `now` option. */
  now (): number
  /** Moves to a moment in epoch seconds. */
  set (seconds: number): void
  advance (seconds: number): void
}

export function createClock (seconds = NOW): Clock {
  return {
    now: () => seconds * 1000,
    set (moment) { seconds = moment },
    advance (span) { seconds += span }
  }
}

export interface App {
  readonly app: FastifyInstance
  readonly clock: Clock
}

/** Any options, be it a secret or keys, or neither. */
export type AppOptions = { [Name in keyof DualTokenOptions]?: DualTokenOptions[Name] | undefined }

/**
 * Open `GET /open`, `GET /me` for access tokens and `GET /renewal` for refresh tokens each answer `{ user: request.user }`;
 * `POST` and `PUT /authorizations` know the user 7 by the password `good`. Closed when the test ends.
 */
export async function createApp (t: Test, options: AppOptions = {}, server: FastifyServerOptions = {}): Promise<App> {
  const clock = createClock()
  const app = Fastify(server)
  t.teardown(() => app.close())

  await app.register(dualToken, {
    ...(options.keys === undefined && { secret: SECRET }),
    now: clock.now,
    routes: { login: ({ password }) => password === 'good' ? { user_id: 7, role: 'member' } : null },
    ...options
  } as DualTokenOptions)
  app.get('/open', async request => ({ user: request.user }))
  app.get('/me', { preHandler: app.loginRequired }, async request => ({ user: request.user }))
  app.get('/renewal', { preHandler: app.refreshRequired }, async request => ({ user: request.user }))
  return { app, clock }
}

/** The header that carries a token. */
export function bearer (token: string): { authorization: string } {
  return { authorization: `Bearer ${token}` }
}
