import { test } from 'tap'
import { readJwks } from '../../lib/options/jwks.ts'

test('true means the usual path and max-age', async t => {
  const settings = { path: '/.well-known/jwks.json', maxAge: 300 }
  t.strictSame(readJwks(true), settings)
  t.strictSame(readJwks({}), settings)
  t.ok(Object.isFrozen(readJwks(true)))
})

test('path and maxAge keep their given values', async t => {
  t.strictSame(readJwks({ path: '/keys', maxAge: 0 }), { path: '/keys', maxAge: 0 })
  t.strictSame(readJwks(Object.freeze({ maxAge: '1h' })), { path: '/.well-known/jwks.json', maxAge: 3600 })
})

test('anything else is refused', async t => {
  const cases: Array<[object, string]> = [
    [{ url: '/keys' }, 'Option jwks.url is not known.'],
    [{ path: 'keys' }, 'Option jwks.path must be a string that begins with a slash.'],
    [{ path: null }, 'Option jwks.path must be a string that begins with a slash.'],
    ...[-1, 1.5, NaN, Infinity, '5 parsecs', '', null, true].map((maxAge): [object, string] =>
      [{ maxAge }, "Option jwks.maxAge must be whole seconds, or a string with a unit such as '5m'."])
  ]
  for (const [option, message] of cases) t.throws(() => readJwks(option), { code: 'FST_DUAL_TOKEN_OPTION_INVALID', message })
})
