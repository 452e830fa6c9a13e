// The environment of the example server → its `cookies` option.
import type { DualTokenCookies } from '../lib/index.ts'

/** `COOKIES=true` puts the refresh token into a cookie, `COOKIES=access` both. `COOKIES_SECURE=false` is for Safari, which keeps no Secure cookie of http://localhost. */
export function readCookies ({ COOKIES, COOKIES_SECURE }: NodeJS.ProcessEnv): DualTokenCookies | null {
  if (COOKIES === undefined || COOKIES === '') return null
  if (COOKIES !== 'true' && COOKIES !== 'access') throw new Error('COOKIES must be true or access, or not set.')
  return { access: COOKIES === 'access', secure: COOKIES_SECURE !== 'false' }
}
