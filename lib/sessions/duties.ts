// A duty that an option or a call needs → a pass, or one sentence that says that the store does not name it.
import { createFault } from '../errors.ts'
import type { SessionStore, StoreDuty } from './store.ts'

export function hasDuty ({ duties }: SessionStore, duty: StoreDuty): boolean {
  return duties?.includes(duty) === true
}

/**
 * @param name of the option
 * @throws `FST_DUAL_TOKEN_OPTION_INVALID`
 */
export function mustHaveDuty (store: SessionStore, duty: StoreDuty, name: string): void {
  if (hasDuty(store, duty)) return
  throw createFault('OPTION_INVALID', `Option ${name} needs a session store with the duty '${duty}', which this one does not name.`)
}
