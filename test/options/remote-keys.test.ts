import { inspect } from 'node:util'
import { test } from 'tap'
import { remoteKeys, type RemoteKeysOptions } from '../../lib/index.ts'
import { keySetSettingsOf } from '../../lib/options/remote-keys.ts'
import { resolveOptions } from '../../lib/options/resolve.ts'
import { SECRET } from '../support/tokens.ts'

const URL_OF_SET = 'https://id.example/.well-known/jwks.json'

function settingsWith (more: object = {}, url: unknown = URL_OF_SET) {
  return keySetSettingsOf(remoteKeys(url as string, { algorithms: ['EdDSA'], ...more }))
}

test('an address and the algorithms are enough: everything else has a default', async t => {
  const settings = settingsWith()
  t.strictSame(settings, {
    url: URL_OF_SET, algorithms: ['EdDSA'], maxAge: 600_000, cooldown: 30_000, timeout: 5000, fetch: globalThis.fetch
  })
  t.ok(Object.isFrozen(settings))
  t.ok(Object.isFrozen(settings!.algorithms))
  for (const name of ['maxAge', 'cooldown', 'timeout', 'fetch']) t.strictSame(settingsWith({ [name]: undefined }), settings, name)
})

test('every option keeps its given value, and shares nothing with what was given', async t => {
  const algorithms: RemoteKeysOptions['algorithms'] = ['ES256', 'RS256', 'ES256']
  const given = [...algorithms]
  const fetch = async (): Promise<Response> => new Response()
  const settings = settingsWith({ algorithms: given, maxAge: '1h', cooldown: 0.5, timeout: '1s', fetch }, new URL(URL_OF_SET))
  given.push('PS256')
  t.strictSame(settings, { url: URL_OF_SET, algorithms: ['ES256', 'RS256'], maxAge: 3_600_000, cooldown: 500, timeout: 1000, fetch })
})

test('the address is https, or http of a loopback host', async t => {
  for (const url of [
    'https://id.example', 'https://192.0.2.1/keys', 'https://id.example:8443/keys?a=b', 'HTTPS://ID.EXAMPLE/',
    'http://localhost:3000/', 'http://LOCALHOST/', 'http://id.localhost/', 'http://127.0.0.1:3000/', 'http://127.255.255.254/', 'http://127.1/', 'http://[::1]:3000/'
  ]) t.ok(settingsWith({}, url), url)

  const insecure = 'Option remoteKeys.url must be an https URL, or an http URL of a loopback host.'
  for (const url of [
    null, 7, {}, ['https://id.example'], '', 'id.example', '/jwks.json', 'https://', 'file:///etc/passwd', 'ftp://localhost/', 'data:application/json,{}',
    'http://id.example/', 'http://192.0.2.1/', 'http://10.0.0.1/', 'http://0.0.0.0/', 'http://[::]/', 'http://[::ffff:127.0.0.1]/', 'http://localhost.example/',
    'http://127.example/', 'http://127.0.0.1.example/', 'http://localhost@id.example/', 'http://notlocalhost/', 'http://128.0.0.1/'
  ]) t.throws(() => settingsWith({}, url), { code: 'FST_DUAL_TOKEN_OPTION_INVALID', message: insecure }, inspect(url))

  for (const url of ['https://user@id.example/', 'https://user:hunter2@id.example/', 'https://:hunter2@id.example/']) {
    t.throws(() => settingsWith({}, url), { message: 'Option remoteKeys.url must not hold a user name or a password.', stack: /^(?!.*hunter2)/s }, url)
  }
})

test('one sentence says what is wrong with an option', async t => {
  const duration = "seconds, or a string with a unit such as '30s' or '10m'"
  const cases: Array<[string, unknown[], string]> = [
    ['algorithms', [undefined, null, 'EdDSA', {}, [], ['HS256'], ['EdDSA', 'HS256'], ['none'], ['eddsa'], [null], [['EdDSA']]],
      'must be a list of at least one of RS256, PS256, ES256, EdDSA'],
    ...['maxAge', 'cooldown', 'timeout'].flatMap((name): Array<[string, unknown[], string]> => [
      [name, [null, true, {}, [], NaN, -1, '', 'soon', '30'], `must be ${duration}`],
      [name, [0, '0s', 0.0001, '25d', 1e9], 'must be more than 0, and at most 24 days']
    ]),
    ['fetch', [null, 'fetch', {}], 'must be a function'],
    ['cacheMaxAge', [1], 'is not known'],
    ['headers', [undefined], 'is not known']
  ]
  for (const [name, values, sentenceEnd] of cases) {
    for (const value of values) {
      t.throws(() => settingsWith({ [name]: value }), {
        code: 'FST_DUAL_TOKEN_OPTION_INVALID', message: `Option remoteKeys.${name} ${sentenceEnd}.`
      }, `${name}: ${inspect(value)}`)
    }
  }
  t.throws(() => remoteKeys(URL_OF_SET, undefined as never), { message: /^Option remoteKeys\.algorithms / })
})

test('only what remoteKeys returned counts as remote keys', async t => {
  const keys = remoteKeys(URL_OF_SET, { algorithms: ['EdDSA'] })
  for (const value of [undefined, null, 7, 'keys', [], [keys], {}, { ...settingsWith() }, Object.create(keys), remoteKeys]) {
    t.equal(keySetSettingsOf(value), null, inspect(value))
  }
})

test('as the option keys, it means keys that only verify', async t => {
  const keys = remoteKeys(URL_OF_SET, { algorithms: ['EdDSA'] })
  const settings = resolveOptions({ keys })
  t.strictSame(settings.keys, [])
  t.strictSame(settings.keySet, settingsWith())
  t.strictSame(settings.secrets, [])

  const login = () => null
  for (const [more, message] of [
    [{ secret: SECRET }, 'Option secret must not be set beside keys.'],
    [{ routes: { login } }, 'Option routes needs keys that begin with a private one: these can only verify.'],
    [{ jwks: true }, 'Option jwks needs keys of this service: a key set that is followed is served by its publisher.']
  ] as const) t.throws(() => resolveOptions({ keys, ...more }), { code: 'FST_DUAL_TOKEN_OPTION_INVALID', message })
})
