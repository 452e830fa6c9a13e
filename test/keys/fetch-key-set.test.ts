import { gzipSync } from 'node:zlib'
import { test, type Test } from 'tap'
import { fetchKeySet, KeySetError, type KeySetText } from '../../lib/keys/fetch-key-set.ts'
import { keySetSettingsOf } from '../../lib/options/remote-keys.ts'
import { remoteKeys, type RemoteKeysOptions } from '../../lib/index.ts'
import { answerWith, createPublisher, type Answer } from '../support/publisher.ts'

interface Reading {
  readonly timeout?: number
  readonly controller?: AbortController
  readonly fetch?: RemoteKeysOptions['fetch']
}

async function fetchFrom (url: string, { timeout = 60_000, controller = new AbortController(), fetch }: Reading = {}): Promise<KeySetText> {
  return await fetchKeySet(keySetSettingsOf(remoteKeys(url, { algorithms: ['EdDSA'], fetch }))!, timeout, controller)
}

/** The error of a read that is answered so. */
async function failureOf (t: Test, answer: Answer, reading: Reading = {}): Promise<KeySetError> {
  const publisher = await createPublisher(t)
  publisher.answer(answer)
  const error: unknown = await fetchFrom(publisher.url, reading).catch(error => error)
  if (!(error instanceof KeySetError)) throw new Error('It was read.')
  return error
}

test('a set is read as it was sent', async t => {
  const publisher = await createPublisher(t)
  const text = '{ "keys": [], "ключ": 1 }'
  publisher.answer((response, { method, headers }) => {
    t.equal(method, 'GET')
    t.equal(headers.accept, 'application/jwk-set+json, application/json')
    t.equal(headers.authorization, undefined)
    answerWith(text)(response, response.req)
  })
  t.strictSame(await fetchFrom(publisher.url), { text, freshFor: null })
  publisher.answer(answerWith(gzipSync(text), { 'content-encoding': 'gzip', 'content-type': 'text/plain' }))
  t.equal((await fetchFrom(publisher.url)).text, text)
})

test('Cache-Control and Age say for how long it is fresh', async t => {
  const publisher = await createPublisher(t)
  const cases: Array<[Record<string, string>, number | null]> = [
    [{}, null],
    [{ 'cache-control': '' }, null],
    [{ 'cache-control': 'public' }, null],
    [{ 'cache-control': 'max-age=300' }, 300_000],
    [{ 'cache-control': 'public, max-age=300, must-revalidate' }, 300_000],
    [{ 'cache-control': 'PUBLIC,Max-Age="300"' }, 300_000],
    [{ 'cache-control': 'max-age=0' }, 0],
    [{ 'cache-control': 's-maxage=300' }, null],
    [{ 'cache-control': 's-maxage=300, max-age=60' }, 60_000],
    [{ 'cache-control': 'max-age=60, max-age=300' }, 60_000],
    [{ 'cache-control': 'x-max-age=300' }, null],
    [{ 'cache-control': 'max-age=-1' }, null],
    [{ 'cache-control': 'max-age=1e9' }, null],
    [{ 'cache-control': 'max-age=99999999999999' }, null],
    [{ 'cache-control': 'max-age=soon' }, null],
    [{ 'cache-control': 'no-store' }, 0],
    [{ 'cache-control': 'no-cache, max-age=300' }, 0],
    [{ 'cache-control': 'max-age=300', age: '100' }, 200_000],
    [{ 'cache-control': 'max-age=300', age: '400' }, 0],
    [{ 'cache-control': 'max-age=300', age: 'old' }, 300_000],
    [{ age: '100' }, null]
  ]
  for (const [headers, freshFor] of cases) {
    publisher.answer(answerWith('{}', headers))
    t.equal((await fetchFrom(publisher.url)).freshFor, freshFor, JSON.stringify(headers))
  }
})

test('a set of 64 kB is read, and one of a byte more is not', async t => {
  const publisher = await createPublisher(t)
  publisher.answer(answerWith(' '.repeat(65_536)))
  t.equal((await fetchFrom(publisher.url)).text.length, 65_536)
  for (const body of [' '.repeat(65_537), 'ф'.repeat(32_769)]) {
    t.equal((await failureOf(t, answerWith(body))).message, 'the key set is longer than 65536 bytes')
  }
})

test('any status but 200 is refused by name, and every redirect', async t => {
  for (const status of [201, 204, 206, 400, 401, 404, 410, 429, 500, 503]) {
    const body = status === 204 ? '' : '{"keys":[]}'
    t.equal((await failureOf(t, answerWith(body, {}, status))).message, `the key set is answered with status ${status}`)
  }
  for (const status of [301, 302, 303, 307, 308]) {
    for (const location of ['/other.json', 'http://id.example/', 'https://id.example/', 'file:///etc/passwd']) {
      t.equal((await failureOf(t, answerWith('{"keys":[]}', { location }, status))).message, 'the key set is behind a redirect, which is not followed')
    }
  }
})

test('a body that is not UTF-8, or no body at all, is no set', async t => {
  t.equal((await failureOf(t, answerWith(Buffer.from('{"keys":[],"a":"\xff"}', 'latin1')))).message, 'the key set is not UTF-8')
  const { text } = await fetchFrom('https://id.example/', { fetch: async () => new Response(null) })
  t.equal(text, '')
})

test('a publisher that hangs up, or is not there, cannot be reached; the cause is for the log', async t => {
  for (const answer of [
    response => response.destroy(),
    response => { response.write('{"keys":'); setImmediate(() => response.destroy()) }
  ] satisfies Answer[]) t.match(await failureOf(t, answer), { message: 'the key set cannot be reached', cause: Error })

  const publisher = await createPublisher(t)
  await publisher.stop()
  await t.rejects(fetchFrom(publisher.url), { message: 'the key set cannot be reached', cause: { cause: { code: 'ECONNREFUSED' } } })
})

test('the whole answer must come in time: the connection, the headers and the body', async t => {
  const late = { message: 'the key set did not come within 20 ms' }
  t.match(await failureOf(t, () => {}, { timeout: 20 }), late)
  t.match(await failureOf(t, response => { response.flushHeaders() }, { timeout: 20 }), late)
  t.match(await failureOf(t, response => { response.write('{"keys":') }, { timeout: 20 }), late)
})

test('a body that is not read to its end is closed', async t => {
  const publisher = await createPublisher(t)
  const closed = (answer: Answer) => new Promise<void>(resolve => publisher.answer((response, request) => {
    response.once('close', resolve)
    answer(response, request)
  }))
  const body = Buffer.alloc(10_000_000, ' ')
  for (const answer of [answerWith(body), answerWith(body, {}, 404), answerWith(body, { location: '/' }, 302)]) {
    const close = closed(answer)
    await t.rejects(fetchFrom(publisher.url), { message: /^the key set is / })
    await close
  }
})

test('a fetch of the application is held to the same limits', async t => {
  const url = 'https://id.example/jwks.json'
  const reading = async (fetch: NonNullable<RemoteKeysOptions['fetch']>, timeout = 60_000) => await fetchFrom(url, { fetch, timeout })
  const calls: unknown[] = []
  await reading(async (...given) => {
    calls.push(given)
    return new Response('{}')
  })
  t.match(calls, [[url, { redirect: 'manual', headers: { accept: /json/ }, signal: AbortSignal }]])

  await t.rejects(reading(async () => await new Promise(() => {}), 20), { message: 'the key set did not come within 20 ms' })
  await t.rejects(reading(async () => new Response(new ReadableStream({ pull: () => new Promise(() => {}) })), 20), {
    message: 'the key set did not come within 20 ms'
  })
  await t.rejects(reading(async () => new Response(' '.repeat(65_537))), { message: 'the key set is longer than 65536 bytes' })
  await t.rejects(reading(async () => Object.defineProperty(new Response('{}'), 'redirected', { value: true })), {
    message: 'the key set is behind a redirect, which is not followed'
  })
  for (const cause of [new Error('proxy'), 'proxy', undefined]) {
    await t.rejects(reading(() => { throw cause }), { message: 'the key set cannot be reached' })
    await t.rejects(reading(async () => await Promise.reject(cause)), { message: 'the key set cannot be reached' })
  }
  await t.rejects(reading(async () => undefined as unknown as Response), { message: 'the key set cannot be reached' })
})

test('a read ends at once when it is told to', async t => {
  const controller = new AbortController()
  const publisher = await createPublisher(t)
  publisher.answer(() => controller.abort())
  await t.rejects(fetchFrom(publisher.url, { controller }), { message: 'the key set cannot be reached' })
})
