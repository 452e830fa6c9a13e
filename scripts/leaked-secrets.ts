// A list of leaked JWT secrets, one a line → lib/keys/leaked.ts: `npx tsx scripts/leaked-secrets.ts jwt.secrets.list`.
// The list: https://github.com/wallarm/jwt-secrets
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'

/** One less than a secret must have: read from a file, it may end with a line break. */
const MIN_BYTES = 31
const PREFIX = 8
const LINE = 140

const [path] = process.argv.slice(2)
if (path === undefined) throw new Error('The path of the list is missing.')

const secrets = readFileSync(path, 'utf8').split('\n').map(line => line.trim()).filter(line => Buffer.byteLength(line) >= MIN_BYTES)
const prefixes = new Set(secrets.map(secret => createHash('sha256').update(secret).digest('hex').slice(0, 2 * PREFIX)))
const table = Buffer.from([...prefixes].sort().join(''), 'hex').toString('base64')
const lines = table.match(new RegExp(`.{1,${LINE}}`, 'g'))!

writeFileSync(new URL('../lib/keys/leaked.ts', import.meta.url), `// JWT secrets that were published: the first ${PREFIX} bytes of the SHA-256 of each of ${prefixes.size} that are ${MIN_BYTES} bytes long or longer.
// Made by scripts/leaked-secrets.ts of the list jwt.secrets.list, https://github.com/wallarm/jwt-secrets
//
// MIT License. Copyright (c) 2020 Wallarm. Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
// associated documentation files (the "Software"), to deal in the Software without restriction, including without limitation the rights to use,
// copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is
// furnished to do so, subject to the following conditions: The above copyright notice and this permission notice shall be included in all copies
// or substantial portions of the Software. THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT
// LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT
// HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN
// CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
import { createHash } from 'node:crypto'

const PREFIX = ${PREFIX}

/** Sorted, base64. */
const TABLE = [
${lines.map(line => `  '${line}'`).join(',\n')}
].join('')

/** Whether a text is one of them, white space around it apart. The table is decoded at each call: secrets are looked at when a server starts. */
export function isLeaked (secret: string): boolean {
  const table = Buffer.from(TABLE, 'base64')
  const wanted = createHash('sha256').update(secret.trim()).digest().subarray(0, PREFIX)
  let [low, high] = [0, table.length / PREFIX]
  while (low < high) {
    const middle = (low + high) >>> 1
    const order = table.compare(wanted, 0, PREFIX, middle * PREFIX, (middle + 1) * PREFIX)
    if (order === 0) return true
    if (order < 0) low = middle + 1
    else high = middle
  }
  return false
}
`)
