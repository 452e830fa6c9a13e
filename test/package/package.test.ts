// The package as it is published: what it holds, and how it is used from a folder of its own, on each version of Node.js.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'tap'

const { name, version, exports: entries, peerDependencies, devDependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as {
  name: string
  version: string
  exports: Record<string, unknown>
  peerDependencies: Record<string, string>
  devDependencies: Record<string, string>
}
/** What `import` names: the package, and its name with the rest of each entry. */
const specifiers = Object.keys(entries).filter(entry => entry !== './package.json').map(entry => name + entry.slice(1))

/** The least version that is promised, and the newer lines. */
const NODES = ['20.19.0', '22', '24']

/** Outside of this repository, so that nothing of it can be found from there. */
const folder = mkdtempSync(join(tmpdir(), `${name}-`))

const COMPILER_OPTIONS = { strict: true, exactOptionalPropertyTypes: true, skipLibCheck: false, types: ['node'], target: 'es2023' }

/** What each consumer does: sign in, call a guarded route, with a token and without. */
const USE = `
  const fastify = Fastify()
  await fastify.register(dualToken, {
    secret: randomBytes(32),
    sessions: { store: memoryStore() },
    routes: defineRoutes({ login: ({ username }) => username === 'demo' ? { user_id: 7 } : null })
  })
  fastify.get('/me', { preHandler: fastify.loginRequired }, async request => ({ user: request.user?.user_id }))

  const pair = await fastify.inject({ method: 'POST', url: '/authorizations', payload: { username: 'demo' } })
  const reply = await fastify.inject({ url: '/me', headers: { authorization: 'Bearer ' + pair.json().token } })
  const refusal = await fastify.inject('/me')
  console.log(reply.statusCode, reply.body, refusal.statusCode)
  await fastify.close()
`
const ANSWER = '200 {"user":7} 401\n'

const ESM = `
import { randomBytes } from 'node:crypto'
import Fastify from 'fastify'
import dualToken, { defineRoutes, memoryStore } from '${name}'
${USE}`

const PROGRAMS: Record<string, string> = {
  'modules.mjs': ESM,
  'require.cjs': `
    const { randomBytes } = require('node:crypto')
    const Fastify = require('fastify')
    const dualToken = require('${name}')
    const { defineRoutes, memoryStore } = dualToken
    async function main () { ${USE} }
    main()`,
  'typed.ts': ESM,
  'typed-require.cts': `
    import { randomBytes } from 'node:crypto'
    import Fastify from 'fastify'
    import dualToken = require('${name}')
    const { defineRoutes, memoryStore } = dualToken
    async function main (): Promise<void> { ${USE.replace('register(dualToken', 'register(dualToken.default')} }
    main()`,
  'entries.mjs': `
    import { createRequire } from 'node:module'
    const require = createRequire(import.meta.url)
    for (const specifier of ${JSON.stringify(specifiers)}) {
      const imported = Object.keys(await import(specifier)).sort()
      const required = Object.keys(require(specifier)).filter(name => name !== '__esModule').sort()
      console.log(specifier, imported.length > 0, String(imported) === String(required))
    }`,
  'all-entries.ts': specifiers.map((specifier, index) => `export * as entry${index} from '${specifier}'\n`).join('')
}

function run (command: string, args: string[], cwd = folder): { status: number | null, output: string, errors: string } {
  const { status, stdout, stderr } = spawnSync('/usr/bin/env', ['-u', 'NODE_OPTIONS', command, ...args], { cwd, encoding: 'utf8' })
  return { status, output: stdout, errors: stderr }
}

function tsc (options: object, files: string[]): string {
  const project = join(folder, 'tsconfig.json')
  writeFileSync(project, JSON.stringify({ compilerOptions: { ...COMPILER_OPTIONS, ...options }, files }))
  return run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', project]).output
}

test('the published package', async t => {
  t.teardown(() => rmSync(folder, { recursive: true }))

  const packed = run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], process.cwd())
  t.equal(packed.status, 0, packed.errors)
  const [{ filename, files, size, unpackedSize }] = JSON.parse(packed.output) as
    [{ filename: string, files: Array<{ path: string }>, size: number, unpackedSize: number }]
  const tarball = join(folder, filename)
  t.comment(`${name}@${version}: ${size} bytes, unpacked ${unpackedSize}, ${files.length} files`)

  t.test('the tarball holds what was built from lib, README, LICENSE, CHANGELOG, package.json, and nothing else', async t => {
    const built = readdirSync('lib', { recursive: true, encoding: 'utf8' })
      .filter(file => file.endsWith('.ts'))
      .flatMap(file => [`dist/${file.slice(0, -3)}.js`, `dist/${file.slice(0, -3)}.d.ts`])
    t.strictSame(files.map(({ path }) => path).sort(), [...built, 'CHANGELOG.md', 'LICENSE', 'README.md', 'package.json'].sort())
  })

  t.test('publint reports nothing', async t => {
    const { status, output } = run(process.execPath, ['node_modules/publint/src/cli.js', 'run', tarball, '--strict'], process.cwd())
    t.match(output, /All good!/)
    t.equal(status, 0, output)
  })

  t.test('its types are those of its code, for consumers that can load ES modules', async t => {
    const { status, output } = run(process.execPath,
      ['node_modules/@arethetypeswrong/cli/dist/index.js', tarball, '--profile', 'esm-only', '--no-definitely-typed', '--format', 'ascii'], process.cwd())
    t.equal(status, 0, output)
  })

  for (const [file, code] of Object.entries(PROGRAMS)) writeFileSync(join(folder, file), code)
  writeFileSync(join(folder, 'package.json'), '{ "name": "consumer", "private": true, "type": "module" }')
  const peers = Object.entries({ ...peerDependencies, '@types/node': '20', typescript: devDependencies.typescript })
  const installed = run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', tarball, ...peers.map(([name, range]) => `${name}@${range}`)])
  t.equal(installed.status, 0, installed.errors)

  t.test('TypeScript accepts every entry as Node.js resolves it, declarations of dependencies included', async t => {
    const options = { module: 'nodenext', moduleResolution: 'nodenext', lib: ['es2023'], outDir: 'built' }
    t.equal(tsc(options, ['typed.ts', 'typed-require.cts', 'all-entries.ts']), '')
  })

  t.test('TypeScript accepts every entry as bundlers resolve it, beside the types of a browser', async t => {
    const options = { module: 'esnext', moduleResolution: 'bundler', lib: ['es2023', 'dom'], noEmit: true }
    t.equal(tsc(options, ['typed.ts', 'all-entries.ts']), '')
  })

  t.test('TypeScript accepts every entry with newer types of Node.js too', async t => {
    const { status, errors } = run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', '@types/node@26'])
    t.equal(status, 0, errors)
    t.equal(tsc({ module: 'nodenext', moduleResolution: 'nodenext', lib: ['es2023'], noEmit: true }, ['typed.ts', 'typed-require.cts', 'all-entries.ts']), '')
  })

  for (const node of NODES) {
    t.test(`on Node.js ${node}, every entry is imported and required, and the plugin works from all of them`, async t => {
      const path = run('npx', ['-y', '-p', `node@${node}`, 'node', '-p', 'process.execPath']).output.trim()
      const entries = run(path, ['entries.mjs'])
      t.equal(entries.output, specifiers.map(specifier => `${specifier} true true\n`).join(''), entries.errors)
      for (const file of ['modules.mjs', 'require.cjs', 'built/typed.js', 'built/typed-require.cjs']) {
        const { output, errors } = run(path, [file])
        t.equal(output, ANSWER, `${file} ${errors}`)
      }
    })
  }
})
