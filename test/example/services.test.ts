// The two services of the example, on each store that they can share.
import { setImmediate as nextTurn } from 'node:timers/promises'
import { test, type Test } from 'tap'
import { node, start } from '../support/server-process.ts'
import { newFile } from '../support/sqlite.ts'
import { startRedis, withoutServer } from '../support/redis.ts'
import { startPostgres, withoutPostgres } from '../support/postgres.ts'

const COMMAND: readonly string[] = node('example/services/index.ts')
const MISSING = 'The services did not start:\n'

interface Reply {
  readonly status: number
  readonly body: Record<string, unknown>
}

interface Tokens {
  access: string
  refresh: string
}

async function send (url: string, method: string, token?: string, body?: object): Promise<Reply> {
  const response = await fetch(url, {
    method,
    headers: {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { 'content-type': 'application/json' })
    },
    ...(body !== undefined && { body: JSON.stringify(body) })
  })
  const text = await response.text()
  return { status: response.status, body: text === '' ? {} : JSON.parse(text) as Record<string, unknown> }
}

async function startServices (t: Test, env: NodeJS.ProcessEnv, command = COMMAND) {
  const started = start(t, command, { IDENTITY_PORT: '0', ORDERS_PORT: '0', KEY_SET_MAX_AGE: '1', ...env })
  await started.waitFor(/^Users:/)
  const urlOf = (name: string): string => {
    const url = started.log.map(line => new RegExp(`^${name} service: +(\\S+)`).exec(line)?.[1]).find(url => url !== undefined)
    if (url === undefined) throw new Error(MISSING + started.log.join('\n'))
    return url
  }
  return { ...started, identity: urlOf('Identity'), orders: urlOf('Orders') }
}

async function signIn (identity: string, username: string): Promise<Tokens> {
  const { status, body } = await send(`${identity}/authorizations`, 'POST', undefined, { username, password: `${username}-password` })
  if (status !== 201) throw new Error(`Sign-in answered ${status}`)
  return { access: String(body.token), refresh: String(body.refresh_token) }
}

function kidOf (token: string): unknown {
  return (JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString()) as { kid: unknown }).kid
}

/** Asks again and again, as long as the test may take: what it waits for is another process. */
async function until (holds: () => Promise<boolean>): Promise<true> {
  while (!await holds()) await nextTurn()
  return true
}

/** A client that orders and refreshes without a pause, and notes what is refused. */
function startCustomer (identity: string, orders: string, tokens: Tokens) {
  const refused: unknown[] = []
  const state = { rounds: 0, isDone: false }
  const note = (name: string, { status, body }: Reply): void => { if (status !== 201) refused.push({ name, status, body }) }
  const finished = (async () => {
    while (!state.isDone) {
      note('order', await send(`${orders}/orders`, 'POST', tokens.access, { item: 'tea' }))
      const renewed = await send(`${identity}/authorizations`, 'PUT', tokens.refresh)
      note('refresh', renewed)
      if (renewed.status === 201) tokens = { access: String(renewed.body.token), refresh: String(renewed.body.refresh_token) }
      state.rounds++
    }
  })()
  return {
    refused,
    tokens: () => tokens,
    async afterRounds (count: number) {
      const goal = state.rounds + count
      return await until(async () => state.rounds >= goal)
    },
    async stop () {
      state.isDone = true
      await finished
    }
  }
}

async function drive (t: Test, env: NodeJS.ProcessEnv, command?: readonly string[]): Promise<void> {
  const { identity, orders, log, waitFor, ended, process: launcher } = await startServices(t, env, command)
  const demo = await signIn(identity, 'demo')

  await t.test('a user who signed in at one service orders at the other', async t => {
    t.strictSame(await send(`${orders}/orders`, 'POST', demo.access, { item: 'coffee' }), { status: 201, body: { item: 'coffee' } })
    t.strictSame(await send(`${orders}/orders`, 'GET', demo.access), { status: 200, body: { orders: [{ item: 'coffee' }] } })
    t.match(await send(`${orders}/orders`, 'GET'), { status: 401, body: { code: 'FST_DUAL_TOKEN_ACCESS_MISSING' } })
    t.match(await send(`${orders}/orders`, 'GET', demo.refresh), { status: 403, body: { code: 'FST_DUAL_TOKEN_ACCESS_IS_REFRESH' } })
    t.equal((await send(`${orders}/orders`, 'POST', demo.access, { item: '' })).status, 400)
  })

  await t.test('a wrong password, an unknown user and a scope that is missing are refused', async t => {
    const wrong = { status: 401, body: { code: 'FST_DUAL_TOKEN_LOGIN_REFUSED' } }
    t.match(await send(`${identity}/authorizations`, 'POST', undefined, { username: 'demo', password: 'admin-password' }), wrong)
    t.match(await send(`${identity}/authorizations`, 'POST', undefined, { username: 'nobody', password: '' }), wrong)
    const outOfScope = { status: 403, body: { code: 'FST_DUAL_TOKEN_ACCESS_SCOPE' } }
    t.match(await send(`${identity}/key-roll`, 'POST', demo.access, { step: 'publish' }), outOfScope)
    t.match(await send(`${orders}/orders`, 'GET', (await signIn(identity, 'admin')).access), outOfScope)
  })

  await t.test('the key is rolled in three steps, and no request fails', async t => {
    const customer = startCustomer(identity, orders, await signIn(identity, 'demo'))
    t.teardown(() => customer.stop())
    let admin = await signIn(identity, 'admin')
    const roll = async (step: string) => await send(`${identity}/key-roll`, 'POST', admin.access, { step })
    const old = kidOf(admin.access)

    t.match(await roll('sign'), { status: 409, body: { message: 'The next step is publish.' } })
    t.equal((await roll('drop')).status, 400)
    const published = await roll('publish')
    t.match(published, { status: 200, body: { step: 'publish', kids: [old, String], next: 'sign', wait: 61 } })
    const [, young] = published.body.kids as string[]
    await waitFor(/The key set has changed: it holds 2/)
    t.ok(await customer.afterRounds(2))
    t.equal(kidOf(customer.tokens().access), old)

    t.match(await roll('sign'), { status: 200, body: { kids: [young, old], next: 'retire', wait: 1_209_660 } })
    // Instead of 14 days, until no token of the old key is in the client's hands.
    t.ok(await customer.afterRounds(2))
    t.equal(kidOf(customer.tokens().access), young)
    t.equal(kidOf(customer.tokens().refresh), young)
    t.equal((await send(`${orders}/orders`, 'GET', demo.access)).status, 200, 'tokens of the old key are still accepted')

    const left = admin.access
    admin = await signIn(identity, 'admin')
    t.match(await roll('retire'), { status: 200, body: { kids: [young], next: 'publish', wait: 0 } })
    t.ok(await until(async () => (await send(`${orders}/orders`, 'GET', demo.access)).status === 401))
    t.equal((await send(`${identity}/key-roll`, 'POST', left, { step: 'publish' })).status, 401)
    t.ok(await customer.afterRounds(2))
    await customer.stop()
    t.strictSame(customer.refused, [])
  })

  await t.test('a user who signs out at one service is soon refused at the other', async t => {
    const { access } = await signIn(identity, 'demo')
    const other = await signIn(identity, 'demo')
    t.equal((await send(`${orders}/orders`, 'GET', access)).status, 200)
    t.equal((await send(`${identity}/authorizations`, 'DELETE', access)).status, 204)
    let last: Reply | undefined
    t.ok(await until(async () => {
      last = await send(`${orders}/orders`, 'GET', access)
      return last.status === 401
    }))
    t.match(last, { body: { code: 'FST_DUAL_TOKEN_ACCESS_REVOKED' } })
    t.equal((await send(`${orders}/orders`, 'GET', other.access)).status, 200, 'the other session goes on')
  })

  await t.test('Ctrl-C ends both', async t => {
    // A terminal signals every process of the command.
    const services = new Set(log.map(line => /^\{.*"pid":(\d+)/.exec(line)?.[1]).filter(pid => pid !== undefined).map(Number))
    t.equal(services.size, 2)
    for (const pid of [launcher.pid!, ...services]) process.kill(pid, 'SIGINT')
    t.equal(await ended, 0)
    await t.rejects(fetch(identity))
    await t.rejects(fetch(orders))
  })
}

test('the services share a file when nothing else is given', async t => {
  await drive(t, { SQLITE_FILE: newFile(t) }, ['npm', 'run', '--silent', 'services'])
})

test('the services share the Redis of REDIS_URL', { skip: withoutServer }, async t => {
  await drive(t, { REDIS_URL: (await startRedis(t)).url })
})

test('the services share the Postgres of DATABASE_URL', { skip: withoutPostgres }, async t => {
  await drive(t, { DATABASE_URL: (await startPostgres(t)).url() })
})

test('the services end with the process that started them, however it ends', async t => {
  const { identity, orders, ended, process: launcher } = await startServices(t, { SQLITE_FILE: newFile(t) })
  launcher.kill('SIGKILL')
  await ended
  for (const url of [identity, orders]) t.ok(await until(async () => await fetch(url).then(() => false, () => true)))
})

test('when one service cannot start, the other ends, and one line says why', async t => {
  const { identity } = await startServices(t, { SQLITE_FILE: newFile(t) })
  const cases: Array<[NodeJS.ProcessEnv, RegExp]> = [
    [{ IDENTITY_PORT: new URL(identity).port }, /Cannot start the identity service: .*EADDRINUSE/],
    [{ ORDERS_PORT: 'http' }, /Cannot start the orders service: ORDERS_PORT must be a number from 0 to 65535/],
    [{ KEY_SET_MAX_AGE: 'long' }, /KEY_SET_MAX_AGE must be whole seconds/]
  ]
  for (const [env, pattern] of cases) {
    const { ended, log } = start(t, COMMAND, { IDENTITY_PORT: '0', ORDERS_PORT: '0', SQLITE_FILE: newFile(t), ...env })
    t.equal(await ended, 1)
    t.equal(log.filter(line => pattern.test(line)).length, 1)
  }
})
