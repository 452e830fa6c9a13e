// The options of a method → a pass, or one sentence that says why not: they are no object, or a member is not known.
import { createFault } from '../errors.ts'

/** @throws `FST_DUAL_TOKEN_OPTION_INVALID` */
export function mustKnowMembers (options: unknown, method: string, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null) throw createFault('OPTION_INVALID', `The options of ${method} must be an object.`)
  const unknown = Object.keys(options).find(name => !known.includes(name))
  if (unknown !== undefined) throw createFault('OPTION_INVALID', `Option ${unknown} of ${method} is not known.`)
}
