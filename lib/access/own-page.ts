// Request → whether its headers prove that one of our pages has sent it (Fetch Metadata; RFC 6454).
import type { FastifyRequest } from 'fastify'

export type SentRequest = Pick<FastifyRequest, 'headers' | 'host'>

/** Asks for positive proof: pages can forge neither header, and an unknown value proves nothing. */
export type IsOwnPage = (request: SentRequest) => boolean

/**
 * Sec-Fetch-Site decides, then Origin, which must be listed; where a browser sends no Sec-Fetch-Site, our own host is good too. Node.js joins the
 * values of a header that was sent twice, and the joined value is unknown.
 *
 * @param origins other origins whose pages are ours
 */
export function createIsOwnPage (origins: ReadonlySet<string>): IsOwnPage {
  return function isOwnPage ({ headers, host }) {
    const site = headers['sec-fetch-site']
    if (site === 'same-origin' || site === 'none') return true
    const { origin } = headers
    if (origin === undefined) return false
    if (origins.has(origin)) return true
    return site === undefined && (origin === `https://${host}` || origin === `http://${host}`)
  }
}

/** Whether a browser has sent the request: scripts can neither set these headers nor leave them out. */
export function isFromBrowser ({ headers }: SentRequest): boolean {
  return headers['sec-fetch-site'] !== undefined || headers.origin !== undefined
}
