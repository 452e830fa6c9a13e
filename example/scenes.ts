// What the cookie page tries its sign-in on: a change, a picture, an EventSource and a WebSocket, all guarded.
import websocket from '@fastify/websocket'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import { loginRequired } from '../lib/index.ts'

const PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" width="88" height="32"><rect width="88" height="32" rx="6" fill="#14683a"/>' +
  '<text x="44" y="21" font-family="sans-serif" font-size="14" text-anchor="middle" fill="#fff">private</text></svg>'

async function addScenes (fastify: FastifyInstance): Promise<void> {
  await fastify.register(websocket)
  fastify.register(async fastify => {
    fastify.addHook('onRequest', loginRequired)
    let transfers = 0
    fastify.post('/transfer', async request => ({ user: nameOf(request), transfers: ++transfers }))
    fastify.get('/picture', async (_request, reply) => reply.type('image/svg+xml').send(PICTURE))
    fastify.get('/events', async (request, reply) => reply.type('text/event-stream').send(`data: Hello ${nameOf(request)}, by an event\n\n`))
    fastify.get('/live', { websocket: true, schema: { hide: true } }, (socket, request) => {
      socket.send(`Hello ${nameOf(request)}, by a WebSocket`)
      socket.on('message', data => socket.send(`You said: ${String(data).slice(0, 100)}`))
    })
    // A form brings a body of its own kind, which this route does not read.
    fastify.addContentTypeParser('*', (_request, _payload, done) => done(null))
  })
}

function nameOf ({ user }: FastifyRequest): string {
  return String(user?.user_id)
}

export const scenes = fastifyPlugin(addScenes)
