import { inspect } from 'node:util'
import Fastify from 'fastify'
import { test } from 'tap'
import { dualToken } from '../../lib/index.ts'
import { readCookies } from '../../lib/options/cookies.ts'
import { resolveOptions } from '../../lib/options/resolve.ts'
import { createLog } from '../support/session-app.ts'
import { SECRET } from '../support/tokens.ts'

test('true is enough: the refresh token alone, for our own origin, as safe as browsers can make it', async t => {
  const settings = readCookies(true)
  t.strictSame(settings, {
    names: { access: '__Host-Http-access_token', refresh: '__Host-Http-refresh_token' },
    label: '',
    access: false,
    origins: new Set(),
    secure: true,
    maxLengths: { access: 4096, refresh: 4071 }
  })
  t.strictSame(readCookies({}), settings)
  t.strictSame(readCookies({ access: undefined, origins: undefined, name: undefined, secure: undefined }), settings)
})

test('every member keeps its given value', async t => {
  t.strictSame(readCookies({ access: true, origins: ['https://app.example', 'http://localhost:5173'], name: 'admin' }), {
    names: { access: '__Host-Http-admin_access_token', refresh: '__Host-Http-admin_refresh_token' },
    label: 'admin',
    access: true,
    origins: new Set(['https://app.example', 'http://localhost:5173']),
    secure: true,
    maxLengths: { access: 4096 - 30, refresh: 4096 - 31 }
  })
  t.strictSame(readCookies({ secure: false }).names, { access: 'access_token', refresh: 'refresh_token' })
  t.strictSame(readCookies({ secure: false, name: 'a.b-c_d' }).names, { access: 'a.b-c_d_access_token', refresh: 'a.b-c_d_refresh_token' })
})

test('the settings are frozen and share nothing with the option', async t => {
  const origins = ['https://app.example']
  const option = Object.freeze({ origins: Object.freeze(origins) as string[] })
  const settings = readCookies(option)
  for (const object of [settings, settings.names, settings.maxLengths]) t.ok(Object.isFrozen(object))
})

test('one sentence says what is wrong with a member', async t => {
  const origin = "must be an origin as browsers write it, such as 'https://app.example'"
  const name = 'must be 1 to 64 letters, digits, dots, hyphens and underscores, without a prefix of browsers'
  const cases: Array<[string, unknown[], string]> = [
    ['access', [null, 'true', 1, {}], 'Option cookies.access must be true or false.'],
    ['secure', [null, 'auto', 0, []], 'Option cookies.secure must be true or false.'],
    ['origins', [null, true, 'https://app.example', { 0: 'https://app.example' }], 'Option cookies.origins must be a list of origins.'],
    ['origins', [
      [null], [7], [''], ['null'], ['*'], ['app.example'], ['//app.example'], ['https://app.example/'], ['https://app.example/page'], ['HTTPS://app.example'],
      ['https://App.example'], ['https://app.example:443'], ['http://localhost:80'], ['https://user@app.example'], ['https://app.example?'], [' https://app.example'],
      ['https://%.example'], ['https://*.example'], ['wss://app.example'], ['ftp://app.example'], ['data:text/html,x'], ['file:///'], ['https://ümlaut.example'], ['chrome-extension://abc'], [['https://app.example']], [/app/]
    ], `Option cookies.origins[0] ${origin}.`],
    ['origins', [['https://app.example', 'http://app.example/']], `Option cookies.origins[1] ${origin}.`],
    ['name', [null, 7, '', 'a b', 'a;b', 'a=b', 'ä', 'a\n', 'x'.repeat(65), ['a'], '__Host-a', '__secure-a', '__HTTP-a', '__Host-Http-a'], `Option cookies.name ${name}.`],
    ['path', ['/', undefined], 'Option cookies.path is not known.'],
    ['domain', ['app.example'], 'Option cookies.domain is not known.'],
    ['sameSite', ['none'], 'Option cookies.sameSite is not known.'],
    ['maxAge', [60], 'Option cookies.maxAge is not known.']
  ]
  for (const [member, values, message] of cases) {
    for (const value of values) {
      t.throws(() => readCookies({ [member]: value }), { code: 'FST_DUAL_TOKEN_OPTION_INVALID', message }, `${member}: ${inspect(value)}`)
    }
  }
  t.equal(readCookies({ name: 'x'.repeat(64) }).label, 'x'.repeat(64))
})

test('false means no cookies, and cookies work without routes', async t => {
  t.equal(resolveOptions({ secret: SECRET, cookies: false }).cookies, null)
  t.match(resolveOptions({ secret: SECRET, cookies: true, routes: false }), { routes: null, cookies: { access: false } })
})

test('only cookies without Secure cause a warning at boot', async t => {
  for (const [cookies, warnings] of [[true, 0], [{ access: true }, 0], [{ secure: false }, 1], [false, 0]] as const) {
    const { log, lines } = createLog()
    const app = Fastify({ loggerInstance: log })
    await app.register(dualToken, { secret: SECRET, cookies })
    await app.ready()
    t.equal(lines.filter(({ level, msg }) => level === 40 && msg.includes('cookies.secure')).length, warnings)
    await app.close()
  }
})

test('a wrong member fails the boot', async t => {
  const app = Fastify()
  t.teardown(() => app.close())
  await t.rejects(async () => await app.register(dualToken, { secret: SECRET, cookies: { origins: ['null'] } }), { code: 'FST_DUAL_TOKEN_OPTION_INVALID' })
})
