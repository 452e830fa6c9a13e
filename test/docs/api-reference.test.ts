// docs/api against the JSDoc it is generated from.
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

const { exports: entries } = JSON.parse(readFileSync('package.json', 'utf8')) as { exports: Record<string, string | { types: string }> }
const { entryPoints } = JSON.parse(readFileSync('typedoc.json', 'utf8')) as { entryPoints: string[] }

test('every entry of the package is in the API reference', async t => {
  const sources = Object.values(entries).flatMap(entry =>
    typeof entry === 'string' ? [] : [entry.types.replace('./dist/', 'lib/').replace(/\.d\.ts$/, '.ts')])
  t.strictSame([...entryPoints].sort(), sources.sort())
})

test('the API reference is what `npm run docs:api` writes', async t => {
  const folder = t.testdir()
  const { status, stdout, stderr } = spawnSync(process.execPath, ['node_modules/typedoc/bin/typedoc', '--out', folder], { encoding: 'utf8' })
  t.equal(status, 0, `${stdout}${stderr}`)
  const made = readdirSync(folder).sort()
  t.strictSame(readdirSync('docs/api').sort(), made)
  for (const name of made) {
    // One comparison, not one assertion per line: the remedy is one command.
    t.ok(readFileSync(join('docs/api', name), 'utf8') === readFileSync(join(folder, name), 'utf8'), `${name}: run npm run docs:api`)
  }
})
