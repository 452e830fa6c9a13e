import { inspect } from 'node:util'
import { test } from 'tap'
import { readOwnLifetime } from '../../lib/options/own-lifetime.ts'

test('a lifetime is longer than that of the access token, and at most that of the option', async t => {
  for (const [given, seconds] of [['1d', 86_400], [7201, 7201], ['14d', 1_209_600], [1_209_600, 1_209_600], [undefined, null], [null, null]] as const) {
    t.equal(readOwnLifetime(given, 7200, 1_209_600), seconds, String(given))
  }
})

test('one sentence says what is wrong with a lifetime', async t => {
  const cases: Array<[unknown[], string]> = [
    [[true, false, -1, 7200.5, NaN, Infinity, '', 'soon', '86400', {}, [86_400], 86_400n], "must be whole seconds, or a string with a unit such as '15m', '2h' or '14d'"],
    [[0, 1, '2h', 7200], 'must be longer than accessExpiresIn'],
    [[1_209_601, '15d', '3 weeks'], 'must not be longer than the option refreshExpiresIn']
  ]
  for (const [values, sentenceEnd] of cases) {
    for (const value of values) {
      t.throws(() => readOwnLifetime(value, 7200, 1_209_600), {
        code: 'FST_DUAL_TOKEN_OPTION_INVALID', message: `The refreshExpiresIn of a sign-in ${sentenceEnd}.`
      }, inspect(value))
    }
  }
})
