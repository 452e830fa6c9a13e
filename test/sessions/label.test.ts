import { test } from 'tap'
import { readLabel } from '../../lib/sessions/label.ts'

test('a label is kept as it is, up to 64 UTF-16 code units', async t => {
  for (const label of ["Ada's phone", '🦉'.repeat(32), 'x'.repeat(64), '{"a":1}', '‏طابعة', 'a  b']) t.equal(readLabel(label), label)
})

test('a longer label is cut, never in the middle of a code point', async t => {
  t.equal(readLabel('x'.repeat(65)), 'x'.repeat(64))
  t.equal(readLabel('x'.repeat(10_000_000)), 'x'.repeat(64))
  t.equal(readLabel('🦉'.repeat(40)), '🦉'.repeat(32))
  t.equal(readLabel(`x${'🦉'.repeat(40)}`), `x${'🦉'.repeat(31)}`)
})

test('control characters become spaces, halves of surrogate pairs U+FFFD, and the ends are trimmed', async t => {
  t.equal(readLabel('a\0b\r\nc\x1b[31md\x7fe\u0085f'), 'a b  c [31md e f')
  t.equal(readLabel('\ud83ea\udd89'), '\ufffda\ufffd')
  t.equal(readLabel('x'.repeat(63) + '\ud83e'), `${'x'.repeat(63)}\ufffd`)
  t.equal(readLabel('  kitchen\n'), 'kitchen')
  t.equal(readLabel(`x${' '.repeat(63)}y`), 'x')
})

test('a value that is no string, or holds nothing to read, is no label', async t => {
  for (const value of [undefined, null, '', ' ', '\0\n\t', 7, true, {}, ['phone'], Object('phone'), { toString: () => 'phone' }]) t.equal(readLabel(value), null)
})
