// What an application or a client calls a device → the label of a session.

/** UTF-16 code units, as `ip` and `userAgent` are measured. */
const MAX_LENGTH = 64
const CONTROL = /\p{Cc}/gu
/** Half of a surrogate pair, which is no character, and which databases refuse as they do NUL. */
const HALF = /\p{Cs}/gu

/**
 * Turns control characters into spaces and halves of surrogate pairs into U+FFFD, and cuts the text to 64 characters, between two code points.
 *
 * @returns null for anything but a string, and for white space alone
 */
export function readLabel (value: unknown): string | null {
  if (typeof value !== 'string') return null
  // Cuts first, because a client may send a long text. A half pair at the end of the cut was whole before.
  const cut = value.slice(0, MAX_LENGTH)
  const whole = /[\uD800-\uDBFF]$/.test(cut) && value.length > MAX_LENGTH ? cut.slice(0, -1) : cut
  const label = whole.replaceAll(CONTROL, ' ').replaceAll(HALF, '\uFFFD').trim()
  return label === '' ? null : label
}
