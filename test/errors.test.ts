import { readFileSync, readdirSync } from 'node:fs'
import Fastify from 'fastify'
import { test } from 'tap'
import { dualToken, loginRequired } from '../lib/index.ts'
import { bearer } from './support/app.ts'
import { accessToken, SECRET } from './support/tokens.ts'
import { createFault, createRefusalWith, createRefusals, errorTable, type ErrorSuffix, type RefusalSuffix } from '../lib/errors.ts'

const FAULTS = ['OPTION_INVALID', 'USER_INVALID', 'NOT_REGISTERED'] as const
const REFUSALS = Object.keys(errorTable).filter(suffix => !(FAULTS as readonly string[]).includes(suffix)) as RefusalSuffix[]

test('every error is as documented', async t => {
  const invalid = (description: string) => `Bearer error="invalid_token", error_description="${description}"`
  const documented: Record<RefusalSuffix, [number, string, string | undefined]> = {
    ACCESS_MISSING: [401, 'User must be authorized.', 'Bearer'],
    ACCESS_INVALID: [401, 'User must be authorized.', invalid('The access token is not valid')],
    ACCESS_EXPIRED: [401, 'User must be authorized.', invalid('The access token expired')],
    ACCESS_REVOKED: [401, 'User must be authorized.', invalid('The session was ended')],
    ACCESS_IS_REFRESH: [403, 'Do not use refresh token.', invalid('A refresh token is not an access token')],
    ACCESS_NOT_FRESH: [401, 'User must authenticate again.', 'Bearer error="insufficient_user_authentication"'],
    ACCESS_SCOPE: [403, 'Not in the scope of the token.', 'Bearer error="insufficient_scope"'],
    ACCESS_FORBIDDEN: [403, 'Not allowed.', undefined],
    REFRESH_MISSING: [403, 'Wrong Token', undefined],
    REFRESH_INVALID: [403, 'Wrong Token', undefined],
    REFRESH_EXPIRED: [403, 'Wrong Token', undefined],
    REFRESH_IS_ACCESS: [403, 'Wrong Token', undefined],
    REFRESH_REVOKED: [403, 'Wrong Token', undefined],
    REFRESH_REUSED: [403, 'Wrong Token', undefined],
    REFRESH_USER_GONE: [403, 'Wrong Token', undefined],
    PROOF_REQUIRED: [400, 'Proof of possession required.', undefined],
    PROOF_INVALID: [401, 'Wrong proof of possession.', 'DPoP error="invalid_dpop_proof", algs="ES256 EdDSA"'],
    PROOF_NONCE: [401, 'Try again with the nonce.', 'DPoP error="use_dpop_nonce", algs="ES256 EdDSA"'],
    CROSS_ORIGIN: [403, 'Not allowed from this origin.', undefined],
    SESSION_LIMIT: [403, 'Too many sessions.', undefined],
    SESSION_UNKNOWN: [404, 'No such session.', undefined],
    LOGIN_REFUSED: [401, 'Invalid credentials.', 'Bearer'],
    STORE_UNAVAILABLE: [503, 'Try again later.', undefined]
  }
  t.strictSame(REFUSALS, Object.keys(documented))

  const createRefusal = createRefusals(undefined)
  for (const suffix of REFUSALS) {
    const error = createRefusal(suffix)
    t.strictSame([error.statusCode, error.message, error.headers?.['www-authenticate']], documented[suffix], suffix)
    t.equal(error.code, `FST_DUAL_TOKEN_${suffix}`)
    t.ok(error instanceof Error)
  }
})

test('every refusal carries Cache-Control: no-store', async t => {
  for (const realm of [undefined, 'shop']) {
    for (const suffix of REFUSALS) t.equal(createRefusals(realm)(suffix).headers?.['cache-control'], 'no-store', suffix)
  }
})

test('every 401 carries a challenge (RFC 9110 section 15.5.2)', async t => {
  for (const suffix of REFUSALS) {
    const { statusCode, headers } = createRefusals(undefined)(suffix)
    if (statusCode === 401) t.match(headers?.['www-authenticate'], /^(?:Bearer|DPoP)\b/, suffix)
  }
})

test('only a 503 carries Retry-After (RFC 9110 section 10.2.3)', async t => {
  for (const suffix of REFUSALS) {
    const { statusCode, headers } = createRefusals(undefined)(suffix)
    t.equal(headers?.['retry-after'], statusCode === 503 ? '1' : undefined, suffix)
  }
})

test('at a sign-in a bad proof is a 400, and every other refusal is what it is elsewhere', async t => {
  const createRefusal = createRefusals(undefined)
  for (const suffix of REFUSALS) {
    const atSignIn = createRefusal(suffix, 'why', true)
    t.equal(atSignIn.statusCode, suffix.startsWith('PROOF_') ? 400 : createRefusal(suffix).statusCode, suffix)
    t.strictSame([atSignIn.headers, atSignIn.message], [createRefusal(suffix).headers, createRefusal(suffix).message])
  }
})

test('the realm comes first in the challenge, with its quotes and backslashes escaped', async t => {
  const challenge = (realm: string, suffix: RefusalSuffix) => createRefusals(realm)(suffix).headers?.['www-authenticate']
  t.equal(challenge('shop', 'ACCESS_MISSING'), 'Bearer realm="shop"')
  t.equal(challenge('shop', 'ACCESS_EXPIRED'), 'Bearer realm="shop", error="invalid_token", error_description="The access token expired"')
  t.equal(challenge('a "b" \\ c', 'LOGIN_REFUSED'), 'Bearer realm="a \\"b\\" \\\\ c"')
  t.equal(challenge('shop', 'REFRESH_MISSING'), undefined)
})

test('a refusal that is bound to a value ends its challenge in it, after the realm', async t => {
  const refuse = createRefusalWith('shop', 'ACCESS_NOT_FRESH', '600')
  t.match(refuse('auth_time'), {
    code: 'FST_DUAL_TOKEN_ACCESS_NOT_FRESH',
    statusCode: 401,
    cause: { message: 'auth_time' },
    headers: { 'cache-control': 'no-store', 'www-authenticate': 'Bearer realm="shop", error="insufficient_user_authentication", max_age="600"' }
  })
  t.equal(refuse().headers, refuse().headers, 'they are made once')
  t.ok(Object.isFrozen(refuse().headers))
  t.equal(createRefusalWith(undefined, 'ACCESS_SCOPE', 'a b')().headers?.['www-authenticate'], 'Bearer error="insufficient_scope", scope="a b"')
})

test('the headers of a refusal cannot be changed for the next one', async t => {
  const createRefusal = createRefusals(undefined)
  const { headers } = createRefusal('ACCESS_MISSING')
  t.ok(Object.isFrozen(headers))
  t.equal(createRefusal('ACCESS_MISSING').headers, headers)
})

test('the reason is the cause, and not in the message', async t => {
  const createRefusal = createRefusals(undefined)
  const error = createRefusal('ACCESS_INVALID', 'signature')
  t.match(error.cause, { message: 'signature' })
  t.equal(error.message, 'User must be authorized.')
  t.equal(createRefusal('ACCESS_INVALID').cause, undefined)
})

test('a refusal and its reason have no stack frames; a fault has', async t => {
  const { stackTraceLimit } = Error
  const refusal = createRefusals(undefined)('ACCESS_INVALID', 'signature')
  t.equal(refusal.stack, undefined)
  t.ok(refusal instanceof Error && refusal.cause instanceof Error)
  t.equal((refusal.cause as Error).stack, 'Error: signature')
  t.match(createFault('USER_INVALID', 'No user.').stack, /\n +at /)
  t.equal(Error.stackTraceLimit, stackTraceLimit)
})

test('a refusal is one short line in the log: its code, its message and its reason', async t => {
  const lines: string[] = []
  const app = Fastify({ logger: { stream: { write: line => { lines.push(line) } } }, disableRequestLogging: false })
  t.teardown(() => app.close())
  await app.register(dualToken, { secret: SECRET })
  app.get('/me', { preHandler: loginRequired }, async () => 'in')
  await app.inject({ url: '/me', headers: bearer(accessToken({ exp: 1 })) })
  const line = lines.find(line => line.includes('FST_DUAL_TOKEN_ACCESS_EXPIRED'))!
  t.match(JSON.parse(line), { err: { code: 'FST_DUAL_TOKEN_ACCESS_EXPIRED', message: /^User must be authorized\.: exp/ } })
  t.notMatch(line, /\bat /)
  t.ok(line.length < 600, `${line.length} characters`)
})

test('a fault is a 500 that says its sentence as it is', async t => {
  for (const suffix of FAULTS) {
    for (const sentence of ['Option a must be b.', '100 %s sure, %d of %j']) {
      t.match(createFault(suffix, sentence), { code: `FST_DUAL_TOKEN_${suffix}`, statusCode: 500, message: sentence, headers: undefined })
    }
  }
})

test('every code in the table is used', async t => {
  const folder = new URL('../lib/', import.meta.url)
  const source = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(file => file.endsWith('.ts') && file !== 'errors.ts')
    .map(file => readFileSync(new URL(file, folder), 'utf8'))
    .join('\n')
  const kinds = [...source.matchAll(/refused\('([A-Z]+)'/g)].map(([, kind]) => kind!)
  const used = new Set([...source.matchAll(/'([A-Z]+(?:_[A-Z]+)+)'/g)].map(([, suffix]) => suffix!))
  for (const [, wanted] of source.matchAll(/suffixOf\('([A-Z]+)'/g)) {
    for (const kind of kinds) used.add(`${wanted}_${kind}`)
  }
  for (const suffix of Object.keys(errorTable) as ErrorSuffix[]) t.ok(used.has(suffix), suffix)
})
