// docs/oauth.md against the code: its first example, run as it stands, and its table of errors.
import { test } from 'tap'
import { answerOauthError, createInvalidRequest, createUnsupportedGrant } from '../../lib/routes/oauth-errors.ts'
import { createRefusals, errorTable, type RefusalSuffix } from '../../lib/errors.ts'
import { readPage } from '../support/markdown.ts'
import { blocksOf, follow } from '../support/recipe.ts'

const PAGE = 'docs/oauth.md'

test('the first example serves both endpoints, and metadata that names them', async t => {
  const fastify = await follow(t, blocksOf(PAGE, 'Standard endpoints', 'ts')[0]!)
  const { refresh_token: token } = (await fastify.inject({ method: 'POST', url: '/authorizations', payload: { username: 'ann', password: 'good' } })).json()
  const { token_endpoint: tokens, revocation_endpoint: revocation } = (await fastify.inject('/.well-known/oauth-authorization-server')).json()
  const post = (url: string, payload: object) => fastify.inject({ method: 'POST', url: new URL(url).pathname, payload })
  const reply = await post(tokens, { refresh_token: token })
  t.strictSame(Object.keys(reply.json()).sort(), ['access_token', 'expires_in', 'refresh_token', 'token_type'])
  t.equal((await post(revocation, { token })).statusCode, 200)
  t.match((await post(tokens, { refresh_token: token })).json(), { error: 'invalid_grant' })
})

test('the table of errors names every error and status', async t => {
  const answered = new Set<string>()
  const createRefusal = createRefusals(undefined)
  const refusals = (Object.keys(errorTable) as RefusalSuffix[]).map(suffix => createRefusal(suffix))
  const bodies = [400, 413, 415].map(statusCode => Object.assign(new Error('body'), { code: 'FST_ERR_CTP_X', statusCode }))
  for (const error of [...refusals, ...bodies, createInvalidRequest('x'), createUnsupportedGrant()]) {
    let status = 0
    const log = { error: () => {}, info: () => {} }
    const reply = { log, code (value: number) { status = value; return reply }, headers: () => reply, removeHeader: () => reply, send (body: { error: string }) { answered.add(`${body.error} ${status}`) } }
    try {
      answerOauthError(error as never, { server: { initialConfig: {} } } as never, reply as never)
    } catch (thrown) {
      t.equal(thrown, error, 'what is not ours to answer goes on')
    }
  }
  const documented = readPage(PAGE).rows('Errors', '`error`').flatMap(([name, status]) => status!.split(', ').map(one => `${name} ${one}`))
  t.strictSame([...answered].sort(), documented.sort())
})
