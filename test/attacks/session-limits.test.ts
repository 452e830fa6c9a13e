// One account that signs in again and again: to fill the store for everybody else, or to make its own list unreadable.
import Fastify from 'fastify'
import { test, type Test } from 'tap'
import { dualToken, memoryStore, type DualTokenSessions } from '../../lib/index.ts'
import { bearer } from '../support/app.ts'
import { createLog, createSessionApp, createToldStore, outcomeOf, PATH, type SessionApp } from '../support/session-app.ts'
import { claimsIn, SECRET } from '../support/tokens.ts'

const ROOM = 50
const SESSIONS = `${PATH}/sessions`

/** A server for 50 sessions, after one account has signed in 200 times. */
async function flooded (t: Test, sessions: Partial<DualTokenSessions>): Promise<SessionApp> {
  const made = await createSessionApp(t, {
    told: createToldStore(memoryStore({ maxSessions: ROOM })),
    sessions: { storeTimeout: 5, ...sessions },
    routes: { login: ({ id }) => ({ user_id: id as string }), label: ({ device }) => device as string }
  })
  for (let i = 0; i < 200; i++) await signInAs(made, 'mallory')
  return made
}

const signInAs = async ({ app }: SessionApp, id: string, device?: unknown) =>
  await app.inject({ method: 'POST', url: PATH, payload: { id, device } })

test('one account cannot fill a memory store for everybody else, where maxPerUser limits it', async t => {
  for (const whenFull of ['end_oldest', 'refuse'] as const) {
    const made = await flooded(t, { maxPerUser: 3, whenFull })
    for (let i = 0; i < ROOM - 3; i++) t.equal(outcomeOf(await signInAs(made, `user-${i}`)), '201')
    t.equal((await made.app.dualToken.listSessions('mallory')).length, 3)
  }
})

test('without maxPerUser it can', async t => {
  const made = await flooded(t, {})
  t.equal(outcomeOf(await signInAs(made, 'ada')), 'STORE_UNAVAILABLE')
})

test('the list of an account stays short, and can be read and ended, however often it signs in', async t => {
  const made = await flooded(t, { maxPerUser: 3 })
  const { token } = (await signInAs(made, 'mallory')).json()
  const listed = await made.app.inject({ url: SESSIONS, headers: bearer(token) })
  t.equal(listed.json().sessions.length, 3)
  t.ok(listed.body.length < 1500, `${listed.body.length} characters`)
  t.equal(outcomeOf(await made.app.inject({ method: 'DELETE', url: `${SESSIONS}?except=current`, headers: bearer(token) })), '204')
  t.equal((await made.app.dualToken.listSessions('mallory')).length, 1)
})

test('a label holds no control character, and is in no log, no event and no token', async t => {
  const { log, text } = createLog()
  const events: unknown[] = []
  const app = Fastify({ loggerInstance: log })
  t.teardown(() => app.close())
  await app.register(dualToken, {
    secret: SECRET,
    routes: { login: () => ({ user_id: 7 }), label: ({ device }) => device as string },
    sessions: { store: memoryStore(), maxPerUser: 1, onEvent: event => { events.push(event) } }
  })
  const device = 'phone\r\n{"level":60,"msg":"owned"}\u001b[2J\u0000'
  for (let i = 0; i < 2; i++) await app.inject({ method: 'POST', url: PATH, payload: { device } })
  const { token } = (await app.inject({ method: 'POST', url: PATH, payload: { device } })).json()
  const [session] = await app.dualToken.listSessions(7)
  t.equal(session!.label, 'phone  {"level":60,"msg":"owned"} [2J')
  t.equal(events.length, 5)
  t.match(text(), /incoming request/, 'requests are in the log')
  for (const told of [text(), JSON.stringify(events), JSON.stringify(claimsIn(token))]) t.notMatch(told, /owned/)
})
