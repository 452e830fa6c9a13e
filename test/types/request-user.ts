// Importing the plugin is enough for Fastify's types to know `request.user`, null included.
import Fastify from 'fastify'
import 'fastify-dual-token'
import type { Claims } from 'fastify-dual-token'

type Equals<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false

Fastify().get('/', async request => {
  const isExact: Equals<typeof request.user, Claims | null> = true
  // @ts-expect-error nobody may be there
  const { user_id: userId } = request.user
  return { isExact, userId }
})
