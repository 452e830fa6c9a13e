// Imports go one way, from the plain to the particular, and steps know of Fastify by its types alone.
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'tap'

/** Each file may import those of earlier ranks, and of its own rank those before it; a folder stands for all its files. */
const RANKS: string[][] = [
  ['errors', 'key-types', 'types', 'sessions/store', 'sessions/events', 'option-types'],
  ['durations', 'ed25519', 'roca', 'guessable', 'leaked-secrets', 'secrets', 'key-source', 'key-options', 'jwks-options', 'user', 'route-options', 'session-options', 'options', 'define-routes'],
  ['segments', 'verdict', 'signature', 'jwt', 'keys', 'set-keys'],
  ['sessions/'],
  ['extract', 'claims', 'verify', 'issue', 'sign-in', 'refresh'],
  ['authenticate', 'replies', 'openapi', 'jwks', 'guards', 'ready-route', 'session-routes', 'routes'],
  ['dual-token', 'plugin'],
  ['contract/'],
  ['index', 'testing', 'keygen', 'cli'],
  ['client-types', 'client']
]

/** The only files that may import Fastify's world at run time; every other one is a step, tested with plain values. */
const RUN_TIME = new Map([['errors', ['@fastify/error']], ['jwt', ['@fastify/jwt']], ['plugin', ['fastify-plugin']]])

const FOLDER = new URL('../lib/', import.meta.url)
const IMPORT = /^(?:import|export)\s+(type\s)?[^'"`;]*?\bfrom\s+'([^']+)'|^import\s+()'([^']+)'/gm
const ORDER = RANKS.flat()

interface Import {
  readonly typeOnly: boolean
  readonly from: string
}

const files = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' })
  .filter(file => file.endsWith('.ts'))
  .map(file => file.slice(0, -3))

function importsOf (file: string): Import[] {
  const source = readFileSync(new URL(`${file}.ts`, FOLDER), 'utf8')
  return [...source.matchAll(IMPORT)].map(([, type, from, , bare]) => ({ typeOnly: type !== undefined, from: from ?? bare! }))
}

function placeOf (file: string): number {
  return ORDER.findIndex(name => name.endsWith('/') ? file.startsWith(name) : file === name)
}

test('every file of lib has its place, and every place its file', async t => {
  for (const file of files) t.not(placeOf(file), -1, file)
  for (const name of ORDER.filter(name => !name.endsWith('/'))) t.ok(files.includes(name), name)
})

test('every import line is understood', async t => {
  for (const file of files) {
    const source = readFileSync(new URL(`${file}.ts`, FOLDER), 'utf8')
    t.equal(importsOf(file).length, source.match(/\bfrom '|^import '/gm)?.length ?? 0, file)
    t.notMatch(source, /\bimport\(|\brequire\(/, `${file} imports nothing in passing`)
  }
})

test('the client, which runs in browsers, imports nothing but its own types', async t => {
  for (const file of ['client', 'client-types']) {
    for (const { typeOnly, from } of importsOf(file)) t.ok(typeOnly && from === './client-types.ts', `${file} imports ${from}`)
  }
})

test('imports go one way', async t => {
  for (const file of files) {
    for (const { from } of importsOf(file).filter(({ from }) => from.startsWith('.'))) {
      const target = new URL(from, new URL(file, FOLDER)).href.slice(FOLDER.href.length, -3)
      const [here, there] = [placeOf(file), placeOf(target)]
      const siblings = here === there && ORDER[here]!.endsWith('/')
      t.ok(there < here || siblings, `${file} imports ${target}`)
    }
  }
})

test('fastify and its plugins are imported as types, but for the one file that each belongs to', async t => {
  for (const file of files) {
    for (const { typeOnly, from } of importsOf(file).filter(({ from }) => /^@?fastify\b/.test(from))) {
      t.ok(typeOnly || RUN_TIME.get(file)?.includes(from), `${file} imports ${from}`)
    }
  }
})
