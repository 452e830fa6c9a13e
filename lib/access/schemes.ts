// The `cookies` option → the security schemes of an OpenAPI document: where a token of each kind may be.
import { TOKEN_SCHEMES, type Schemes } from '../openapi/schemes.ts'
import type { CookieSettings } from './settings.ts'
import type { TokenKind } from './types.ts'

/** By name, the alternatives for an access token. */
export function accessSchemes (cookies: CookieSettings | null | undefined): Schemes {
  const { accessToken } = TOKEN_SCHEMES
  return cookies?.access ? { accessToken, ...cookieScheme(cookies, 'access') } : { accessToken }
}

/** By name, the alternatives for a refresh token. */
export function refreshSchemes (cookies: CookieSettings | null | undefined): Schemes {
  const { refreshToken } = TOKEN_SCHEMES
  return cookies ? { refreshToken, ...cookieScheme(cookies, 'refresh') } : { refreshToken }
}

function cookieScheme ({ names, label }: CookieSettings, kind: TokenKind): Schemes {
  const scheme = { type: 'apiKey', in: 'cookie', name: names[kind], description: `The ${kind} token of a browser, which a sign-in or a refresh sets.` }
  return { [`${kind}Cookie${label === '' ? '' : `_${label}`}`]: scheme }
}
