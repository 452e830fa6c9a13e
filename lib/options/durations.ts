// A duration as people write it (`7200`, `'2h'`, `'1.5 days'`) → whole seconds.

const SECONDS_BY_UNIT = new Map([
  ['s', 1], ['sec', 1], ['secs', 1], ['second', 1], ['seconds', 1],
  ['m', 60], ['min', 60], ['mins', 60], ['minute', 60], ['minutes', 60],
  ['h', 3600], ['hr', 3600], ['hrs', 3600], ['hour', 3600], ['hours', 3600],
  ['d', 86_400], ['day', 86_400], ['days', 86_400],
  ['w', 604_800], ['week', 604_800], ['weeks', 604_800]
])

const DURATION = /^(\d{1,12}(?:\.\d{1,12})?) ?([a-z]+)$/
const CENTURY = 100 * 365 * 86_400

/** Whole seconds, from 0 to a hundred years; null when the value is no such duration. A bare number is seconds. */
export function readDuration (value: unknown): number | null {
  const seconds = readSeconds(value)
  return Number.isInteger(seconds) ? seconds : null
}

/** Seconds and parts of one, otherwise as `readDuration`. */
export function readSeconds (value: unknown): number | null {
  const seconds = typeof value === 'string' ? readText(value) : value
  return typeof seconds === 'number' && seconds >= 0 && seconds <= CENTURY ? seconds : null
}

function readText (text: string): number | null {
  const [, amount, unit] = DURATION.exec(text.trim().toLowerCase()) ?? []
  const scale = unit === undefined ? undefined : SECONDS_BY_UNIT.get(unit)
  // To the millisecond: 1.1 × 3600 is 3960.0000000000005 in binary.
  return scale === undefined ? null : Math.round(Number(amount) * scale * 1000) / 1000
}
