import { test } from 'tap'
import { readDuration } from '../../lib/options/durations.ts'

const CENTURY = 3_153_600_000

test('a number or a string with a unit is read as whole seconds', async t => {
  const cases: Array<[unknown, number]> = [
    [0, 0], [7200, 7200], [CENTURY, CENTURY],
    ['1s', 1], ['2 sec', 2], ['2 secs', 2], ['1 second', 1], ['30 seconds', 30],
    ['1m', 60], ['2 min', 120], ['2 mins', 120], ['1 minute', 60], ['15 minutes', 900],
    ['2h', 7200], ['2 hr', 7200], ['2 hrs', 7200], ['1 hour', 3600], ['2 hours', 7200],
    ['14d', 1_209_600], ['1 day', 86_400], ['14 days', 1_209_600],
    ['1w', 604_800], ['1 week', 604_800], ['2 weeks', 1_209_600],
    ['1.5h', 5400], ['0.5 days', 43_200], ['1.5 DAYS', 129_600], [' 2h ', 7200], ['0s', 0], ['36500d', CENTURY]
  ]
  for (const [value, seconds] of cases) t.equal(readDuration(value), seconds, JSON.stringify(value))
})

test('a decimal fraction is read as people mean it, not as binary rounds it', async t => {
  for (const [value, seconds] of [['1.1h', 3960], ['2.2 hours', 7920], ['0.7d', 60_480], ['1.1 min', 66], ['0.55w', 332_640]] as const) {
    t.equal(readDuration(value), seconds, value)
  }
})

test('anything but a duration is null', async t => {
  const cases = [
    -1, 1.5, NaN, Infinity, CENTURY + 1, 1n, true, false, null, undefined, {}, [], [7200], new Date(0), () => 7200,
    '', ' ', 'h', '2', '7200', '2x', '2  h', '2h30m', '-2h', '+2h', '2e3s', '0x10s', '1.h', '.5h', '1,5h', '0.1s', '36501d',
    '1h\n2h', '2 constructor', '2 __proto__', '١h', `${'9'.repeat(13)}s`, `1.${'0'.repeat(13)}s`
  ]
  for (const value of cases) t.equal(readDuration(value), null, typeof value === 'string' ? JSON.stringify(value) : String(value))
})
