import { Type } from '@sinclair/typebox'
import { test } from 'tap'
import { defineRoutes } from '../../lib/index.ts'

test('defineRoutes returns its argument: it exists for the types', async t => {
  const routes = Object.freeze({ body: Type.Object({ name: Type.String() }), login: ({ name }: { name: string }) => ({ user_id: name }) })
  t.equal(defineRoutes(routes), routes)
})
