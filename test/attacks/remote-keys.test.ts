// Whoever forges tokens for a service that follows a key set, or answers in the publisher's place: what it gets, and what it would get without the defence.
import diagnostics from 'node:diagnostics_channel'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { test, type Test } from 'tap'
import { remoteKeys, type KeySetEvent, type RemoteKeysOptions } from '../../lib/index.ts'
import { bearer, createApp } from '../support/app.ts'
import { mintWith, PAIRS, signAs } from '../support/key-pairs.ts'
import { answerWith, createPublisher, publicJwk, until, type Answer, type Publisher } from '../support/publisher.ts'
import { createLog } from '../support/session-app.ts'
import { accessClaims, encode } from '../support/tokens.ts'
import { listen, request } from '../support/wire.ts'

const good = publicJwk('EdDSA', 'k1')
const honest = mintWith('EdDSA', 'k1', accessClaims())
/** By the key of somebody else. */
const evil = publicJwk('EdDSA', 'evil', 1)
const forged = mintWith('EdDSA', 'evil', accessClaims(), 1)

/** A server on a socket that follows the publisher, and reads the set again when it is told to. */
async function createVictim (t: Test, publisher: Publisher, remote: Partial<RemoteKeysOptions> = {}) {
  const { log, text } = createLog()
  const events: KeySetEvent[] = []
  const listener = (event: unknown): void => { events.push(event as KeySetEvent) }
  diagnostics.subscribe('fastify-dual-token:keys', listener)
  t.teardown(() => diagnostics.unsubscribe('fastify-dual-token:keys', listener))
  const { app, clock } = await createApp(t, {
    keys: remoteKeys(publisher.url, { algorithms: ['EdDSA'], maxAge: '1d', cooldown: '30s', timeout: '1m', ...remote }), routes: false
  }, { loggerInstance: log })
  const port = await listen(app)
  let forgeries = 0
  const status = async (token: string): Promise<number> => (await request(port, 'GET /me', [`Authorization: Bearer ${token}`])).status
  return {
    app,
    clock,
    text,
    events,
    status,
    /** Lets the cooldown pass, and sends a token with an unknown kid. */
    async provoke (): Promise<void> {
      clock.advance(30)
      await status(mintWith('EdDSA', `provoked-${forgeries++}`, accessClaims()))
    },
    /** The same, and resolves to what came of the read. */
    async reread (): Promise<KeySetEvent> {
      const count = events.length
      await this.provoke()
      await until(() => events.length > count)
      return events.at(-1)!
    }
  }
}

test('10,000 tokens with forged kids make one request to the publisher in a cooldown; without it, as many as there are reads', async t => {
  const publisher = await createPublisher(t, good)
  const { app, clock, events } = await createVictim(t, publisher)
  const [, payload, signature] = honest.split('.')
  const send = async (index: number): Promise<number> => {
    const header = encode(JSON.stringify({ alg: 'EdDSA', kid: `forged-${index}` }))
    return (await app.inject({ url: '/me', headers: bearer(`${header}.${payload}.${signature}`) })).statusCode
  }
  const statuses = new Set<number>()
  for (let index = 0; index < 10_000; index++) {
    statuses.add(await send(index))
    // What is injected leaves a socket no turn of its own.
    if (index % 100 === 0) await nextTurn()
  }
  t.strictSame([...statuses], [401])
  await until(() => events.length === 2)
  t.strictSame(events.map(({ outcome, reason }) => [outcome, reason]), [['changed', null], ['unchanged', null]])
  t.equal(publisher.requests(), 2, 'that of the boot, and one')

  for (let index = 0; index < 50; index++) {
    clock.advance(30)
    await send(index)
    await until(() => events.length === index + 3)
  }
  t.equal(publisher.requests(), 52)
})

test('an answer in the place of the set is refused by name; the service goes on with the keys it has', async t => {
  const publisher = await createPublisher(t, good)
  const elsewhere = await createPublisher(t, evil)
  const victim = await createVictim(t, publisher)
  const setOf = (...keys: unknown[]): Answer => answerWith(JSON.stringify({ keys }))
  const padded = JSON.stringify({ keys: [evil] }).padEnd(10_000_000)
  const unusable = 'the key set has no key that can be used here: keys[0] must be'
  const attacks: Array<[string, Answer, string]> = [
    ['10 MB', answerWith(padded), 'the key set is longer than 65536 bytes'],
    ['10 MB, compressed', answerWith(gzipSync(padded), { 'content-encoding': 'gzip' }), 'the key set is longer than 65536 bytes'],
    ['a redirect to http', answerWith('', { location: elsewhere.url }, 302), 'the key set is behind a redirect, which is not followed'],
    ['a redirect that keeps the method', answerWith('', { location: elsewhere.url }, 307), 'the key set is behind a redirect, which is not followed'],
    ['a private key', setOf(privateJwk()), `${unusable} a public key, not a private one`],
    ['another algorithm', setOf(publicJwk('RS256', 'evil')), `${unusable} of an algorithm that this service allows: EdDSA`],
    ['a secret', setOf({ kty: 'oct', kid: 'evil', alg: 'HS256', k: encode('hunter2-hunter2-hunter2-hunter2-hunter2') }), `${unusable} a public key, not a private one`],
    ['101 keys', setOf(...Array.from({ length: 101 }, () => evil)), 'the key set has more than 100 keys'],
    ['no keys', setOf(), 'the key set has no keys'],
    ['nested without end', answerWith('['.repeat(65_536)), 'the key set is not a JWK Set'],
    ['a page', answerWith('<html>hunter2</html>', { 'content-type': 'text/html' }), 'the key set is not a JWK Set'],
    ['a prototype', answerWith('{"__proto__":{"keys":[]}}'), 'the key set is not a JWK Set'],
    ['an error', answerWith(JSON.stringify({ keys: [evil] }), {}, 500), 'the key set is answered with status 500']
  ]
  for (const [name, answer, reason] of attacks) {
    publisher.answer(answer)
    t.match(await victim.reread(), { outcome: 'failed', reason, keys: 1 }, name)
    t.match(victim.text(), reason, name)
    t.equal(await victim.status(honest), 200, name)
    for (const [algorithm, kid, index] of [['EdDSA', 'evil', 1], ['RS256', 'evil', 0]] as const) {
      t.equal(await victim.status(mintWith(algorithm, kid, accessClaims(), index)), 401, name)
    }
  }
  t.equal(elsewhere.requests(), 0)
  t.notMatch(victim.text(), /hunter2|provoked|"level":50/)
})

test('a publisher that is slow with its answer or its body is given up', async t => {
  const publisher = await createPublisher(t, good)
  const victim = await createVictim(t, publisher, { timeout: 0.5 })
  for (const answer of [() => {}, (response => response.flushHeaders()) satisfies Answer, drip]) {
    publisher.answer(answer)
    t.match(await victim.reread(), { outcome: 'failed', reason: 'the key set did not come within 500 ms', keys: 1 })
    t.equal(await victim.status(honest), 200)
  }
})

test('without each defence, the same attack gets in, or holds on', async t => {
  const publisher = await createPublisher(t, good)
  const elsewhere = await createPublisher(t, evil)

  // A fetch that follows redirects, and does not say so.
  publisher.answer((response, request) => {
    publisher.answer(answerWith('', { location: elsewhere.url }, 302))
    answerWith(JSON.stringify({ keys: [good] }))(response, request)
  })
  const follows = await createVictim(t, publisher, { fetch: async url => new Response(await (await fetch(url)).text()) })
  t.match(await follows.reread(), { outcome: 'changed' })
  t.equal(await follows.status(forged), 200)

  // A reader without limits takes it all.
  publisher.answer(answerWith(Buffer.alloc(10_000_000, ' ')))
  t.equal((await (await fetch(publisher.url)).arrayBuffer()).byteLength, 10_000_000)

  // A service that waits for as long as the body takes.
  publisher.publish(good)
  const patient = await createVictim(t, publisher, { timeout: '1h' })
  let dripped = 0
  publisher.answer(response => drip(response, () => { dripped++ }))
  await patient.provoke()
  await until(() => dripped > 300)
  t.equal(patient.events.length, 1, 'the read goes on')

  // A service that allows the other algorithm; a publisher that keeps its private key to itself.
  publisher.publish(good, publicJwk('RS256', 'rs'), evil)
  const allows = await createVictim(t, publisher, { algorithms: ['EdDSA', 'RS256'] })
  t.equal(await allows.status(mintWith('RS256', 'rs', accessClaims())), 200)
  t.equal(await allows.status(forged), 200)
})

test('beside good keys, only keys that cannot be used are left out', async t => {
  const publisher = await createPublisher(t, privateJwk(), publicJwk('RS256', 'rs'), { ...evil, kid: 'k1' }, good, { ...evil, kid: 'k1' })
  const { app, status, text } = await createVictim(t, publisher)
  t.equal(await status(forged), 401)
  t.equal(await status(mintWith('RS256', 'rs', accessClaims())), 401)
  t.equal(await status(honest), 401, 'of two keys of one name the first counts')
  t.equal(await status(mintWith('EdDSA', 'k1', accessClaims(), 1)), 200)
  // The public key of the set as an HMAC secret.
  const pem = PAIRS.EdDSA[1].publicKey.export({ type: 'spki', format: 'pem' }) as string
  for (const secret of [pem, evil.x!, JSON.stringify(evil)]) {
    t.throws(() => app.dualToken.verifyToken(signAs('HS256', secret, { alg: 'HS256', kid: 'k1' }, accessClaims())), { code: 'FST_DUAL_TOKEN_ACCESS_INVALID' })
  }
  t.notMatch(text(), privateJwk().d as string)
})

test('a kid may be any text, and names its own key alone', async t => {
  const kids = ['__proto__', 'constructor', 'toString', '\u0000', '\n{"level":60}', 'k'.repeat(256)]
  const publisher = await createPublisher(t, ...kids.map(kid => ({ ...good, kid })))
  const { app, text } = await createVictim(t, publisher)
  for (const kid of kids) t.equal(app.dualToken.verifyToken(mintWith('EdDSA', kid, accessClaims())).user_id, 7, JSON.stringify(kid))
  for (const kid of ['hasOwnProperty', 'valueOf', '']) {
    t.throws(() => app.dualToken.verifyToken(mintWith('EdDSA', kid, accessClaims())), { code: 'FST_DUAL_TOKEN_ACCESS_INVALID' }, kid)
  }
  t.notMatch(text(), /^\{"level":60\}/m)
})

function privateJwk (): Readonly<Record<string, unknown>> {
  return { ...PAIRS.EdDSA[1].privateKey.export({ format: 'jwk' }), kid: 'evil', alg: 'EdDSA' }
}

/** A body that comes byte by byte, until its reader hangs up. */
function drip (response: Parameters<Answer>[0], onDrip: unknown = undefined): void {
  const timer = setInterval(() => {
    response.write(' ')
    if (typeof onDrip === 'function') onDrip()
  }, 1)
  response.once('close', () => clearInterval(timer))
}
