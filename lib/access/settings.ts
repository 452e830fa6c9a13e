// The settings that reading and writing cookies need.
import type { CookieLimits } from '../tokens/issue.ts'
import type { TokenKind } from './types.ts'

export interface CookieSettings extends CookieLimits {
  /** The names of the two cookies, with their prefix. */
  readonly names: Readonly<Record<TokenKind, string>>
  /** The `name` option; '' without it. */
  readonly label: string
  /** Whether the access token goes into a cookie too. */
  readonly access: boolean
  /** Other origins whose pages may use the cookies. */
  readonly origins: ReadonlySet<string>
  readonly secure: boolean
}
