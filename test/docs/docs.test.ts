// README.md and docs/*.md against the code: examples, links, and the table of the sessions option.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { test } from 'tap'
import { memoryStore } from '../../lib/index.ts'
import { readSessions, SESSION_OPTION_NAMES } from '../../lib/options/sessions.ts'
import type { SessionSettings } from '../../lib/sessions/settings.ts'
import { readPage, valueOf } from '../support/markdown.ts'

const PATHS = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', ...readdirSync('docs').filter(name => name.endsWith('.md')).map(name => `docs/${name}`)]
const pages = PATHS.map(path => ({ path, ...readPage(path) }))

test('every example type-checks alone, against what is published', async t => {
  const examples = pages.flatMap(({ path, blocks }) => blocks('ts').map((block, index) => [`${basename(path, '.md')}-${index}.ts`, block] as const))
  const folder = t.testdir(Object.fromEntries(examples))
  // The claims that one example declares would be asked of all others: it is compiled by itself.
  const declares = ([, code]: readonly [string, string]) => code.includes("declare module 'fastify-dual-token'")
  for (const group of [examples.filter(declares), examples.filter(example => !declares(example))]) {
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({
      extends: '../../../tsconfig.json',
      compilerOptions: { rootDir: '../../..', noUnusedLocals: false, moduleDetection: 'force', lib: ['ES2023', 'DOM'] },
      files: group.map(([name]) => name),
      include: []
    }))
    const { status, stdout } = spawnSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', folder], { encoding: 'utf8' })
    t.equal(stdout, '')
    t.equal(status, 0)
  }
  // What another file has imported would type these.
  for (const [name, code] of examples.filter(([, code]) => /\.dualToken\b|request\.user\b|\bloginRequired\b/.test(code))) {
    t.match(code, /from '(?:fastify-dual-token|@fastify\/jwt)'/, name)
  }
})

test('every link leads to a file that is there, and to a heading in it', async t => {
  for (const { path, links } of pages) {
    for (const link of links.filter(link => !link.includes('://'))) {
      const [file, anchor] = link.split('#') as [string, string?]
      const target = file === '' ? path : join(dirname(path), file)
      t.ok(existsSync(target), `${path}: ${link}`)
      if (anchor !== undefined) t.ok(readPage(target).anchors.includes(anchor), `${path}: ${link}`)
    }
  }
})

test('the table of the sessions option names every member, and its defaults are the defaults', async t => {
  const table = readPage('docs/sessions.md').rows('Options', 'member of `sessions`')
  t.strictSame(table.map(([name]) => name).sort(), [...SESSION_OPTION_NAMES].sort())

  const store = memoryStore()
  for (const [name, text] of table) {
    if (name === 'store' || text === '–') continue
    // The end of a sliding session is looked at for no other one.
    const sliding = name === 'maxLifetime' ? { sliding: true } : {}
    const settings = (more: object): SessionSettings => readSessions({ store, ...sliding, ...more }, 7200, 1_209_600)
    t.strictSame(settings({ [name!]: valueOf(text!) }), settings({}), `${name} is ${text}`)
  }
})
