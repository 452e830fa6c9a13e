// README.md and docs/*.md against the code: examples, links, and the tables of the sessions option and of remoteKeys.
import { existsSync, readdirSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { test } from 'tap'
import ts from 'typescript'
import { memoryStore, remoteKeys } from '../../lib/index.ts'
import { keySetSettingsOf } from '../../lib/options/remote-keys.ts'
import { readSessions, SESSION_OPTION_NAMES } from '../../lib/options/sessions.ts'
import type { SessionSettings } from '../../lib/sessions/settings.ts'
import { readPage, valueOf } from '../support/markdown.ts'

const PATHS = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', ...readdirSync('docs').filter(name => name.endsWith('.md')).map(name => `docs/${name}`)]
const pages = PATHS.map(path => ({ path, ...readPage(path) }))

const { options } = ts.getParsedCommandLineOfConfigFile('tsconfig.json', {}, { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => {} })!

test('every example type-checks alone, pasted into a strict file, against what is published', async t => {
  const examples = pages.flatMap(({ path, blocks }) => blocks('ts').map((block, index) => [`${basename(path, '.md')}-${index}.ts`, block] as const))
  const folder = t.testdir(Object.fromEntries(examples))
  // Each is a program of its own, so that no other one types what it has not imported. What they share is read once.
  const host = ts.createCompilerHost(options)
  const sources = new Map<string, ts.SourceFile | undefined>()
  const { getSourceFile } = host
  host.getSourceFile = (name, ...how) => {
    if (!sources.has(name)) sources.set(name, getSourceFile(name, ...how))
    return sources.get(name)
  }
  for (const [name, code] of examples) {
    const program = ts.createProgram([join(folder, name)], {
      ...options,
      lib: ['lib.es2023.d.ts', .../\blocalStorage|\blocation\./.test(code) ? ['lib.dom.d.ts'] : []],
      noUnusedLocals: false // what an example makes is the reader's to use
    }, host)
    t.equal(ts.formatDiagnostics(ts.getPreEmitDiagnostics(program), host), '', name)
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

test('the table of the options of remoteKeys names every option, and its defaults are the defaults', async t => {
  const table = readPage('docs/keys.md').rows('Services that follow a key set', 'option of `remoteKeys`')
  const settings = (more: object) => keySetSettingsOf(remoteKeys('https://id.example/', { algorithms: ['EdDSA'], ...more }))!
  const { url, ...named } = settings({})
  t.strictSame(table.map(([name]) => name).sort(), Object.keys(named).sort())
  for (const [name, text] of table) {
    if (text === 'required') continue
    const value: unknown = text === 'globalThis.fetch' ? globalThis.fetch : valueOf(text!)
    t.strictSame(settings({ [name!]: value }), settings({}), `${name} is ${text}`)
  }
})
