// docs/architecture.md and lib/README.md against the code.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { test } from 'tap'
import { readPage } from '../support/markdown.ts'

const page = readPage('docs/architecture.md')
const steps = [...page.text.matchAll(/`(lib\/[\w/-]+\.ts):(\w+)`/g)].map(([, file, name]) => ({ file: file!, name: name! }))

test('every function on the roads is in the file that the page names', async t => {
  t.ok(steps.length > 25)
  for (const { file, name } of steps) {
    const source = readFileSync(file, 'utf8')
    t.match(source, new RegExp(`function ${name}\\b|\\b${name}(?:<.*>)? \\(.*\\) \\{|\\b(?:const )?${name}(?: =|:)`), `${file}: ${name}`)
  }
})

test('every file that the page names is there', async t => {
  for (const [, file] of page.text.matchAll(/`((?:lib|test)\/[\w/.-]+?)(?::\w+)?`/g)) t.ok(existsSync(file!), file!)
})

test('the map of the rooms names each of them', async t => {
  const text = readFileSync('lib/README.md', 'utf8')
  for (const room of readdirSync('lib').filter(name => name !== 'README.md')) t.match(text, `| \`${room}${room.endsWith('.ts') ? '' : '/'}\` |`, room)
  t.ok(text.split('\n').length <= 41)
})
