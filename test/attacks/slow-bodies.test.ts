// A thief who sends the headers of a request while a token is good, and the body when it no longer is.
import { once } from 'node:events'
import { connect } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { test, type Test } from 'tap'
import { loginRequired, memoryStore, refreshRequired, type PairReply } from '../../lib/index.ts'
import { createApp, type AppOptions, type Clock } from '../support/app.ts'
import { ACCESS, OWN_PAGE } from '../support/cookies.ts'
import { ACCESS_LIFETIME, OTHER_SECRET, REFRESH_LIFETIME, SECRET } from '../support/tokens.ts'
import { listen, parseReply } from '../support/wire.ts'

interface Victim {
  readonly app: FastifyInstance
  readonly clock: Clock
  readonly pair: PairReply
}

interface Held {
  /** Sends the body, and reads the reply: a status, or the end of the error's code. */
  finish (): Promise<string>
}

async function createVictim (t: Test, options: AppOptions) {
  const { app, clock } = await createApp(t, options)
  const { guard } = app.dualToken
  const answer = async (): Promise<string> => 'done'
  app.post('/transfer', { preHandler: loginRequired }, answer)
  app.post('/admin', { preHandler: guard({ allow: user => user.user_id === 7 }) }, answer)
  app.post('/renewal', { preHandler: refreshRequired }, answer)
  app.post('/early', { onRequest: loginRequired }, answer)
  let arrived = (): void => {}
  app.addHook('onRequest', async () => { arrived() })
  const port = await listen(app)

  /** Sends all but the body. */
  async function hold (target: string, headers: Readonly<Record<string, string>>): Promise<Held> {
    const socket = connect(port, '127.0.0.1').setEncoding('latin1')
    const authenticated = new Promise<void>(resolve => { arrived = resolve })
    let received = ''
    socket.on('data', chunk => { received += chunk })
    const lines = Object.entries({ host: 'localhost', connection: 'close', 'content-type': 'application/json', 'content-length': '2', ...headers })
    socket.write(`${target} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`)
    await authenticated
    return {
      async finish () {
        socket.write('{}')
        await once(socket, 'close')
        const { status, body } = parseReply(received)
        return status < 400 ? String(status) : String(JSON.parse(body).code).replace('FST_DUAL_TOKEN_', '')
      }
    }
  }

  return { app, clock, pair: await app.dualToken.issueTokens({ user_id: 7 }), hold }
}

function by (token: string): { authorization: string } {
  return { authorization: `Bearer ${token}` }
}

const keyOf = (kid: string, secret: string) => ({ kid, algorithm: 'HS256' as const, secret })

const ENDINGS: Array<[name: string, outcome: string, options: AppOptions, end: (victim: Victim) => unknown]> = [
  ['has expired', 'EXPIRED', {}, ({ clock }) => clock.advance(REFRESH_LIFETIME)],
  ['has expired, and none is remembered', 'EXPIRED', { cache: 0 }, ({ clock }) => clock.advance(REFRESH_LIFETIME)],
  ['is signed by a key that was removed', 'INVALID', { keys: [keyOf('old', SECRET)] }, ({ app }) => app.dualToken.setKeys([keyOf('new', OTHER_SECRET)])],
  ['is of a session that was ended', 'REVOKED', { sessions: { store: memoryStore() } }, ({ app }) => app.dualToken.revokeUser(7)]
]

for (const [name, outcome, options, end] of ENDINGS) {
  test(`a guard refuses a token that ${name} by the time the body has come`, async t => {
    const victim = await createVictim(t, options)
    const { pair: { token, refresh_token: refreshToken }, hold } = victim
    const held = [
      await hold('POST /transfer', by(token)), await hold('POST /admin', by(token)),
      await hold('POST /renewal', by(refreshToken)), await hold('PUT /authorizations', by(refreshToken))
    ]
    await end(victim)
    const outcomes = []
    for (const one of held) outcomes.push(await one.finish())
    t.strictSame(outcomes, ['ACCESS', 'ACCESS', 'REFRESH', 'REFRESH'].map(wanted => `${wanted}_${outcome}`))
  })

  test(`a guard that looks before the body comes lets the same thief in, when the token ${name} meanwhile`, async t => {
    const victim = await createVictim(t, options)
    const held = await victim.hold('POST /early', by(victim.pair.token))
    await end(victim)
    t.equal(await held.finish(), '200')
  })
}

test('a cookie fares no better, nor does a token that the application finds', async t => {
  const { clock, pair: { token }, hold } = await createVictim(t, { cookies: { access: true }, extract: ({ headers }) => headers['x-token'] as string | undefined })
  const held = [await hold('POST /transfer', { ...OWN_PAGE, cookie: `${ACCESS}=${token}` }), await hold('POST /transfer', { 'x-token': token })]
  clock.advance(ACCESS_LIFETIME)
  for (const one of held) t.equal(await one.finish(), 'ACCESS_EXPIRED')
})

test('a token that is still good passes, however slow the body', async t => {
  const { clock, pair: { token, refresh_token: refreshToken }, hold } = await createVictim(t, { sessions: { store: memoryStore() } })
  const held = [
    await hold('POST /transfer', by(token)), await hold('POST /admin', by(token)),
    await hold('POST /renewal', by(refreshToken)), await hold('PUT /authorizations', by(refreshToken))
  ]
  clock.advance(ACCESS_LIFETIME - 1)
  const outcomes = []
  for (const one of held) outcomes.push(await one.finish())
  t.strictSame(outcomes, ['200', '200', '200', '201'])
})
