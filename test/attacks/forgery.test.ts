// Forged, twisted and oversized tokens: all refused, and all alike to the last byte, so that a refusal teaches nothing.
import { createHmac, createSign, generateKeyPairSync } from 'node:crypto'
import Fastify from 'fastify'
import { test, type Test } from 'tap'
import { dualToken, type DualTokenOptions } from '../../lib/index.ts'
import { bearer, createApp } from '../support/app.ts'
import { accessClaims, accessToken, encode, forge, mint, NOW, OTHER_SECRET, type Payload, refreshClaims, refreshToken, seal, SECRET } from '../support/tokens.ts'
import { listen, request } from '../support/wire.ts'

type Attack = readonly [name: string, token: string]

const HEADER = '{"alg":"HS256","typ":"JWT"}'
const ACCESS = JSON.stringify(accessClaims())
const REFRESH = JSON.stringify(refreshClaims())
const SENDABLE = /^[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?$/

/** Each attack gets, from `GET /me` and from `PUT /authorizations`, the very bytes that plain nonsense gets. */
async function refusesAlike (t: Test, attacks: readonly Attack[], options: Partial<DualTokenOptions> = {}): Promise<void> {
  const { app } = await createApp(t, options)
  const port = await listen(app)
  const send = async (target: string, token: string) => (await request(port, target, [`Authorization: Bearer ${token}`])).bytes
  const [me, renewal] = [await send('GET /me', 'nonsense'), await send('PUT /authorizations', 'nonsense')]
  t.match(me, /^HTTP\/1\.1 401 [^]+FST_DUAL_TOKEN_ACCESS_INVALID/)
  t.match(renewal, /^HTTP\/1\.1 403 [^]+FST_DUAL_TOKEN_REFRESH_INVALID/)

  for (const [name, token] of attacks) {
    t.throws(() => app.dualToken.verifyToken(token), { code: 'FST_DUAL_TOKEN_ACCESS_INVALID' }, name)
    if (!SENDABLE.test(token)) continue
    t.equal(await send('GET /me', token), me, `${name}, as an access token`)
    t.equal(await send('PUT /authorizations', token), renewal, `${name}, as a refresh token`)
  }
}

/** The same attack on an access and on a refresh token. */
function both (name: string, attack: (payload: string) => string): Attack[] {
  return [[`${name} (access)`, attack(ACCESS)], [`${name} (refresh)`, attack(REFRESH)]]
}

/** The same twist of the claims of either kind. */
function twist (name: string, more: Payload): Attack[] {
  return [[`${name} (access)`, accessToken(more)], [`${name} (refresh)`, refreshToken(more)]]
}

/** The claims as JSON.stringify writes them, with the text of one of them, or of one more, replaced. */
function withText (claim: string, text: string, payload = ACCESS): string {
  const members = Object.entries(JSON.parse(payload) as Payload).filter(([name]) => name !== claim)
  const rest = members.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`)
  return `{${[...rest, `${JSON.stringify(claim)}:${text}`].join(',')}}`
}

test('the tokens these attacks are made from are good', async t => {
  const { app } = await createApp(t)
  const port = await listen(app)
  t.equal((await request(port, 'GET /me', [`Authorization: Bearer ${forge(HEADER, ACCESS)}`])).status, 200)
  t.equal((await request(port, 'PUT /authorizations', [`Authorization: Bearer ${forge(HEADER, REFRESH)}`])).status, 201)
  t.equal((await request(port, 'GET /me', [`Authorization: Bearer ${forge(HEADER, withText('user_id', '8'))}`])).status, 200)
})

test('a token without a signature is refused, whatever its alg', t =>
  refusesAlike(t, ['none', 'None', 'NONE', 'nOnE', ''].flatMap(alg => both(`alg "${alg}"`, payload => {
    const header = encode(JSON.stringify({ alg, typ: 'JWT' }))
    return `${header}.${encode(payload)}.`
  })).concat(['none', 'nOnE', ''].flatMap(alg => both(`alg "${alg}" with a good HMAC`, payload =>
    forge(JSON.stringify({ alg, typ: 'JWT' }), payload)))
  ).concat(both('HS256 with an empty signature', payload => `${encode(HEADER)}.${encode(payload)}.`))))

test('another algorithm under the same secret is refused', t =>
  refusesAlike(t, [['HS384', 'sha384'], ['HS512', 'sha512'], ['HS1', 'sha1'], ['HS256', 'sha512'], ['HS512', 'sha256']].flatMap(([alg, hash]) =>
    both(`${alg} by ${hash}`, payload => {
      const input = `${encode(JSON.stringify({ alg, typ: 'JWT' }))}.${encode(payload)}`
      return `${input}.${createHmac(hash!, SECRET).update(input).digest('base64url')}`
    }))))

test('an asymmetric algorithm is refused, whoever signed', async t => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  await refusesAlike(t, ['RS256', 'PS256', 'ES256', 'EdDSA', 'Ed25519', 'ES256K'].flatMap(alg => [
    ...both(`${alg} by a foreign key`, payload => {
      const input = `${encode(JSON.stringify({ alg, typ: 'JWT' }))}.${encode(payload)}`
      return `${input}.${createSign('sha256').update(input).sign(privateKey, 'base64url')}`
    }),
    ...both(`${alg} by our HMAC`, payload => forge(JSON.stringify({ alg, typ: 'JWT' }), payload))
  ]))
})

test('a public key as the secret fails the boot, because an attacker could sign with it', async t => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const pem = publicKey.export({ type: 'spki', format: 'pem' })
  for (const secret of [
    pem,
    ` \n${pem}`,
    Buffer.from(pem),
    Buffer.from(pem).toString('base64'),
    publicKey.export({ type: 'pkcs1', format: 'pem' }),
    privateKey.export({ type: 'pkcs8', format: 'pem' }),
    JSON.stringify(publicKey.export({ format: 'jwk' })),
    JSON.stringify({ keys: [publicKey.export({ format: 'jwk' })] })
  ]) {
    await t.rejects(async () => { await Fastify().register(dualToken, { secret }) }, { code: 'FST_DUAL_TOKEN_OPTION_INVALID' })
    await t.rejects(async () => { await Fastify().register(dualToken, { secret: [SECRET, secret] }) }, { code: 'FST_DUAL_TOKEN_OPTION_INVALID' })
  }
})

test('a key inside the token is ignored', t => {
  const own = 'a secret of the attacker\'s, long enough to sign'
  const jwk = { kty: 'oct', k: encode(own) }
  return refusesAlike(t, [
    { jwk },
    { jwk: null },
    { jku: 'https://attacker.example/jwks.json' },
    { x5u: 'https://attacker.example/cert.pem' },
    { x5c: ['MIIB'] },
    { x5t: 'dGh1bWI' },
    { 'x5t#S256': 'dGh1bWI' },
    { x5: 'any other x5' }
  ].flatMap(more => [
    ...both(`${Object.keys(more)} under our secret`, payload => forge(JSON.stringify({ alg: 'HS256', ...more }), payload)),
    ...both(`${Object.keys(more)} under another`, payload => forge(JSON.stringify({ alg: 'HS256', ...more }), payload, own))
  ]))
})

test('a header that asks for an extension is refused', t =>
  refusesAlike(t, [
    '"crit":["exp"],"exp":1',
    '"crit":["b64"],"b64":false',
    '"crit":["b64"],"b64":true',
    '"crit":["http://example.com/UNDEFINED"],"http://example.com/UNDEFINED":true',
    '"crit":[]',
    '"crit":null',
    '"crit":[["alg"]]',
    '"b64":false',
    '"b64":true',
    '"b64":null',
    '"\\u0063rit":[]',
    '"b64":false,"crit":["b64"],"typ":"JWT"'
  ].flatMap(more => both(more, payload => forge(`{"alg":"HS256",${more}}`, payload)))))

test('an unencoded payload (RFC 7797) is refused', t => {
  const header = encode('{"alg":"HS256","b64":false,"crit":["b64"]}')
  return refusesAlike(t, [['raw payload', seal(header, ACCESS)], ['detached payload', seal(header, '')]])
})

test('a kid is never used as a path, URL or query', t =>
  refusesAlike(t, [
    '../../../../../../dev/null',
    '/proc/sys/kernel/randomize_va_space',
    'C:\\Windows\\win.ini',
    '\' UNION SELECT \'secret\' -- ',
    '1; DROP TABLE keys',
    '| curl attacker.example',
    'http://attacker.example/key',
    '__proto__',
    'constructor',
    'toString',
    '0',
    '\u0000',
    '',
    'k'.repeat(2000)
  ].flatMap(kid => ['', ' '.repeat(32), 'secret', OTHER_SECRET].map(secret =>
    [`kid ${kid.slice(0, 40)} under "${secret}"`, forge(JSON.stringify({ alg: 'HS256', kid }), ACCESS, secret)] as const))))

test('a kid of 10 KB is too long, even under our secret', t =>
  refusesAlike(t, both('long kid', payload => forge(JSON.stringify({ alg: 'HS256', kid: 'k'.repeat(10_240) }), payload))))

test('the last of two header members with the same name counts', async t => {
  await refusesAlike(t, [
    ...both('HS256, then none', payload => forge('{"alg":"HS256","alg":"none"}', payload)),
    ...both('HS256, then none by another spelling', payload => forge('{"alg":"HS256","\\u0061lg":"none"}', payload)),
    ...both('HS256, then null', payload => forge('{"alg":"HS256","alg":null}', payload))
  ])
  const { app } = await createApp(t)
  t.equal(app.dualToken.verifyToken(forge('{"alg":"none","alg":"HS256"}', ACCESS)).user_id, 7)
})

test('the last of two claims with the same name counts', async t => {
  const doubled = (first: string, last: string) => forge(HEADER, ACCESS.replace(/.$/, `,${first},${last}}`))
  await refusesAlike(t, [
    ['user id, then none', doubled('"user_id":7', '"user_id":null')],
    ['exp, then a string', doubled(`"exp":${NOW + 60}`, `"exp":"${NOW + 60}"`)],
    ['refresh, then 1', doubled('"refresh":true', '"refresh":1')],
    ['by another spelling', doubled('"user_id":7', '"user\\u005fid":null')]
  ])
  const { app } = await createApp(t)
  t.equal(app.dualToken.verifyToken(doubled('"user_id":8', '"user_id":9')).user_id, 9)
})

test('claims come from the payload itself, not from what it nests or inherits', t =>
  refusesAlike(t, [
    ['inside __proto__', forge(HEADER, `{"__proto__":${ACCESS}}`)],
    ['inside constructor.prototype', forge(HEADER, `{"constructor":{"prototype":${ACCESS}}}`)],
    ['inside payload', forge(HEADER, `{"payload":${ACCESS}}`)],
    ['inside a list', forge(HEADER, `[${ACCESS}]`)],
    ['the id inside __proto__', forge(HEADER, `{"refresh":false,"exp":${NOW + 60},"__proto__":{"user_id":7}}`)],
    ['the alg inside __proto__', forge('{"__proto__":{"alg":"HS256"}}', ACCESS)],
    ['the alg inside constructor', forge('{"constructor":{"alg":"HS256"}}', ACCESS)],
    ['the claims in the header', forge(`{"alg":"HS256",${ACCESS.slice(1)}`, '{}')]
  ]))

test('__proto__ and constructor among good claims change no prototype', async t => {
  const { app } = await createApp(t)
  app.get('/prototype', { preHandler: app.loginRequired }, async request => ({
    inherited: Reflect.ownKeys(Object.getPrototypeOf(request.user)),
    admin: (request.user as unknown as Payload).admin ?? null,
    copied: Object.assign({} as Payload, request.user).admin ?? null,
    nested: Reflect.ownKeys(Object.getPrototypeOf((request.user as unknown as Payload).nested)),
    polluted: ({} as Payload).admin ?? null
  }))
  const evil = '"__proto__":{"admin":true}'
  const token = forge(HEADER, ACCESS.replace(/.$/, `,${evil},"constructor":{"prototype":{"admin":true}},"nested":{${evil}}}`))
  const reply = await app.inject({ url: '/prototype', headers: bearer(token) })
  t.same(reply.json(), { inherited: [], admin: null, copied: null, nested: [], polluted: null })
})

test('anything but strict UTF-8 JSON is refused', t => {
  const bytes = (...parts: Array<string | number[]>) => Buffer.concat(parts.map(part => Buffer.from(part as string)))
  const [start, end] = ACCESS.split('7,', 1).concat(ACCESS.slice(ACCESS.indexOf('7,') + 1)) as [string, string]
  const badBytes: Array<readonly [string, number[]]> = [
    ['a lone continuation byte', [0x80]],
    ['a byte that never occurs', [0xff]],
    ['an overlong slash', [0xc0, 0xaf]],
    ['an overlong NUL', [0xc0, 0x80]],
    ['a lone high surrogate', [0xed, 0xa0, 0x80]],
    ['a surrogate pair as CESU-8', [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80]],
    ['beyond U+10FFFF', [0xf4, 0x90, 0x80, 0x80]],
    ['a cut sequence', [0xe2, 0x82]]
  ]
  return refusesAlike(t, [
    ...badBytes.flatMap(([name, bad]) => [
      [`${name} in an id`, forge(HEADER, bytes(start, '"', bad, '"', end))],
      [`${name} in another claim`, forge(HEADER, bytes(ACCESS.slice(0, -1), ',"name":"', bad, '"}'))],
      [`${name} in a claim's name`, forge(HEADER, bytes(ACCESS.slice(0, -1), ',"', bad, '":1}'))],
      [`${name} in the header`, forge(bytes('{"alg":"HS256","typ":"', bad, '"}'), ACCESS)]
    ] as const),
    ['a BOM before the payload', forge(HEADER, `\ufeff${ACCESS}`)],
    ['a BOM before the header', forge(`\ufeff${HEADER}`, ACCESS)],
    ['UTF-16 payload', forge(HEADER, Buffer.from(ACCESS, 'utf16le'))],
    ['UTF-16 header', forge(Buffer.from(HEADER, 'utf16le'), ACCESS)],
    ['a raw control character', forge(HEADER, withText('name', '"\u0001"'))],
    ['a raw newline in a string', forge(HEADER, withText('name', '"\n"'))],
    ['a NUL after the payload', forge(HEADER, `${ACCESS}\0`)],
    ['only blanks', forge(HEADER, ' \t\r\n')],
    ['blanks as the header', forge('  ', ACCESS)],
    ['two objects', forge(HEADER, ACCESS + ACCESS)],
    ['a cut object', forge(HEADER, ACCESS.slice(0, -1))],
    ['a trailing comma', forge(HEADER, ACCESS.replace(/.$/, ',}'))],
    ['a comment', forge(HEADER, ACCESS.replace(/.$/, '/* */}'))],
    ['single quotes', forge(HEADER, ACCESS.replaceAll('"', "'"))],
    ['bare names', forge(HEADER, ACCESS.replaceAll('"', ''))],
    ['a hexadecimal number', forge(HEADER, withText('exp', '0x7fffffff'))],
    ['a number with a plus', forge(HEADER, withText('exp', `+${NOW + 60}`))],
    ['a number with a leading zero', forge(HEADER, withText('exp', `0${NOW + 60}`))],
    ['undefined', forge(HEADER, withText('user_id', 'undefined'))]
  ])
})

test('whitespace and escapes that JSON allows do not matter', async t => {
  const { app } = await createApp(t)
  for (const payload of [JSON.stringify(accessClaims(), null, 2), ` \t\r\n${ACCESS}\n`, ACCESS.replace('user_id', '\\u0075ser_id')]) {
    t.equal(app.dualToken.verifyToken(forge(HEADER, payload)).user_id, 7)
    t.equal(app.dualToken.verifyToken(forge(` ${HEADER}\n`, payload)).user_id, 7)
  }
})

test('deep nesting overflows nothing', async t => {
  const deep = '['.repeat(1400) + ']'.repeat(1400)
  await refusesAlike(t, [
    ['payload', forge(HEADER, deep)],
    ['header', forge(deep, ACCESS)],
    ['unclosed', forge(HEADER, '['.repeat(2900))],
    ['objects, under another secret', forge(HEADER, withText('deep', '{"a":'.repeat(400) + '1' + '}'.repeat(400)), OTHER_SECRET)]
  ])
  const { app } = await createApp(t)
  for (const token of [forge(HEADER, withText('deep', deep)), forge(`{"alg":"HS256","deep":${deep}}`, ACCESS)]) {
    t.equal((await app.inject({ url: '/me', headers: bearer(token) })).statusCode, 200, 'ours, however strange')
  }
})

test('anything but three base64url segments is refused', t => {
  const token = accessToken()
  const [header, payload, signature] = token.split('.') as [string, string, string]
  const bytes = Buffer.from(signature, 'base64url')
  return refusesAlike(t, [
    ['one segment', header],
    ['two segments', `${header}.${payload}`],
    ['two segments and a dot', `${header}.${payload}.`],
    ['four segments', `${token}.${signature}`],
    ['four segments, the last empty', `${token}.`],
    ['five segments, as a JWE', `${header}.${payload}.${signature}.${signature}.${signature}`],
    ['an empty header', seal('', payload)],
    ['an empty payload', seal(header, '')],
    ['two dots', '..'],
    ['a dot in front', `.${token}`],
    ['padding at the end', `${token}=`],
    ['padding everywhere', `${header}=.${payload}==.${signature}=`],
    ['padding in the payload, signed', seal(header, `${payload}=`)],
    ['padding in the header, signed', seal(`${header}=`, payload)],
    ['standard base64 alphabet, signed', seal(header, Buffer.from(JSON.stringify(accessClaims({ name: '???>>>' }))).toString('base64').replaceAll('=', ''))],
    ['a plus', `${token.slice(0, -2)}+${token.at(-1)}`],
    ['a slash', `${token.slice(0, -2)}/${token.at(-1)}`],
    ['a newline at the end', `${token}\n`],
    ['a carriage return and newline', `${token}\r\n`],
    ['a newline inside, signed', seal(header, `${payload.slice(0, 8)}\n${payload.slice(8)}`)],
    ['a blank inside', `${header}. ${payload}.${signature}`],
    ['a blank inside, signed', seal(header, `${payload.slice(0, 8)} ${payload.slice(8)}`)],
    ['a tab in front', `\t${token}`],
    ['a NUL at the end', `${token}\0`],
    ['a percent sign', `${header}%2E${payload}%2E${signature}`],
    ['fullwidth letters', token.replace('e', '\uff45')],
    ['a Latin-1 letter', `${token.slice(0, -1)}\xe9`],
    ['a letter beyond Latin-1 whose low byte is one of ours', `${token.slice(0, -1)}${String.fromCharCode(0x100 + token.charCodeAt(token.length - 1))}`],
    ['a header one character too long for base64', seal(`${header}A`.padEnd(41, 'A'), payload)],
    ['a payload one character too long for base64', seal(header, encode('{}  ').slice(0, 5))],
    ['a truncated signature', token.slice(0, -1)],
    ['half a signature', `${header}.${payload}.${bytes.subarray(0, 16).toString('base64url')}`],
    ['a signature of one byte', `${header}.${payload}.${bytes.subarray(0, 1).toString('base64url')}`],
    ['a signature of one character', `${header}.${payload}.A`],
    ['a signature with an extra byte', `${header}.${payload}.${Buffer.concat([bytes, Buffer.of(0)]).toString('base64url')}`],
    ['a signature twice', `${header}.${payload}.${Buffer.concat([bytes, bytes]).toString('base64url')}`],
    ['a signature of zeros', `${header}.${payload}.${Buffer.alloc(32).toString('base64url')}`],
    ['a signature in hexadecimal', `${header}.${payload}.${bytes.toString('hex')}`],
    ['a signature with one bit changed', `${header}.${payload}.${Buffer.from(bytes.map((byte, i) => i === 31 ? byte ^ 1 : byte)).toString('base64url')}`],
    ['the signature of another token', `${header}.${payload}.${accessToken({ user_id: 8 }).split('.')[2]}`],
    ['the payload of another token', `${header}.${encode(REFRESH)}.${signature}`],
    ['JWS JSON serialization, flattened', JSON.stringify({ protected: header, payload, signature })],
    ['JWS JSON serialization, general', JSON.stringify({ payload, signatures: [{ protected: header, signature }] })],
    ['in quotes', `"${token}"`],
    ['with a second token', `${token} ${token}`],
    ['with a second token after a comma', `${token},${token}`],
    ['as an auth-param', `token="${token}"`],
    ['a second scheme', `Bearer ${token}`]
  ])
})

test('a token of 4096 characters is verified, one of 4097 is not', async t => {
  const { app } = await createApp(t)
  const ofLength = (length: number): string => {
    for (let size = length; size > 0; size--) {
      const token = accessToken({ pad: 'p'.repeat(size) })
      if (token.length === length) return token
    }
    const header = encode(`${HEADER} `)
    for (let size = length; size > 0; size--) {
      const token = seal(header, encode(JSON.stringify(accessClaims({ pad: 'p'.repeat(size) }))))
      if (token.length === length) return token
    }
    throw new Error(`no token has ${length} characters`)
  }
  t.equal((await app.inject({ url: '/me', headers: bearer(ofLength(4096)) })).statusCode, 200)
  await refusesAlike(t, [['4097', ofLength(4097)], ['4098', ofLength(4098)], ['14,000', `${accessToken()}${'A'.repeat(14_000)}`]])
})

test('a token under another secret is refused', t =>
  refusesAlike(t, [OTHER_SECRET, '', SECRET.slice(0, -1), `${SECRET} `, SECRET.toUpperCase(), encode(SECRET), Buffer.alloc(32)].flatMap(secret =>
    both(`secret "${secret}"`, payload => forge(HEADER, payload, secret)))))

test('a token whose refresh is anything but a boolean is refused', t =>
  refusesAlike(t, ['true', 'false', 1, 0, null, undefined, '', [], [true], {}].map(refresh =>
    [`refresh ${JSON.stringify(refresh)}`, accessToken({ refresh })] as const)))

test('a user id other than a non-empty string or a safe non-zero integer is refused', t =>
  refusesAlike(t, [
    ...[0, '', null, undefined, {}, [], [7], ['7'], { id: 7 }, true, false, 1.5].flatMap(id => twist(`id ${JSON.stringify(id)}`, { user_id: id })),
    ...['-0', '0.0', '0e9', '9007199254740992', '9007199254740993', '-9007199254740992', '1e20', '1e999', '-1e999', '0.5', '7.25', '5e-324']
      .map(text => [`id ${text}`, forge(HEADER, withText('user_id', text))] as const),
    ['id too long for a token', accessToken({ user_id: 'u'.repeat(4000) })]
  ]))

test('a user id at the limits of the rule is kept exactly', async t => {
  const { app } = await createApp(t)
  for (const id of [1, -1, 2 ** 53 - 1, -(2 ** 53 - 1), '0', ' ', 'null', '__proto__', '\u0000', '\u{1f600}', 'u'.repeat(2000)]) {
    const reply = await app.inject({ url: '/me', headers: bearer(accessToken({ user_id: id })) })
    t.equal(reply.json().user.user_id, id)
  }
})

test('under sub a user id is a string', t =>
  refusesAlike(t, [
    ...[7, 0, '', null, undefined, {}, ['7']].flatMap(sub => twist(`sub ${JSON.stringify(sub)}`, { user_id: undefined, sub })),
    ...twist('user_id beside no sub', {})
  ], { userIdClaim: 'sub' }))

test('a token that lives longer than its kind does is refused', t =>
  refusesAlike(t, [
    ...[7261, 10 * 365 * 86_400, 1e15].flatMap(life => [[`access for ${life} s`, accessToken({ exp: NOW + life })] as const]),
    ...[1_209_661, 10 * 365 * 86_400, 1e15].flatMap(life => [[`refresh for ${life} s`, refreshToken({ exp: NOW + life })] as const]),
    ...twist('without exp', { exp: undefined }),
    ...twist('exp null', { exp: null }),
    ...twist('exp in milliseconds', { exp: (NOW + 60) * 1000 }),
    ['exp 1e999', forge(HEADER, withText('exp', '1e999'))],
    ['an access token with the exp of a refresh token', accessToken({ exp: NOW + 1_209_600 })]
  ]))

test('a token from the future is refused beyond the skew of 60 seconds, and welcome within it', async t => {
  await refusesAlike(t, [
    ...twist('iat', { iat: NOW + 61 }),
    ...twist('iat in milliseconds', { iat: NOW * 1000 }),
    ...twist('nbf', { nbf: NOW + 1 }),
    ...[`${NOW}`, null, {}, [], true].flatMap(iat => twist(`iat ${JSON.stringify(iat)}`, { iat })),
    ...[`${NOW}`, null, {}, [], true].flatMap(nbf => twist(`nbf ${JSON.stringify(nbf)}`, { nbf })),
    ['iat 1e999', forge(HEADER, withText('iat', '1e999'))],
    ['iat -1e999', forge(HEADER, withText('iat', '-1e999'))],
    ['nbf -1e999', forge(HEADER, withText('nbf', '-1e999'))]
  ])
  const { app } = await createApp(t)
  for (const more of [{ iat: NOW + 60, exp: NOW + 7260 }, { nbf: NOW }, { nbf: -1 }, { iat: undefined }, { iat: 0 }]) {
    t.equal(app.dualToken.verifyToken(accessToken(more)).user_id, 7)
  }
})

test('a token for or from somebody else is refused', async t => {
  const options = { issuer: 'us', audience: 'orders' }
  const good = { iss: 'us', aud: 'orders' }
  await refusesAlike(t, [
    ...[undefined, null, '', 'US', 'us ', ['us'], [['us']], { 0: 'us' }, 0, true, 'them'].flatMap(iss => twist(`iss ${JSON.stringify(iss)}`, { ...good, iss })),
    ...[undefined, null, '', 'ORDERS', [], [''], [['orders']], { orders: true }, ['stock'], 'orders,stock', 'orders stock', 0, true].flatMap(aud =>
      twist(`aud ${JSON.stringify(aud)}`, { ...good, aud }))
  ], options)
  const { app } = await createApp(t, options)
  for (const aud of ['orders', ['orders'], ['stock', 'orders'], ['orders', 7, null]]) {
    t.equal(app.dualToken.verifyToken(accessToken({ ...good, aud })).user_id, 7)
  }
})

test('only a correctly signed token is reported as expired', async t => {
  const { app } = await createApp(t)
  const past = { iat: NOW - 7200, exp: NOW }
  t.throws(() => app.dualToken.verifyToken(accessToken(past)), { code: 'FST_DUAL_TOKEN_ACCESS_EXPIRED' })
  t.throws(() => app.dualToken.verifyToken(refreshToken(past)), { code: 'FST_DUAL_TOKEN_ACCESS_EXPIRED' })
  await refusesAlike(t, [
    ['expired, forged', accessToken(past, OTHER_SECRET)],
    ['expired, alg none', `${encode('{"alg":"none"}')}.${encode(JSON.stringify(accessClaims(past)))}.`],
    ['expired, crit', forge('{"alg":"HS256","crit":[]}', JSON.stringify(accessClaims(past)))]
  ])
})

test('anything but a string is no token', async t => {
  const { app } = await createApp(t)
  for (const token of [undefined, null, 7, {}, [], [accessToken()], Buffer.from(accessToken()), Object(accessToken()), { toString: () => accessToken() }]) {
    t.throws(() => app.dualToken.verifyToken(token as string), { code: 'FST_DUAL_TOKEN_ACCESS_INVALID' })
  }
})

test('a payload under the signature of another payload is refused', async t => {
  const { app } = await createApp(t)
  const token = accessToken()
  t.equal(app.dualToken.verifyToken(token).user_id, 7, 'remembered')
  const [header, , signature] = token.split('.')
  t.throws(() => app.dualToken.verifyToken(`${header}.${encode(JSON.stringify(accessClaims({ user_id: 8 })))}.${signature}`),
    { code: 'FST_DUAL_TOKEN_ACCESS_INVALID' })
  t.throws(() => app.dualToken.verifyToken(mint(accessClaims({ user_id: 8 }), OTHER_SECRET)), { code: 'FST_DUAL_TOKEN_ACCESS_INVALID' })
})

test('with a clock that returns no time, every token is invalid', async t => {
  for (const moment of [NaN, Infinity, -Infinity]) {
    const { app } = await createApp(t, { now: () => moment })
    t.throws(() => app.dualToken.verifyToken(accessToken()), { code: /ACCESS_(?:INVALID|EXPIRED)$/ }, String(moment))
  }
})
