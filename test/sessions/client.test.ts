import type { FastifyRequest } from 'fastify'
import { test } from 'tap'
import { clientOf, readClient } from '../../lib/sessions/client.ts'

test('ip and user agent are cut at 256 characters', async t => {
  t.strictSame(readClient({ ip: '192.0.2.1', userAgent: 'phone' }), { ip: '192.0.2.1', userAgent: 'phone' })
  t.strictSame(readClient({ ip: 'x'.repeat(256), userAgent: 'y'.repeat(257) }), { ip: 'x'.repeat(256), userAgent: 'y'.repeat(256) })
})

test('anything but text is null', async t => {
  for (const value of [undefined, null, '', 7, {}, ['phone']]) t.strictSame(readClient({ ip: value, userAgent: value }), { ip: null, userAgent: null })
  t.strictSame(readClient({}), { ip: null, userAgent: null })
})

test('for a request, they are request.ip and the user-agent header', async t => {
  const request = { ip: '192.0.2.1', headers: { 'user-agent': 'phone' } } as unknown as FastifyRequest
  t.strictSame(clientOf(request), { ip: '192.0.2.1', userAgent: 'phone' })
})
