import Fastify from 'fastify'
import { test } from 'tap'
import { readKeys, type RingKeys } from '../../lib/keys/check.ts'
import { createKeyRing } from '../../lib/keys/ring.ts'
import { createKeyFactory } from '../../lib/keys/sign.ts'
import { createNonces } from '../../lib/possession/nonce.ts'
import { createClock } from '../support/app.ts'
import { publicRingKey, ringKey } from '../support/key-pairs.ts'
import { NOW, OTHER_SECRET, SECRET } from '../support/tokens.ts'

const ringOf = (...secrets: string[]) => createKeyRing(secrets.map(secret => Buffer.from(secret)), createKeyFactory(Fastify()))

test('a nonce names the time at which the service made it, to every process with the key', async t => {
  const clock = createClock()
  const nonce = createNonces(ringOf(SECRET), clock.now).make()
  clock.advance(1000)
  t.equal(createNonces(ringOf(SECRET), clock.now).timeOf(nonce), NOW)
})

test('nonces roll with the time', async t => {
  const clock = createClock()
  const { make, timeOf } = createNonces(ringOf(SECRET), clock.now)
  const nonces = [0, 1, 300].map(span => {
    clock.set(NOW + span)
    return make()
  })
  t.equal(new Set(nonces).size, 3)
  t.strictSame(nonces.map(timeOf), [NOW, NOW + 1, NOW + 300])
})

test('a change of keys breaks no nonce, as long as the service has the key it was made with', async t => {
  const { now } = createClock()
  const nonce = createNonces(ringOf(SECRET), now).make()
  t.equal(createNonces(ringOf(OTHER_SECRET, SECRET), now).timeOf(nonce), NOW)
  t.equal(createNonces(ringOf(OTHER_SECRET), now).timeOf(nonce), null)

  const [first, second] = [ringKey('ES256', 'a'), ringKey('EdDSA', 'b')]
  const ring: { keys: RingKeys } = { keys: readKeys([first]) }
  const { make, timeOf } = createNonces(ring, now)
  const old = make()
  ring.keys = readKeys([second, first])
  t.not(make(), old, 'the first key makes them')
  t.strictSame([timeOf(old), timeOf(make())], [NOW, NOW])
  ring.keys = readKeys([second])
  t.equal(timeOf(old), null)
})

test('a public key makes no nonce and recognizes none', async t => {
  const { now } = createClock()
  const nonce = createNonces({ keys: readKeys([ringKey('ES256', 'a')]) }, now).make()
  t.equal(createNonces({ keys: readKeys([publicRingKey('ES256', 'a')]) }, now).timeOf(nonce), null)
})

test('a text that the service has not made is no nonce', async t => {
  const { make, timeOf } = createNonces(ringOf(SECRET), createClock().now)
  const bytes = Buffer.from(make(), 'base64url')
  const changed = (index: number): string => {
    const copy = Buffer.from(bytes)
    copy[index]! ^= 1
    return copy.toString('base64url')
  }
  const forged = ['', 'x', make().slice(1), `${make()}A`, `${make()}=`, ` ${make()}`, Buffer.alloc(22).toString('base64url')]
  for (const nonce of [...forged, ...Array.from(bytes.keys(), changed)]) t.equal(timeOf(nonce), null, nonce)
})
