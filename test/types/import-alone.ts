// Importing the plugin is enough for Fastify's types to know `request.user` and the guards, registered here or not.
import Fastify from 'fastify'
import 'fastify-dual-token'
import type { Claims, Guard } from 'fastify-dual-token'
import { assert, type Equals } from './equals.ts'

const fastify = Fastify()
assert<Equals<typeof fastify.loginRequired, Guard>>()
fastify.get('/', async request => {
  assert<Equals<typeof request.user, Claims | null>>()
})
