// The options of `fastify.dualToken.guard` → what the guard asks for, or one clear sentence.
import type { GuardRules } from '../access/guard.ts'
import type { GuardOptions } from '../access/types.ts'
import { createFault } from '../errors.ts'
import { readDuration } from './durations.ts'

/** A scope (RFC 6749 section 3.3). */
const SCOPE_TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]+$/

/**
 * @param authTime whether tokens say when the user signed in
 * @throws `FST_DUAL_TOKEN_OPTION_INVALID`
 */
export function readGuardRules (options: unknown, authTime: boolean): GuardRules {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) throw createFault('OPTION_INVALID', 'The options of guard must be an object.')
  const { maxAge, scope, allow, ...rest }: Record<string, unknown> = { ...options }
  const [unknown] = Object.keys(rest)
  if (unknown !== undefined) throw flaw(unknown, 'is not known')
  if (allow !== undefined && typeof allow !== 'function') throw flaw('allow', 'must be a function')
  return {
    maxAge: maxAge === undefined ? null : readMaxAge(maxAge, authTime),
    scopes: scope === undefined ? null : readScopes(scope),
    allow: allow as GuardOptions['allow'] ?? null
  }
}

function readMaxAge (maxAge: unknown, authTime: boolean): number {
  const seconds = readDuration(maxAge)
  if (seconds === null || seconds === 0) throw flaw('maxAge', "must be whole seconds, or a string with a unit such as '10m', and more than 0")
  if (!authTime) throw flaw('maxAge', 'needs the option authTime, so that tokens say when the user signed in')
  return seconds
}

function readScopes (scope: unknown): readonly string[] {
  const scopes: unknown[] = typeof scope === 'string' ? scope.split(' ') : Array.isArray(scope) ? [...scope] : []
  if (scopes.length > 0 && scopes.every(isScope)) return [...new Set(scopes)]
  throw flaw('scope', 'must be scopes separated by single spaces, or a list of them: printable ASCII without spaces, quotes and backslashes')
}

function isScope (value: unknown): value is string {
  return typeof value === 'string' && SCOPE_TOKEN.test(value)
}

function flaw (name: string, sentenceEnd: string): Error {
  return createFault('OPTION_INVALID', `Option ${name} of guard ${sentenceEnd}.`)
}
