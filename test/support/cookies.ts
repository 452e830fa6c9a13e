// The cookies of a browser: what a reply sets, and what a request carries.
import type { LightMyRequestResponse } from 'fastify'

export const REFRESH = '__Host-Http-refresh_token'
export const ACCESS = '__Host-Http-access_token'

/** What a page of our own sends, by a browser of today. */
export const OWN_PAGE = { 'sec-fetch-site': 'same-origin' } as const

/** The Set-Cookie lines of a reply. */
export function linesOf ({ headers }: Pick<LightMyRequestResponse, 'headers'>): string[] {
  return [headers['set-cookie'] ?? []].flat()
}

/** The cookies that a reply sets, by name; a deleted one is empty. */
export function cookiesOf (reply: Pick<LightMyRequestResponse, 'headers'>): Record<string, string> {
  return Object.fromEntries(linesOf(reply).map(line => {
    const equals = line.indexOf('=')
    return [line.slice(0, equals), line.slice(equals + 1, line.indexOf(';'))]
  }))
}

/** The header that carries cookies back. */
export function carry (cookies: Readonly<Record<string, string>>): { cookie: string } {
  return { cookie: Object.entries(cookies).map(([name, value]) => `${name}=${value}`).join('; ') }
}

/** The lines that delete both. */
export const CLEARED = [
  `${REFRESH}=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Strict`,
  `${ACCESS}=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Lax`
]
