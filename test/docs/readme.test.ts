import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { join } from 'node:path'
import rateLimit from '@fastify/rate-limit'
import Fastify from 'fastify'
import { test, type Test } from 'tap'
import { dualToken } from '../../lib/index.ts'
import { challengeOf, errorTable } from '../../lib/errors.ts'
import { OptionSchemas, resolveOptions } from '../../lib/options/resolve.ts'
import { readPage, valueOf } from '../support/markdown.ts'
import { blocksOf } from '../support/recipe.ts'
import { node, startServer } from '../support/server-process.ts'
import { SECRET } from '../support/tokens.ts'

const { blocks, rows } = readPage('README.md')
const quickStart = blocks('ts')[0]!
const commonJs = blocksOf('docs/recipes.md', 'CommonJS', 'js')[0]!

/** A file in this package, where its own name resolves to what `npm run build` made. */
function fileHere (t: Test, name: string, content: string): string {
  return join(t.testdir({ [name]: content }), name)
}

async function runCommands (t: Test, script: string): Promise<{ code: number | null, output: string }> {
  const bin = t.testdir({ curl: CURL })
  chmodSync(join(bin, 'curl'), 0o755)
  const hasCurl = spawnSync('curl', ['--version']).status === 0
  const child = spawn('/usr/bin/env', ['-u', 'NODE_OPTIONS', '/bin/sh', '-eu', '-c', script], {
    env: { PATH: hasCurl ? process.env.PATH : `${bin}:${process.env.PATH}` },
    stdio: ['ignore', 'pipe', 'inherit']
  })
  const code = new Promise<number | null>(resolve => child.once('close', resolve))
  return { output: await text(child.stdout), code: await code }
}

/** As much of curl as the README uses, for machines without it. */
const CURL = `#!/usr/bin/env node
const { values, positionals: [url] } = require('node:util').parseArgs({
  allowPositionals: true,
  options: {
    silent: { type: 'boolean', short: 's' },
    request: { type: 'string', short: 'X' },
    header: { type: 'string', short: 'H', multiple: true },
    data: { type: 'string', short: 'd' },
    'write-out': { type: 'string', short: 'w', default: '' }
  }
})
const headers = (values.header ?? []).map(line => line.split(': '))
const method = values.request ?? (values.data === undefined ? 'GET' : 'POST')
fetch('http://' + url, { method, headers, body: values.data })
  .then(response => response.text())
  .then(text => process.stdout.write(text + values['write-out'].replaceAll('\\\\n', '\\n')))
`

const withoutSed = spawnSync('sed', ['--version']).error !== undefined && process.env.CI !== '1' && 'no sed in the PATH'

test('the first example runs unchanged, as .ts, as .mjs and in CommonJS, and its commands print the answers shown', { skip: withoutSed }, async t => {
  const commands = blocks('sh').find(block => block.includes('curl'))!
  const promised = [...commands.matchAll(/^curl .* # (\{.*)$/gm)].map(match => match[1]!)
  t.equal(promised.length, 4)

  for (const name of ['server.ts', 'server.mjs', 'server.cjs']) {
    await t.test(name, async t => {
      const file = fileHere(t, name, (name === 'server.cjs' ? commonJs : quickStart).replace('port: 3000', 'port: 0'))
      const { url } = await startServer(t, node(file))
      const script = commands.replaceAll('127.0.0.1:3000', url.slice('http://'.length))
      const { code, output } = await runCommands(t, script)
      t.equal(code, 0)

      const answers = output.trim().split('\n')
      t.equal(answers.length, promised.length)
      for (const [index, answer] of answers.entries()) {
        const pattern = promised[index]!.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll('…', '.+')
        t.match(answer, new RegExp(`^${pattern}$`))
      }
    })
  }
})

test('the first example is the code of the example server', async t => {
  const server = new Set(readFileSync('example-server.ts', 'utf8').split('\n').map(line => line.trim()))
  const own = quickStart.split('\n').map(line => line.trim()).filter(line => !server.has(line))
  t.same(own, [
    "import Fastify from 'fastify'",
    "import dualToken, { defineRoutes, loginRequired } from 'fastify-dual-token'",
    'secret: process.env.JWT_SECRET ?? randomBytes(32),',
    "await fastify.listen({ port: 3000, host: '127.0.0.1' })"
  ].filter(line => !server.has(line)))
})

test('a rate limit that is passed on holds for each of the ready routes by itself', async t => {
  const fastify = Fastify()
  t.teardown(() => fastify.close())
  await fastify.register(rateLimit, { global: false })
  const config = { rateLimit: { max: 5, timeWindow: '1 minute' } }
  await fastify.register(dualToken, { secret: SECRET, routes: { login: () => null, config } })

  for (const [method, refusal] of [['POST', 401], ['PUT', 403]] as const) {
    const statuses: number[] = []
    for (let i = 0; i < 6; i++) {
      const { statusCode } = await fastify.inject({ method, url: '/authorizations', ...(method === 'POST' && { payload: {} }) })
      statuses.push(statusCode)
    }
    t.same(statuses, [refusal, refusal, refusal, refusal, refusal, 429], method)
  }
})

test('the options table names every option, and its defaults are the defaults', async t => {
  const table = rows('Options', 'option')
  t.same(table.map(([name]) => name).sort(), Object.keys(OptionSchemas).sort())

  const settings = resolveOptions({ secret: SECRET })
  for (const [name, text] of table) {
    if (name === 'secret' || text === '–') continue
    const value: unknown = text === 'Date.now' ? Date.now : valueOf(text!)
    t.same(resolveOptions({ secret: SECRET, [name!]: value }), settings, `${name} is ${text}`)
  }
})

test('the errors table is the table of the code', async t => {
  const documented = Object.fromEntries(rows('Errors', 'code').flatMap(([codes, status, message, challenge]) =>
    codes!.split(/`?, `?/).map(code => [code, { status, message, challenge }])))
  t.same(Object.keys(documented).sort(), Object.keys(errorTable).sort())

  for (const [suffix, entry] of Object.entries(errorTable)) {
    const row = documented[suffix]!
    const status = 'signInStatus' in entry ? `${entry.status}, ${entry.signInStatus} at sign-in` : String(entry.status)
    t.equal(row.status, suffix === 'OPTION_INVALID' ? 'boot' : status, suffix)
    if (entry.message !== '%s') t.equal(row.message, entry.message, suffix)
    const challenge = challengeOf(entry, 'attribute' in entry ? '…' : undefined)
    const scheme = 'scheme' in entry ? entry.scheme : 'Bearer'
    t.equal(row.challenge, challenge === undefined ? '–' : `${scheme} ${challenge}`.trim(), suffix)
  }
})

test('every dependency is justified', async t => {
  const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as { dependencies: Record<string, string> }
  t.same(rows('Dependencies', 'package').map(([name]) => name).sort(), Object.keys(dependencies).sort())
})
