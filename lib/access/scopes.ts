// The claim `scope` of a token, a string with spaces (RFC 8693 section 4.2) or a list → whether it holds the scopes of a route.
import type { Claims } from '../tokens/types.ts'

const SPACE = 32

/** Whether the token has all of these scopes. It does not split the string, because it runs at every request. */
export function hasScopes (claims: Claims, scopes: readonly string[]): boolean {
  const { scope: granted } = claims as { readonly scope?: unknown }
  for (const scope of scopes) {
    const isGranted = typeof granted === 'string' ? holds(granted, scope) : Array.isArray(granted) && granted.includes(scope)
    if (!isGranted) return false
  }
  return true
}

function holds (text: string, scope: string): boolean {
  for (let start = text.indexOf(scope); start !== -1; start = text.indexOf(scope, start + 1)) {
    const end = start + scope.length
    const begins = start === 0 || text.charCodeAt(start - 1) === SPACE
    if (begins && (end === text.length || text.charCodeAt(end) === SPACE)) return true
  }
  return false
}
