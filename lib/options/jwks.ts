// The `jwks` option → the path of the key set, and how long caches may keep it.
import { readDuration } from './durations.ts'
import { createFault } from '../errors.ts'

export interface JwksSettings {
  readonly path: string
  /** Seconds. */
  readonly maxAge: number
}

/** @throws `FST_DUAL_TOKEN_OPTION_INVALID` */
export function readJwks (option: true | object): JwksSettings {
  const { path = '/.well-known/jwks.json', maxAge = 300, ...rest }: Record<string, unknown> = option === true ? {} : { ...option }
  const [unknown] = Object.keys(rest)
  if (unknown !== undefined) throw flaw(unknown, 'is not known')
  if (typeof path !== 'string' || !path.startsWith('/')) throw flaw('path', 'must be a string that begins with a slash')
  const seconds = readDuration(maxAge)
  if (seconds === null) throw flaw('maxAge', "must be whole seconds, or a string with a unit such as '5m'")
  return Object.freeze({ path, maxAge: seconds })
}

function flaw (name: string, sentenceEnd: string): Error {
  return createFault('OPTION_INVALID', `Option jwks.${name} ${sentenceEnd}.`)
}
