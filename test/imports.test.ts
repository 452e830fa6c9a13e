// The rooms of lib: which may import which, and what they may import of the world.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { test } from 'tap'

/** Each room, or file beside the rooms, and those it may import. */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  errors: [],
  client: [],
  keys: ['errors'],
  tokens: ['errors', 'keys'],
  sessions: ['errors', 'tokens'],
  possession: ['errors', 'keys', 'tokens', 'sessions'],
  stores: ['errors', 'sessions', 'tokens'],
  openapi: ['errors'],
  access: ['errors', 'tokens', 'sessions', 'openapi'],
  options: ['errors', 'keys', 'tokens', 'sessions', 'access'],
  routes: ['errors', 'keys', 'tokens', 'sessions', 'options', 'openapi', 'access', 'possession'],
  instance: ['errors', 'keys', 'tokens', 'sessions', 'possession', 'access', 'routes'],
  plugin: ['errors', 'keys', 'tokens', 'sessions', 'possession', 'options', 'access', 'routes', 'instance'],
  testing: ['sessions', 'tokens'],
  cli: ['keys', 'stores'],
  index: ['errors', 'keys', 'tokens', 'possession', 'sessions', 'stores', 'options', 'openapi', 'access', 'instance', 'plugin']
}

/** The only files that may import Fastify's world at run time; every other one is a step, tested with plain values. */
const RUN_TIME = new Map([['errors', ['@fastify/error']], ['keys/sign', ['@fastify/jwt']], ['plugin', ['fastify-plugin']]])

const FOLDER = new URL('../lib/', import.meta.url)
const IMPORT = /^(?:import|export)\s+(type\s)?[^'"`;]*?\bfrom\s+'([^']+)'|^import\s+()'([^']+)'/gm

interface Import {
  readonly typeOnly: boolean
  readonly from: string
}

const files = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' })
  .filter(file => file.endsWith('.ts'))
  .map(file => file.slice(0, -3))

function sourceOf (file: string): string {
  return readFileSync(new URL(`${file}.ts`, FOLDER), 'utf8')
}

function importsOf (file: string): Import[] {
  return [...sourceOf(file).matchAll(IMPORT)].map(([, type, from, , bare]) => ({ typeOnly: type !== undefined, from: from ?? bare! }))
}

/** The files of lib that a file imports, types included. */
function neighboursOf (file: string): string[] {
  return importsOf(file).filter(({ from }) => from.startsWith('.')).map(({ from }) => normalize(join(dirname(file), from)).replace(/\.ts$/, ''))
}

function roomOf (file: string): string {
  return file.split('/')[0]!
}

test('every file of lib is in a room, and every room has its files', async t => {
  t.strictSame([...new Set(files.map(roomOf))].sort(), Object.keys(ROOMS).sort())
})

test('the test understands every import line', async t => {
  for (const file of files) {
    const source = sourceOf(file)
    t.equal(importsOf(file).length, source.match(/\bfrom '|^import '/gm)?.length ?? 0, file)
    t.notMatch(source, /\bimport\(|\brequire\(/, `${file} imports nothing in passing`)
  }
})

test('each room imports exactly the rooms that its line names', async t => {
  for (const [room, allowed] of Object.entries(ROOMS)) {
    const imported = new Set(files.filter(file => roomOf(file) === room).flatMap(neighboursOf).map(roomOf))
    imported.delete(room)
    t.strictSame([...imported].sort(), [...allowed].sort(), room)
  }
})

test('there are no circular imports, between rooms or between files', async t => {
  const circleIn = (graph: ReadonlyMap<string, readonly string[]>): string | null => {
    const done = new Set<string>()
    const visit = (node: string, path: readonly string[]): string | null => {
      if (path.includes(node)) return [...path.slice(path.indexOf(node)), node].join(' → ')
      if (done.has(node)) return null
      for (const next of graph.get(node)!) {
        const circle = visit(next, [...path, node])
        if (circle !== null) return circle
      }
      done.add(node)
      return null
    }
    for (const node of graph.keys()) {
      const circle = visit(node, [])
      if (circle !== null) return circle
    }
    return null
  }
  t.equal(circleIn(new Map(Object.entries(ROOMS))), null)
  t.equal(circleIn(new Map(files.map(file => [file, neighboursOf(file)]))), null)
  t.equal(circleIn(new Map([['a', ['b']], ['b', ['c']], ['c', ['b']]])), 'b → c → b', 'a circle would be seen')
})

test('the client, which runs in browsers, imports nothing from other packages', async t => {
  for (const file of files.filter(file => roomOf(file) === 'client')) {
    for (const { from } of importsOf(file)) t.match(from, /^\./, file)
  }
})

test('fastify and its plugins are imported only as types, except in one file each', async t => {
  for (const file of files) {
    for (const { typeOnly, from } of importsOf(file).filter(({ from }) => /^@?fastify\b/.test(from))) {
      t.ok(typeOnly || RUN_TIME.get(file)?.includes(from), `${file} imports ${from}`)
    }
  }
})
