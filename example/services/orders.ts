// The orders service: it holds no key. It follows the key set of the identity service, and learns from the shared store who has signed out.
import diagnostics from 'node:diagnostics_channel'
import { Type, type Static } from '@sinclair/typebox'
import type { FastifyRequest } from 'fastify'
import dualToken, { remoteKeys, type KeySetEvent } from '../../lib/index.ts'
import { ISSUER, readKeySetMaxAge } from './agreed.ts'
import { serve } from './serve.ts'
import { openStore } from './store.ts'

const OrderSchema = Type.Object({ item: Type.String({ minLength: 1, maxLength: 100 }) })
type Order = Static<typeof OrderSchema>

const maxOrders = 100

await serve('orders', process.env.ORDERS_PORT ?? '3002', async fastify => {
  diagnostics.subscribe('fastify-dual-token:keys', message => {
    const { outcome, keys } = message as KeySetEvent
    if (outcome === 'changed') fastify.log.info(`The key set has changed: it holds ${keys}`)
  })
  const identity = process.env.IDENTITY_URL ?? 'http://127.0.0.1:3001'
  await fastify.register(dualToken, {
    keys: remoteKeys(`${identity}/.well-known/jwks.json`, { algorithms: ['EdDSA'], cooldown: Math.min(30, readKeySetMaxAge()) }),
    issuer: ISSUER,
    audience: 'orders',
    sessions: { store: await openStore(fastify) }
  })

  const { guard } = fastify.dualToken
  const orders = new Map<string, readonly Order[]>()
  const ordersOf = (owner: string): readonly Order[] => orders.get(owner) ?? []

  fastify.get('/orders', { preHandler: guard({ scope: 'orders:read' }) }, async request => ({ orders: ordersOf(ownerOf(request)) }))
  fastify.post<{ Body: Order }>('/orders', {
    schema: { body: OrderSchema },
    onRequest: guard({ scope: 'orders:write' })
  }, async (request, reply) => {
    const { item } = request.body
    orders.set(ownerOf(request), [...ordersOf(ownerOf(request)), { item }].slice(-maxOrders))
    return await reply.code(201).send({ item })
  })
})

function ownerOf ({ user }: FastifyRequest): string {
  return String(user?.user_id)
}
