// The `refreshExpiresIn` of one sign-in → the lifetime of its refresh tokens, or one clear sentence.
import { createFault } from '../errors.ts'
import { readDuration } from './durations.ts'

/**
 * All in seconds.
 *
 * @returns null for undefined and null: as the option says
 * @throws `FST_DUAL_TOKEN_OPTION_INVALID`
 */
export function readOwnLifetime (value: unknown, accessLifetime: number, refreshLifetime: number): number | null {
  if (value === undefined || value === null) return null
  const seconds = readDuration(value)
  if (seconds === null) throw flaw("must be whole seconds, or a string with a unit such as '15m', '2h' or '14d'")
  if (seconds <= accessLifetime) throw flaw('must be longer than accessExpiresIn')
  if (seconds > refreshLifetime) throw flaw('must not be longer than the option refreshExpiresIn')
  return seconds
}

function flaw (sentenceEnd: string): Error {
  return createFault('OPTION_INVALID', `The refreshExpiresIn of a sign-in ${sentenceEnd}.`)
}
