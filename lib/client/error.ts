// A refusal of the ready routes → the error that both clients throw.
import type { AuthorizationFailure } from './types.ts'

/** The server refused to sign in, refresh or sign out, or has ended the session. */
export class AuthorizationError extends Error implements AuthorizationFailure {
  override readonly name = 'AuthorizationError'
  readonly status: number
  readonly code: string
  readonly signInRequired: boolean

  constructor (status: number, code = '') {
    super(`The server answered ${status} ${code}`.trim())
    this.status = status
    this.code = code
    // At a sign-in, a bad proof is a 400.
    this.signInRequired = /^FST_DUAL_TOKEN_(REFRESH_|ACCESS_REVOKED$)/.test(code) || (status === 401 && code === 'FST_DUAL_TOKEN_PROOF_INVALID')
  }
}
