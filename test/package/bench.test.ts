import { test } from 'tap'
import { apps, SECRET, USER } from '../../bench/apps.ts'
import { benchCookies } from '../../bench/cookies.ts'
import { benchGuardedRoute } from '../../bench/guarded-route.ts'
import { benchGuards } from '../../bench/guards.ts'
import { benchIssue } from '../../bench/issue.ts'
import { benchKeys } from '../../bench/keys.ts'
import { benchLarge } from '../../bench/large.ts'
import { ratio, report } from '../../bench/measure.ts'
import { benchPossession } from '../../bench/possession.ts'
import { benchRefused } from '../../bench/refused.ts'
import { benchSessions } from '../../bench/sessions.ts'
import { benchStores } from '../../bench/stores.ts'
import { benchVerify } from '../../bench/verify.ts'
import { withoutPostgres } from '../support/postgres.ts'
import { startRedis, withoutServer } from '../support/redis.ts'

const SMALL = { rounds: 1, count: 40, warmUp: 1, tokens: 10 }

// Each benchmark fails by itself when an answer is not the one it expects.
for (const [name, bench, lines] of [
  ['guarded route', benchGuardedRoute, [
    'bare Fastify', 'ours, one token', 'ours, 10 tokens', 'ours, new tokens', 'ours, no cache', 'fast-jwt alone, new tokens',
    'ours, one EdDSA token', '@fastify/jwt, one token', 'ours ÷ bare', 'ours, EdDSA ÷ HS256', '@fastify/jwt ÷ ours', 'ours ÷ fast-jwt alone, new tokens'
  ]],
  ['refused', benchRefused, [
    'bare Fastify', 'let through', 'no token', 'an expired token', 'no token ÷ bare', 'an expired token ÷ bare', 'an expired token ÷ let through',
    'a token that is none ÷ let through', 'bytes in the log, an expired token:'
  ]],
  ['guards', benchGuards, [
    'loginRequired', 'guard, maxAge', 'guard, scope', 'guard, allow', 'guard, all three', 'maxAge ÷ loginRequired', 'scope ÷ loginRequired'
  ]],
  ['cookies', benchCookies, [
    'by header, cookies off', 'by header, cookies on', 'by cookie, GET', 'by cookie, POST', 'by header: cookies on ÷ off', 'by cookie, POST ÷ by header, off'
  ]],
  ['verify', benchVerify, ['first seen', 'first seen, fast-jwt', 'hot', 'first seen: ours ÷ fast-jwt']],
  ['issue', benchIssue, ['pair', 'pair, @fastify/jwt', 'access token', 'pair: @fastify/jwt ÷ ours']],
  ['keys', benchKeys, ['HS256, sign', 'EdDSA, first seen', 'PS256, hot', 'sign: RS256 ÷ HS256', 'hot: EdDSA ÷ HS256']],
  ['possession', benchPossession, ['no proof', 'a proof, ES256', 'a proof, ES256, new keys', 'a proof, EdDSA', 'ES256 ÷ none']]
] as const) {
  test(`the ${name} benchmark runs every case and names what it compares`, async t => {
    const text = await bench(SMALL)
    for (const line of lines) t.match(text, `\n  ${line} `)
    t.notMatch(text, /NaN|Infinity|undefined/)
  })
}

for (const place of ['memory', 'Redis'] as const) {
  test(`the sessions benchmark runs every case in ${place} and names what it compares`, { skip: place === 'Redis' && withoutServer }, async t => {
    const text = await benchSessions(SMALL, place === 'Redis' ? (await startRedis(t)).url : undefined)
    for (const line of ['no sessions', 'sessions in memory, 10 tokens', 'in memory ÷ none', 'in memory']) t.match(text, `\n  ${line} `)
    const lines = ['sessions in Redis, 10 tokens', 'in Redis ÷ none', 'in Redis ÷ in memory', 'round trips to Redis for one refresh: 1.00']
    for (const line of lines) t.equal(text.includes(`\n  ${line}`), place === 'Redis', line)
    t.notMatch(text, /NaN|Infinity|undefined/)
  })
}

test('the stores benchmark runs every case in every store that is there, and names those that are not', async t => {
  const text = await benchStores(t, { rounds: 1, count: 40, warmUp: 8, sessions: 64 })
  t.match(text, '| store | sign-in | rotation | list | revocation | bytes per session |')
  t.match(text, /\n {2}SQLite full, libsql ÷ SQLite normal, libsql +sign-in [\d.]+, rotation /)
  for (const [name, missing] of [
    ['memory', false], ['SQLite full', false], ['SQLite normal', false], ['Postgres', withoutPostgres], ['Redis, 1 shard', withoutServer], ['Redis, 16 shards', withoutServer]
  ] as const) {
    t.equal(text.includes(`\n| ${name}`), missing === false, name)
    if (missing !== false) t.match(text, `Left out: ${missing}`)
  }
  for (const line of ['memory', 'SQLite full ÷ memory', '@fastify/jwt by hand ÷ memory', 'oidc-provider ÷ memory']) t.match(text, `\n  ${line} `)
  t.notMatch(text, /NaN|Infinity|undefined/)
})

test('the compared applications give the same answer to the same token', async t => {
  const issuer = await apps.guarded()
  const { token: shared } = await issuer.dualToken.issueTokens(USER)
  for (const [name, createApp] of Object.entries(apps)) {
    const app = await createApp()
    const { token } = name === 'guarded, EdDSA' ? await app.dualToken.issueTokens(USER) : { token: shared }
    const answer = await app.inject({ url: '/', headers: { authorization: `Bearer ${token}` } })
    t.equal(answer.statusCode, 200, name)
    t.equal(answer.body, '{"user_id":42}', name)
    await app.close()
  }
  await issuer.close()
})

test('the compared applications refuse a forged token, except for the bare one', async t => {
  for (const [name, createApp] of Object.entries(apps)) {
    const app = await createApp()
    const { statusCode } = await app.inject({ url: '/', headers: { authorization: `Bearer ${SECRET}` } })
    t.equal(statusCode, name === 'bare' ? 200 : 401, name)
    await app.close()
  }
})

test('a ratio is the median of the ratios of each round', t => {
  const sample = (cpu: number) => ({ cpu, perSecond: 1 })
  const samples = { slow: [2, 30, 8].map(sample), fast: [1, 10, 2].map(sample) }
  t.equal(ratio(samples, ['slow', 'fast']), 3)
  t.equal(ratio({ ...samples, base: [0, 5, 0].map(sample) }, ['slow', 'fast', 'base']), 4)
  t.equal(ratio({ slow: samples.slow.slice(1), fast: samples.fast.slice(1) }, ['slow', 'fast']), 3.5)
  t.match(report('Title', samples, { 'slow ÷ fast': ['slow', 'fast'] }), /^Title\n.*CPU µs +per second\n/)
  t.end()
})

test('the large benchmark runs every case on every disk that is there, and names those that are not', async t => {
  const text = await benchLarge(t, { sessions: 6_000, count: 40 })
  for (const line of ['SQLite, libsql: 6,000 sessions', '  rotation, full, beside a sweep: median', '  sweep of 120 sessions']) t.ok(text.includes(line), line)
  const postgres = withoutPostgres === false ? ['Postgres: 6,000 sessions', '  rotation, 1,000 sessions: median'] : [`Left out: ${withoutPostgres}`]
  for (const line of postgres) t.ok(text.includes(line), line)
  t.notMatch(text, /NaN|Infinity|undefined/)
})
