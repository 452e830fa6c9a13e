// The tests, once more under each newer line of Node.js that is supported, which npm brings:
// `npm run matrix`, or `npm run matrix -- test/keys` for some of them. Arguments that begin with a dash are tap's.
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'

const VERSIONS = ['22', '24', '26']

/**
 * What these look at is the same under any version: pages, import lines, figures, browsers; the package, which runs under all of them anyway; and the
 * decisions of sessions in long games of virtual time.
 */
const LEFT_OUT = new Set([
  'attacks/browser-cross-origin', 'attacks/browser-firefox', 'attacks/browser-own-pages', 'attacks/browser-planting', 'docs/api-reference',
  'package/bench', 'client/browser', 'docs/docs', 'example/cookies', 'example/page', 'imports', 'tokens/memory',
  'sessions/model', 'package/package'
])

const files = readdirSync('test', { recursive: true, encoding: 'utf8' })
  .filter(name => name.endsWith('.test.ts') && !LEFT_OUT.has(name.slice(0, -'.test.ts'.length)))
  .map(name => `test/${name}`)
const given = process.argv.slice(2)
const options = given.filter(argument => argument.startsWith('-'))
const chosen = given.filter(argument => !argument.startsWith('-'))

let failed = false
for (const version of VERSIONS) {
  console.log(`# Node.js ${version}`)
  // The runner starts each test with the Node.js that it runs in itself.
  const { status } = spawnSync('npx', [
    '-y', '-p', `node@${version}`, 'node', 'node_modules/tap/dist/esm/run.mjs', '--disable-coverage', ...options, ...(chosen.length > 0 ? chosen : files)
  ], { stdio: 'inherit' })
  failed ||= status !== 0
}
process.exitCode = failed ? 1 : 0
