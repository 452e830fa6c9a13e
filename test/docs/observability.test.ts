// docs/observability.md, run as it stands: the Prometheus page is scraped, the OpenTelemetry meter read, the dashboard and the alerts held against both.
import { readFileSync } from 'node:fs'
import { metrics } from '@opentelemetry/api'
import { AggregationTemporality, InMemoryMetricExporter, MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics'
import type { FastifyInstance } from 'fastify'
import { test } from 'tap'
import { bearer, createClock } from '../support/app.ts'
import { readPage } from '../support/markdown.ts'
import { blocksOf, follow } from '../support/recipe.ts'
import { NOW } from '../support/tokens.ts'

const PAGE = 'docs/observability.md'
const prometheus = blocksOf(PAGE, 'Prometheus', 'ts')[0]!
const openTelemetry = blocksOf(PAGE, 'OpenTelemetry', 'ts')[0]!

/** With the clock of the test, which the page has no need of. */
const run = (t: Parameters<typeof follow>[0], block: string, clock: ReturnType<typeof createClock>) =>
  follow(t, block.replace('{ secret, sessions', '{ secret, now, sessions'), { now: clock.now })

/** Two sign-ins, a refresh, a repeated one, a theft, the theft's refusal, and three anonymous requests. */
async function use (fastify: FastifyInstance, clock: ReturnType<typeof createClock>): Promise<void> {
  const signIn = async () => (await fastify.inject({ method: 'POST', url: '/authorizations', payload: { username: 'ann', password: 'good' } })).json()
  const renew = async (token: string) => (await fastify.inject({ method: 'PUT', url: '/authorizations', headers: bearer(token) })).json()
  await signIn()
  const { refresh_token: first } = await signIn()
  const { refresh_token: second } = await renew(first)
  await renew(first)
  clock.advance(11)
  await renew(second)
  clock.advance(11)
  await renew(first)
  await renew(second)
  for (let count = 0; count < 3; count++) await fastify.inject('/authorizations/sessions')
}

/** The lines of a block that are the user's own: neither imports nor what the page takes as given. */
function userLines (block: string): string[] {
  return block.split('\n').filter(line => line.trim() !== '' && !/^(import|declare) /.test(line))
}

test('each example is at most 30 lines of user code', async t => {
  for (const block of [prometheus, openTelemetry]) t.ok(userLines(block).length <= 30, String(userLines(block).length))
})

test('the Prometheus page counts sign-ins, refreshes, reuse and refusals, and measures the store and the feed', async t => {
  const clock = createClock(NOW)
  const fastify = await run(t, prometheus, clock)
  await fastify.ready()
  await use(fastify, clock)
  const reply = await fastify.inject('/metrics')
  t.equal(reply.statusCode, 200)
  t.match(reply.headers['content-type'], /^text\/plain; version=0\.0\.4/)
  const samples = new Map(reply.body.split('\n').filter(line => line !== '' && !line.startsWith('#')).map(line => {
    const space = line.lastIndexOf(' ')
    return [line.slice(0, space), Number(line.slice(space + 1))]
  }))
  const at = (name: string): number | undefined => samples.get(name)
  t.equal(at('auth_sign_ins_total'), 2)
  for (const [outcome, count] of [['rotated', 2], ['repeated', 1], ['reused', 1], ['refused', 1]] as const) {
    t.equal(at(`auth_refreshes_total{outcome="${outcome}"}`), count, outcome)
  }
  t.equal(at('auth_reuse_total'), 1)
  for (const [code, count] of [['ACCESS_MISSING', 3], ['REFRESH_REUSED', 1], ['REFRESH_REVOKED', 1]] as const) {
    t.equal(at(`auth_refusals_total{code="FST_DUAL_TOKEN_${code}"}`), count, code)
  }
  t.equal(at('auth_store_seconds_count{method="create",outcome="ok"}'), 2)
  t.equal(at('auth_store_seconds_count{method="rotate",outcome="ok"}'), 4)
  t.ok(at('auth_store_seconds_count{method="revokedSince",outcome="ok"}')! >= 1)
  t.ok(at('auth_feed_age_seconds')! >= 0)
  t.equal(at('auth_feed_failed_reads_total'), 0)

  const known = new Set([...samples.keys()].map(name => name.replace(/\{.*/, '')))
  const expressions = [
    ...readPage(PAGE).rows('What to alert on', 'alert').map(([, expression]) => expression!),
    ...dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr))
  ]
  t.equal(readPage(PAGE).rows('What to alert on', 'alert').length, 5)
  for (const expression of expressions) {
    const names = expression.match(/\bauth_\w+/g) ?? []
    t.ok(names.length > 0, expression)
    for (const name of names) t.ok(known.has(name), name)
    t.equal(expression.split('(').length, expression.split(')').length, expression)
  }
  t.strictSame([...known].filter(name => !/_(bucket|sum|count)$/.test(name) && !expressions.some(text => text.includes(name))), [], 'every metric is shown')
})

test('the OpenTelemetry meter counts the same', async t => {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })
  const provider = new MeterProvider({ readers: [reader] })
  t.ok(metrics.setGlobalMeterProvider(provider))
  t.teardown(async () => {
    metrics.disable()
    await provider.shutdown()
  })
  const clock = createClock(NOW)
  const fastify = await run(t, openTelemetry, clock)
  await fastify.ready()
  const read = async () => {
    await provider.forceFlush()
    return new Map(exporter.getMetrics().at(-1)!.scopeMetrics.flatMap(({ metrics }) => metrics).flatMap(({ descriptor, dataPoints }) =>
      dataPoints.map(({ attributes, value }) => [[descriptor.name, ...Object.values(attributes)].join(' '), value] as const)))
  }
  t.equal((await read()).get('auth.reuse'), 0, 'so that the first theft is an increase')
  await use(fastify, clock)
  const points = await read()
  for (const [name, value] of [
    ['auth.sign_ins', 2], ['auth.reuse', 1], ['auth.refreshes rotated', 2], ['auth.refreshes repeated', 1], ['auth.refreshes reused', 1],
    ['auth.refreshes refused', 1], ['auth.refusals FST_DUAL_TOKEN_ACCESS_MISSING', 3]
  ] as const) t.equal(points.get(name), value, name)
  t.match(points.get('auth.store.seconds create ok'), { count: 2 })
  t.type(points.get('auth.feed.age.seconds'), 'number')
})

interface Dashboard {
  title: string
  uid: string
  schemaVersion: number
  time: object
  templating: { list: Array<{ name: string, type: string, query: string }> }
  panels: Array<{
    id: number
    type: string
    title: string
    datasource: object
    gridPos: { h: number, w: number, x: number, y: number }
    fieldConfig: { defaults: { unit: string }, overrides: unknown[] }
    options: object
    targets: Array<{ refId: string, expr: string, datasource: object }>
  }>
}

const dashboard = JSON.parse(readFileSync('docs/grafana-dashboard.json', 'utf8')) as Dashboard

test('the dashboard has what Grafana asks of one: members, panels with ids of their own that do not overlap, one data source', async t => {
  const SOURCE = { type: 'prometheus', uid: '${datasource}' } // eslint-disable-line no-template-curly-in-string
  t.match(dashboard, { title: String, uid: /^[\w-]{1,40}$/, schemaVersion: Number, time: { from: String, to: String } })
  t.match(dashboard.templating.list, [{ name: 'datasource', type: 'datasource', query: 'prometheus' }])
  t.equal(new Set(dashboard.panels.map(({ id }) => id)).size, dashboard.panels.length)
  const taken = new Set<string>()
  for (const { id, type, title, datasource, gridPos, fieldConfig, options, targets } of dashboard.panels) {
    t.ok(Number.isInteger(id) && id > 0)
    t.ok(['timeseries', 'stat'].includes(type), title)
    t.strictSame(datasource, SOURCE)
    t.match({ title, fieldConfig, options }, { title: /./, fieldConfig: { defaults: { unit: String }, overrides: [] }, options: Object })
    const { h, w, x, y } = gridPos
    t.ok(h > 0 && w > 0 && x >= 0 && y >= 0 && x + w <= 24, title)
    for (let row = y; row < y + h; row++) {
      for (let column = x; column < x + w; column++) {
        t.notOk(taken.has(`${row} ${column}`), title)
        taken.add(`${row} ${column}`)
      }
    }
    t.equal(new Set(targets.map(({ refId }) => refId)).size, targets.length)
    for (const target of targets) t.match(target, { refId: /^[A-Z]$/, expr: /\bauth_/, datasource: SOURCE })
  }
})
