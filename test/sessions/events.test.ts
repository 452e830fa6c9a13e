import diagnostics from 'node:diagnostics_channel'
import { test, type Test } from 'tap'
import type { SessionEvent } from '../../lib/index.ts'
import { createEmit, EVENT_TYPES, REASONS } from '../../lib/sessions/events.ts'
import { backgroundDone, createLog, createSessionApp, PATH } from '../support/session-app.ts'
import { bearer } from '../support/app.ts'
import { readPage } from '../support/markdown.ts'
import { claimsIn } from '../support/tokens.ts'

function listen (t: Test, type: SessionEvent['type']): unknown[] {
  const heard: unknown[] = []
  const listener = (message: unknown) => { heard.push(message) }
  diagnostics.subscribe(`fastify-dual-token:${type}`, listener)
  t.teardown(() => diagnostics.unsubscribe(`fastify-dual-token:${type}`, listener))
  return heard
}

test('an event goes to onEvent and to the channel of its type; missing details are null', async t => {
  for (const type of EVENT_TYPES) {
    const told: SessionEvent[] = []
    const emit = createEmit(event => { told.push(event) }, createLog().log)
    const heard = listen(t, type)
    emit(type, 'a')
    emit(type, 'b', { userId: 7, ip: '192.0.2.1', reason: 'late', sinceRotation: 5 })
    const events = [
      { type, sid: 'a', userId: null, ip: null, reason: null, sinceRotation: null },
      { type, sid: 'b', userId: 7, ip: '192.0.2.1', reason: 'late', sinceRotation: 5 }
    ]
    t.strictSame(told, events)
    t.strictSame(heard, events)
    t.ok(told.every(Object.isFrozen))
  }
})

test('a channel gets events without an onEvent, and events without listeners go nowhere', async t => {
  const emit = createEmit(undefined, createLog().log)
  const heard = listen(t, 'rotated')
  emit('rotated', 'a')
  emit('created', 'a')
  t.match(heard, [{ type: 'rotated', sid: 'a' }])
  t.equal(heard.length, 1)
})

test('an onEvent that throws or rejects is logged, and has no other effect', async t => {
  const failures = [
    () => { throw new Error('listener') },
    async () => { throw new Error('listener') },
    async () => await Promise.reject(Object.create(null))
  ]
  for (const onEvent of failures) {
    const { log, lines } = createLog()
    createEmit(onEvent, log)('created', 'a')
    await backgroundDone()
    t.match(lines, [{ level: 50, msg: 'sessions.onEvent failed' }])
  }
})

test('a request is answered even if every onEvent fails or never settles', async t => {
  for (const onEvent of [() => { throw new Error('listener') }, async () => { throw new Error('listener') }, () => new Promise(() => {})]) {
    const { app, signIn, renew } = await createSessionApp(t, { sessions: { onEvent } })
    const { token, refresh_token: refreshed } = await signIn()
    t.equal((await renew(refreshed)).statusCode, 201)
    t.equal((await app.inject({ method: 'DELETE', url: PATH, headers: bearer(token) })).statusCode, 204)
  }
})

test('every change of a session emits an event with its details', async t => {
  const { app, clock, signIn, renew, events, me } = await createSessionApp(t)
  const { token, refresh_token: refreshed } = await signIn()
  const known = { sid: claimsIn(token).sid, userId: 7, ip: '127.0.0.1' }
  const told = (expected: Partial<SessionEvent>, what: string) =>
    t.strictSame(events.splice(0), [{ reason: null, sinceRotation: null, ...known, ...expected }], what)
  told({ type: 'created' }, 'sign-in')

  const lost = (await renew(refreshed)).json()
  told({ type: 'rotated' }, 'refresh')
  clock.advance(10)
  await renew(refreshed)
  told({ type: 'repeated', sinceRotation: 10_000 }, 'the same again')
  clock.advance(1)
  const recovered = (await renew(refreshed)).json()
  told({ type: 'recovered', sinceRotation: 11_000 }, 'the reply was lost')
  clock.advance(11)
  await renew(recovered.refresh_token)
  told({ type: 'rotated', sinceRotation: 11_000 }, 'and on')
  await renew(lost.refresh_token)
  told({ type: 'reused', sinceRotation: 0, reason: 'refresh_token' }, 'theft')
  await renew(recovered.refresh_token)
  told({ type: 'refused', ip: null, reason: 'revoked' }, 'after it')

  const stolen = await signIn()
  Object.assign(known, { sid: claimsIn(stolen.token).sid })
  events.length = 0
  const displaced = (await renew(stolen.refresh_token)).json()
  clock.advance(11)
  await renew(stolen.refresh_token)
  events.length = 0
  await me(displaced.token)
  await backgroundDone()
  told({ type: 'reused', ip: null, reason: 'access_token' }, 'theft, seen by an access token')

  for (const [reason, end] of [
    ['logout', (token: string) => app.inject({ method: 'DELETE', url: PATH, headers: bearer(token) })],
    ['ended', (token: string) => app.inject({ method: 'DELETE', url: `${PATH}/sessions/${claimsIn(token).sid}`, headers: bearer(token) })],
    ['all_ended', (token: string) => app.inject({ method: 'DELETE', url: `${PATH}/sessions`, headers: bearer(token) })]
  ] as const) {
    const other = await signIn()
    Object.assign(known, { sid: claimsIn(other.token).sid })
    events.length = 0
    await end(other.token)
    told({ type: 'revoked', reason }, reason)
  }

  const last = await signIn()
  Object.assign(known, { sid: claimsIn(last.token).sid, ip: null })
  events.length = 0
  await app.dualToken.revokeUser(7)
  told({ type: 'revoked', reason: 'user_revoked' }, 'revokeUser')
  await app.dualToken.revokeSession(String(known.sid))
  told({ type: 'revoked', userId: null, reason: 'revoked' }, 'revokeSession, which knows of no user')
})

test('a second sign-out with a refresh token emits refused and revoked', async t => {
  const { app, signIn, events } = await createSessionApp(t)
  const headers = bearer((await signIn()).refresh_token)
  const signOut = async () => (await app.inject({ method: 'DELETE', url: PATH, headers })).statusCode
  await signOut()
  events.length = 0
  t.equal(await signOut(), 204)
  t.match(events, [{ type: 'refused', reason: 'revoked' }, { type: 'revoked', reason: 'logout' }])
})

test('every reason is documented', async t => {
  const [, section] = readPage('docs/sessions.md').text.split('## Events\n')
  const cells = section!.split('## ')[0]!.split('\n').filter(line => line.startsWith('| `')).map(line => line.split('|')[3]!)
  const documented = cells.slice(1).flatMap(cell => [...cell.matchAll(/`([a-z_]+)`/g)].map(([, name]) => name))
  t.strictSame([...new Set(documented)].sort(), [...REASONS].sort())
})

test('an ended or unknown session is refused, and emits an event', async t => {
  const { signIn, renew, events, instead } = await createSessionApp(t)
  const { refresh_token: refreshed } = await signIn()
  for (const outcome of ['unknown', 'revoked', 'expired'] as const) {
    instead.set('rotate', async () => ({ outcome, sinceRotation: null }))
    events.length = 0
    await renew(refreshed)
    t.match(events.splice(0), [{ type: 'refused', userId: 7, ip: '127.0.0.1', reason: outcome }])
  }
})

test('no event holds a token or a part of one', async t => {
  const { app, clock, signIn, renew, events } = await createSessionApp(t)
  const { token, refresh_token: refreshed } = await signIn()
  await renew(refreshed)
  clock.advance(11)
  const next = (await renew(refreshed)).json()
  await app.inject({ method: 'DELETE', url: PATH, headers: bearer(token) })
  await renew(next.refresh_token)
  const text = JSON.stringify(events)
  t.ok(events.length >= 5)
  for (const made of [token, refreshed, next.token, next.refresh_token]) {
    for (const part of made.split('.').slice(1)) t.notOk(text.includes(part))
  }
  t.notOk(text.includes(String(claimsIn(refreshed).n)))
})
