// Tokens as PyJWT makes and reads them: rebuilt here, and by a real PyJWT where a Python that has it is found.
import { spawnSync } from 'node:child_process'
import { test, type Test } from 'tap'
import { bearer, createApp } from '../support/app.ts'
import { encode, forge, NOW, type Payload, seal, SECRET } from '../support/tokens.ts'

/** Both the headers PyJWT has written over the years. */
const HEADERS = ['{"alg":"HS256","typ":"JWT"}', '{"typ":"JWT","alg":"HS256"}']

/** The pair of one sign-in over there: exp, user_id and refresh, in this order and nothing else. */
function pairOf (header: string, userId: string | number) {
  const token = (refresh: boolean, lifetime: number) => forge(header, `{"exp":${NOW + lifetime},"user_id":${JSON.stringify(userId)},"refresh":${refresh}}`)
  return { access: token(false, 7200), refresh: token(true, 1_209_600) }
}

test('a pair made by PyJWT works here, each token with its guard', async t => {
  const { app } = await createApp(t)
  for (const header of HEADERS) {
    for (const userId of [7, 'seven', '\u00fcn\u00efc\u00f6de']) await serves(t, app, pairOf(header, userId), userId)
  }
})

test('json.dumps of PyJWT 1 writes a blank after commas and colons, which does not matter', async t => {
  const { app } = await createApp(t)
  const payload = `{"exp": ${NOW + 7200}, "user_id": 7, "refresh": false}`
  t.equal(app.dualToken.verifyToken(forge('{"typ": "JWT", "alg": "HS256"}', payload)).user_id, 7)
  t.equal(app.dualToken.verifyToken(forge(HEADERS[0]!, payload.replace('7,', '"\\u00fc",'))).user_id, '\u00fc')
})

test('a token without refresh, which the original takes for an access token, is nobody\'s here', async t => {
  const { app } = await createApp(t)
  const token = seal(encode(HEADERS[0]!), encode(`{"exp":${NOW + 7200},"user_id":7}`))
  t.throws(() => app.dualToken.verifyToken(token), { code: 'FST_DUAL_TOKEN_ACCESS_INVALID' })
})

type AppUnderTest = Awaited<ReturnType<typeof createApp>>['app']

async function serves (t: Test, app: AppUnderTest, { access, refresh }: { access: string, refresh: string }, userId: string | number): Promise<void> {
  t.match((await app.inject({ url: '/me', headers: bearer(access) })).json(), { user: { user_id: userId, refresh: false } })
  t.match((await app.inject({ url: '/renewal', headers: bearer(refresh) })).json(), { user: { user_id: userId, refresh: true } })
  t.equal((await app.inject({ url: '/me', headers: bearer(refresh) })).statusCode, 403)
  t.equal((await app.inject({ url: '/renewal', headers: bearer(access) })).statusCode, 403)
  t.equal((await app.inject({ method: 'PUT', url: '/authorizations', headers: bearer(refresh) })).statusCode, 201)
}

const candidates = [process.env.PYTHON, '/usr/bin/python3', 'python3'].filter(name => name !== undefined && name !== '') as string[]
const python = candidates.find(name => spawnSync(name, ['-c', 'import jwt; jwt.encode, jwt.decode']).status === 0)
const skip = python === undefined && process.env.REQUIRE_PYJWT !== '1' ? `none of ${candidates.join(', ')} has PyJWT` : false

/** Runs Python on JSON from its input to JSON on its output. */
function runPython (t: Test, script: string, input: unknown): unknown {
  if (python === undefined) return t.fail(`REQUIRE_PYJWT is 1, but none of ${candidates.join(', ')} has PyJWT`)
  const { status, stdout, stderr } = spawnSync(python, ['-c', script], { input: JSON.stringify(input), encoding: 'utf8' })
  t.equal(status, 0, stderr)
  return JSON.parse(stdout)
}

const ENCODE = `
import json, sys, jwt
given = json.load(sys.stdin)
def encode(user_id, refresh, seconds):
    token = jwt.encode({'exp': given['now'] + seconds, 'user_id': user_id, 'refresh': refresh}, given['secret'], algorithm='HS256')
    return token if isinstance(token, str) else token.decode()
print(json.dumps([{'access': encode(id, False, 7200), 'refresh': encode(id, True, 1209600)} for id in given['ids']]))
`

const DECODE = `
import json, sys, jwt
given = json.load(sys.stdin)
# Their clock is the real one and ours stands still: of the expiry alone we look at the number ourselves.
options = {'verify_exp': False, 'verify_iat': False}
def decode(token, secret, algorithms):
    try:
        return jwt.decode(token, secret, algorithms=algorithms, options=options)
    except jwt.InvalidTokenError as error:
        return type(error).__name__
print(json.dumps([[decode(token, *how) for how in given['hows']] for token in given['tokens']]))
`

test('tokens of the real PyJWT work here', { skip }, async t => {
  const { app } = await createApp(t)
  const ids = [7, 'seven', '\u00fcn\u00efc\u00f6de \u{1f600}', 2 ** 53 - 1]
  const pairs = runPython(t, ENCODE, { now: NOW, secret: SECRET, ids }) as Array<{ access: string, refresh: string }>
  for (const [i, id] of ids.entries()) await serves(t, app, pairs[i]!, id)
})

test('the real PyJWT reads tokens issued here, and finds only documented claims', { skip }, async t => {
  const { app } = await createApp(t)
  const { token, refresh_token: refresh } = await app.dualToken.issueTokens({ user_id: 7, role: 'member' })
  const hows = [[SECRET, ['HS256']], [`${SECRET}!`, ['HS256']], [SECRET, ['HS512']]]
  const read = runPython(t, DECODE, { tokens: [token, refresh], hows }) as Array<Array<Payload | string>>
  const claims = { user_id: 7, role: 'member', iat: NOW }
  t.same(read, [
    [{ ...claims, refresh: false, exp: NOW + 7200 }, 'InvalidSignatureError', 'InvalidAlgorithmError'],
    [{ ...claims, refresh: true, exp: NOW + 1_209_600 }, 'InvalidSignatureError', 'InvalidAlgorithmError']
  ])
})

test('the real PyJWT checks the expiry of tokens issued here against the real clock', { skip }, async t => {
  const { app } = await createApp(t, { now: Date.now })
  const { token, refresh_token: refresh } = await app.dualToken.issueTokens({ user_id: 'seven' })
  const script = DECODE.replace("{'verify_exp': False, 'verify_iat': False}", "{'require': ['exp', 'iat']}")
  const read = runPython(t, script, { tokens: [token, refresh], hows: [[SECRET, ['HS256']]] }) as Payload[][]
  t.match(read, [[{ user_id: 'seven', refresh: false }], [{ user_id: 'seven', refresh: true }]])
})
