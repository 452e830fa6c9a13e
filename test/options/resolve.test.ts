import { inspect } from 'node:util'
import { test } from 'tap'
import { memoryStore, remoteKeys } from '../../lib/index.ts'
import { resolveOptions } from '../../lib/options/resolve.ts'
import { RESERVED_CLAIMS } from '../../lib/tokens/user.ts'
import { publicRingKey, ringKey } from '../support/key-pairs.ts'
import { OTHER_SECRET, SECRET } from '../support/tokens.ts'

const login = () => null

/** Frozen all the way down, bytes apart: they cannot be. */
function deepFreeze<T> (value: T): T {
  if (typeof value === 'object' && value !== null && !ArrayBuffer.isView(value)) {
    Object.values(value).forEach(deepFreeze)
    Object.freeze(value)
  }
  return value
}

test('a secret is enough: everything else has a default', async t => {
  t.strictSame(resolveOptions({ secret: SECRET }), {
    secrets: [Buffer.from(SECRET)],
    keys: null,
    keySet: null,
    accessLifetime: 7200,
    refreshLifetime: 1_209_600,
    userIdClaim: 'user_id',
    issuer: undefined,
    audience: undefined,
    clockTolerance: 0,
    skew: 60,
    realm: undefined,
    cache: 10_000,
    routes: null,
    jwks: null,
    oauth: false,
    sessions: null,
    cookies: null,
    extract: null,
    authTime: false,
    reservedClaims: RESERVED_CLAIMS,
    now: Date.now
  })
})

test('every option keeps its given value', async t => {
  const now = () => 0
  const store = memoryStore()
  t.match(resolveOptions({
    secret: [SECRET, Buffer.from(OTHER_SECRET)],
    accessExpiresIn: '15m',
    refreshExpiresIn: 86_400,
    userIdClaim: 'sub',
    issuer: 'https://id.example',
    audience: 'shop',
    clockTolerance: 2.5,
    realm: 'shop "no. 1"',
    cache: 0,
    routes: { login },
    sessions: { store },
    now
  }), {
    secrets: [Buffer.from(SECRET), Buffer.from(OTHER_SECRET)],
    accessLifetime: 900,
    refreshLifetime: 86_400,
    userIdClaim: 'sub',
    issuer: 'https://id.example',
    audience: 'shop',
    clockTolerance: 2.5,
    skew: 60,
    realm: 'shop "no. 1"',
    cache: 0,
    routes: { path: '/authorizations', login },
    sessions: { store, revocationTtl: 962_500 },
    now
  })
})

test('undefined is the same as absent, and routes: false is no routes', async t => {
  const bare = resolveOptions({ secret: SECRET })
  const names = ['accessExpiresIn', 'refreshExpiresIn', 'userIdClaim', 'issuer', 'audience', 'clockTolerance', 'realm', 'cache', 'routes', 'sessions', 'cookies', 'extract', 'now']
  for (const name of names) t.strictSame(resolveOptions({ secret: SECRET, [name]: undefined }), bare, name)
  t.equal(resolveOptions({ secret: SECRET, routes: false }).routes, null)
})

test('the settings are frozen and share nothing with the options', async t => {
  const bytes = Buffer.from(OTHER_SECRET)
  const secret = [SECRET, bytes]
  const settings = resolveOptions({ secret, routes: { login }, sessions: { store: memoryStore() } })
  bytes.fill(0)
  secret.pop()

  t.strictSame(settings.secrets, [Buffer.from(SECRET), Buffer.from(OTHER_SECRET)])
  for (const object of [settings, settings.secrets, settings.routes, settings.routes!.schema, settings.routes!.passedOn, settings.sessions]) {
    t.ok(Object.isFrozen(object))
  }
})

test('a list of audiences is copied, and a list of one becomes its string', async t => {
  const audience = ['shop', 'orders']
  const settings = resolveOptions({ secret: SECRET, audience })
  audience.push('other')
  t.strictSame(settings.audience, ['shop', 'orders'])
  t.ok(Object.isFrozen(settings.audience))
  t.equal(resolveOptions({ secret: SECRET, audience: ['shop'] }).audience, 'shop')
})

test('the options are never written to', async t => {
  const options = {
    secret: [SECRET, Buffer.from(OTHER_SECRET)],
    accessExpiresIn: '1h',
    routes: { login, body: { type: 'object', properties: { a: { type: 'string' } } }, config: { rateLimit: { max: 5 } }, tags: ['auth'] },
    sessions: { store: memoryStore(), sliding: true }
  }
  t.doesNotThrow(() => resolveOptions(deepFreeze(options)))
})

test('an invalid option gives one sentence that says why', async t => {
  const duration = "whole seconds, or a string with a unit such as '15m', '2h' or '14d'"
  const path = 'Option routes.path must be a string that begins with a slash.'
  const cases: Array<[string, unknown[], string]> = [
    ['secret', [undefined], 'Option secret is required: at least 32 random bytes.'],
    ['secret', [null, 7, true, {}, [], [7], [SECRET, null], [[SECRET]], () => SECRET, new ArrayBuffer(32)],
      'Option secret must be a string or a Buffer, or a list of them.'],
    ['secret', ['', '  '], 'Option secret must not be blank.'],
    ['secret', ['short', Buffer.alloc(31, 'ab')], 'Option secret must be at least 32 bytes long.'],
    ['secret', ['x'.repeat(32)], 'Option secret must not be one character repeated.'],
    ['secret', ['12345678901234567890123456789012'], 'Option secret must not repeat a shorter text.'],
    ['secret', ['-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQ'], 'Option secret must be a secret, not a PEM or a JWK.'],
    ['secret', [[SECRET, 'short']], 'Option secret[1] must be at least 32 bytes long.'],
    ['secret', [['short', SECRET], ['short']], 'Option secret[0] must be at least 32 bytes long.'],

    ['accessExpiresIn', [null, true, {}, [], NaN, Infinity, [60]], `Option accessExpiresIn must be ${duration}.`],
    ['accessExpiresIn', [0, -1, 1.5, '', '0s', 'soon', '60', '-1h', '101 years', 1e12], `Option accessExpiresIn must be ${duration}, and more than 0.`],
    ['refreshExpiresIn', [null, false, {}, NaN], `Option refreshExpiresIn must be ${duration}.`],
    ['refreshExpiresIn', [0, -1, '', 'never', 'Infinity'], `Option refreshExpiresIn must be ${duration}, and more than 0.`],
    ['refreshExpiresIn', ['2h', 7200, '1h', 1], 'Option accessExpiresIn must be shorter than refreshExpiresIn.'],
    ['accessExpiresIn', ['14d', '15 days', 1_209_600], 'Option accessExpiresIn must be shorter than refreshExpiresIn.'],

    ['userIdClaim', [null, 7, '', [], {}], 'Option userIdClaim must be the name of a claim.'],
    ...['exp', 'iat', 'nbf', 'iss', 'aud', 'jti', 'refresh', 'sid', 'gen', 'n', '__proto__'].map((name): [string, unknown[], string] =>
      ['userIdClaim', [name], `Option userIdClaim must not be the reserved claim ${name}; of the registered names only sub will do.`]),
    ['issuer', [null, '', 7, ['a'], /a/], 'Option issuer must be a non-empty string.'],
    ['audience', [null, '', 7, {}, [], [''], [7], ['a', ''], ['a', 'a'], [['a']]], 'Option audience must be a non-empty string, or a list of different ones.'],
    ['clockTolerance', [null, -1, 60.5, NaN, '10', '10s', true], 'Option clockTolerance must be a number of seconds from 0 to 60.'],
    ['realm', [null, '', 7, 'a\r\nb', 'shop\n', 'shöp', '\t'], 'Option realm must be printable ASCII.'],
    ['cache', [null, -1, 1.5, 1_000_001, Infinity, NaN, true, false, '100', {}], 'Option cache must be a whole number from 0 to 1000000.'],
    ['now', [null, 0, 'now', new Date(), {}], 'Option now must be a function that returns milliseconds.'],

    ['routes', [null, true, 'auth', 7, [], [{ login }], login], 'Option routes must be an object or false.'],
    ['routes', [{}, { login: null }, { login: 'login' }, { login: undefined }], 'Option routes.login must be a function.'],
    ['routes', [{ login, loadUser: null }, { login, loadUser: {} }], 'Option routes.loadUser must be a function.'],
    ['routes', [{ login, path: '' }, { login, path: 'auth' }, { login, path: null }, { login, path: 7 }, { login, path: ['/'] }], path],
    ['routes', [{ login, body: null }, { login, body: 'object' }, { login, body: [] }, { login, body: true }], 'Option routes.body must be a schema.'],
    ['routes', [{ login, tags: 'auth' }, { login, tags: null }, { login, tags: {} }], 'Option routes.tags must be a list of strings.'],
    ['routes', [{ login, schema: null }, { login, schema: [] }, { login, schema: 'x' }], 'Option routes.schema must be an object.'],
    ['routes', [{ login, config: null }], 'Option routes.config must not be null.'],
    ['routes', [{ login, method: 'GET' }], 'Option routes.method is not known.'],
    ['routes', [{ login, url: '/' }], 'Option routes.url is not known.'],
    ['routes', [{ login, handler: login }], 'Option routes.handler is not known.'],
    ['routes', [{ login, logIn: undefined }], 'Option routes.logIn is not known.'],
    ['routes', [JSON.parse('{"__proto__":{"login":1}}')], 'Option routes.login must be a function.'],

    ['sessions', [null, false, true, 'memory', 7, [], [{}], memoryStore], 'Option sessions must be an object.'],
    ['routes', [{ login, reply: null }, { login, reply: {} }], 'Option routes.reply must be a function.'],
    ['cookies', [null, 7, 'access', [], [true], login], 'Option cookies must be true, false or an object.'],
    ['cookies', [{ path: '/' }], 'Option cookies.path is not known.'],
    ['extract', [null, true, 'body', {}, []], 'Option extract must be a function that returns the text of a token, or null.'],
    ['keys', [[], 'k1', null, 7, remoteKeys], 'Option keys must be a list of at least one key, or remoteKeys(url, options).'],
    ['keys', [[ringKey('EdDSA', 'k1')], [7]], 'Option secret must not be set beside keys.'],
    ['jwks', ['/keys', 1, null], 'Option jwks must be true, false or an object.'],
    ['jwks', [{ path: 7 }], 'Option jwks.path must be a string that begins with a slash.'],
    ['jwks', [true, {}], 'Option jwks needs asymmetric keys: a secret has no public part.'],

    ['prefix', ['/api'], 'Option prefix is not known: routes.path says where the ready routes stand.'],
    ['Secret', [SECRET], 'Option Secret is not known.'],
    ['constructor', [Object], 'Option constructor is not known.'],
    ['toString', [String], 'Option toString is not known.']
  ]
  for (const [name, values, message] of cases) {
    for (const value of values) {
      t.throws(
        () => resolveOptions({ secret: SECRET, [name]: value }),
        { code: 'FST_DUAL_TOKEN_OPTION_INVALID', message },
        `${name}: ${inspect(value, { breakLength: Infinity })}`
      )
    }
  }
})

test('without options, the secret is missing', async t => {
  for (const options of [undefined, null, {}, { secret: undefined }]) {
    t.throws(() => resolveOptions(options), {
      code: 'FST_DUAL_TOKEN_OPTION_INVALID', message: 'Option secret is required: at least 32 random bytes.'
    })
  }
})

test('no error sentence contains a secret', async t => {
  const words = 'hunter2-hunter2'
  for (const secret of [words, [words], [SECRET, words], { secret: words }, `-----BEGIN PRIVATE KEY-----${words}${words}`]) {
    t.throws(() => resolveOptions({ secret }), { code: 'FST_DUAL_TOKEN_OPTION_INVALID', message: /^(?!.*hunter2)/s, stack: /^(?!.*hunter2)/s })
  }
})

test('keys replace the secret, and can be published', async t => {
  const settings = resolveOptions({ keys: [ringKey('EdDSA', 'k1'), publicRingKey('ES256', 'k2')], jwks: true, routes: { login } })
  t.strictSame(settings.secrets, [])
  t.same(settings.keys!.map(({ kid, algorithm }) => [kid, algorithm]), [['k1', 'EdDSA'], ['k2', 'ES256']])
  t.strictSame(settings.jwks, { path: '/.well-known/jwks.json', maxAge: 300 })
  t.equal(resolveOptions({ secret: SECRET, jwks: false }).jwks, null)
})

test('an object that remoteKeys has not made is no list of keys', async t => {
  for (const keys of [{}, { keys: [publicRingKey('EdDSA', 'k1')] }, { url: 'https://id.example/' }]) {
    t.throws(() => resolveOptions({ keys }), { code: 'FST_DUAL_TOKEN_OPTION_INVALID', message: 'Option keys must be a list of at least one key.' })
  }
})

test('keys that can only verify work without routes', async t => {
  const keys = [publicRingKey('EdDSA', 'k1')]
  for (const routes of [undefined, false]) t.equal(resolveOptions({ keys, routes }).routes, null)
  t.throws(() => resolveOptions({ keys, routes: { login } }), {
    code: 'FST_DUAL_TOKEN_OPTION_INVALID', message: 'Option routes needs keys that begin with a private one: these can only verify.'
  })
})

test('one invalid key makes the whole ring invalid', async t => {
  t.throws(() => resolveOptions({ keys: [ringKey('EdDSA', 'k1'), { kid: 'k2', algorithm: 'EdDSA' }] }), {
    code: 'FST_DUAL_TOKEN_OPTION_INVALID', message: 'Option keys[1] must have a privateKey or a publicKey.'
  })
})

test('what the routes say of a session needs sessions, and a store that keeps it', async t => {
  const { duties, ...store } = memoryStore()
  const login = () => null
  const label = () => 'desk'
  const refreshExpiresIn = () => '1d'
  const refuses = (routes: object, sessions: object | undefined, message: string) =>
    t.throws(() => resolveOptions({ secret: SECRET, routes: { login, ...routes }, sessions }), { code: 'FST_DUAL_TOKEN_OPTION_INVALID', message })
  refuses({ label }, undefined, 'Option routes.label needs sessions.')
  refuses({ label }, { store }, "Option routes.label needs a session store with the duty 'label', which this one does not name.")
  refuses({ refreshExpiresIn }, { store, sliding: true },
    "Option routes.refreshExpiresIn needs a session store with the duty 'lifetime', which this one does not name.")

  const takes = (routes: object, sessions: object | undefined) =>
    t.doesNotThrow(() => resolveOptions({ secret: SECRET, routes: { login, ...routes }, sessions }))
  takes({ label, refreshExpiresIn }, { store: { ...store, duties }, sliding: true })
  takes({ refreshExpiresIn }, { store })
  takes({ refreshExpiresIn }, undefined)
  takes({}, { store, sliding: true })
})
