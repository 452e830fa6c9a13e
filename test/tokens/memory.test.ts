// What the plugin keeps in memory: good tokens up to a bound, and of bad ones nothing.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { test } from 'tap'
import { createApp } from '../support/app.ts'
import { accessToken, OTHER_SECRET } from '../support/tokens.ts'

setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

const MIB = 2 ** 20

function heapUsed (): number {
  collectGarbage()
  return process.memoryUsage().heapUsed
}

test('200,000 different good tokens leave the heap within 64 MiB of where it was', async t => {
  const { app } = await createApp(t)
  app.dualToken.verifyToken(accessToken())
  const before = heapUsed()
  for (let id = 1; id <= 200_000; id++) {
    if (app.dualToken.verifyToken(accessToken({ user_id: id })).user_id !== id) t.fail(`token ${id}`)
  }
  const grown = (heapUsed() - before) / MIB
  t.ok(grown < 64, `${grown.toFixed(1)} MiB`)
})

test('forgeries are not cached', async t => {
  const { app } = await createApp(t)
  const isRefused = (token: string): boolean => {
    try {
      return app.dualToken.verifyToken(token) === undefined
    } catch {
      return true
    }
  }
  isRefused('a.b.c')
  const before = heapUsed()
  for (let id = 1; id <= 20_000; id++) {
    if (!isRefused(accessToken({ user_id: id }, OTHER_SECRET))) t.fail(`forgery ${id}`)
  }
  const grown = (heapUsed() - before) / MIB
  t.ok(grown < 4, `${grown.toFixed(1)} MiB`)
})

test('the cache keeps only the token of a padded header', async t => {
  const { app } = await createApp(t, { cache: 2000 })
  app.dualToken.verifyToken(accessToken())
  const before = heapUsed()
  for (let id = 1; id <= 2000; id++) {
    const header = Buffer.from(`Bearer${' '.repeat(15_000)}${accessToken({ user_id: id })}`).toString('latin1')
    if (app.dualToken.verifyToken(header.slice(15_006)).user_id !== id) t.fail(`token ${id}`)
  }
  const grown = (heapUsed() - before) / MIB
  t.ok(grown < 8, `${grown.toFixed(1)} MiB`)
})

test('a million guards that are made and dropped leave nothing behind', async t => {
  const { app } = await createApp(t, { authTime: true })
  const make = (index: number): unknown => app.dualToken.guard({ maxAge: 60, scope: `scope-${index % 100}`, allow: () => index > 0 })
  for (let index = 0; index < 1000; index++) make(index)
  const before = heapUsed()
  for (let index = 0; index < 1_000_000; index++) make(index)
  const grown = (heapUsed() - before) / MIB
  t.ok(grown < 1, `${grown.toFixed(2)} MiB`)
})
