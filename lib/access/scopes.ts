// The claim `scope` of a token → whether it holds scopes: a text with spaces between them (RFC 8693 section 4.2), or a list.
import type { Claims } from '../tokens/types.ts'

const SPACE = 32

/** Whether the token has all of these scopes. It makes no list of them, because every request is asked. */
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
