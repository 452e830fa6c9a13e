// A request → the URL that a proof for it must name (RFC 9449 section 4.3, RFC 3986 section 6.2).
import type { FastifyRequest } from 'fastify'

/** What a proof is made for: any FastifyRequest, whatever its generics. */
export type ProvingRequest = Pick<FastifyRequest, 'headers' | 'method' | 'protocol' | 'host' | 'originalUrl'>

/** A request may name the whole URL instead of the path (RFC 9112 section 3.2.2). */
const ORIGIN = /^https?:\/\/[^/?#]*/i

/** No characters that URLs do not have, because a parser drops or replaces them; no query and no fragment, which do not belong in a proof. */
const TARGET = /^https?:\/\/[!"$-.0->@-[\]-~][!"$->@-[\]-~]*$/i

const ENCODED = /%[\da-f]{2}/gi
/** Characters that need no encoding in a URL (RFC 3986 section 2.3). */
const UNRESERVED = /[\w.~-]/

/** @param origin where clients see this server; null: as the request says */
export function targetOf ({ protocol, host, originalUrl }: ProvingRequest, origin: string | null): string {
  const [path] = originalUrl.replace(ORIGIN, '').split(/[?#]/, 1)
  return `${origin ?? `${protocol}://${host}`}${path}`
}

/** Whether a proof names the target: letter by letter, or when both are normalized. */
export function isTarget (htu: unknown, target: string): boolean {
  if (typeof htu !== 'string' || !TARGET.test(htu)) return false
  if (htu === target) return true
  try {
    return TARGET.test(target) && normalFormOf(htu) === normalFormOf(target)
  } catch {
    // At least one of the two is not a URL.
    return false
  }
}

/** RFC 3986 sections 6.2.2 and 6.2.3; the parser leaves encoded characters as they are. */
function normalFormOf (url: string): string {
  const encodedOnlyIfNeeded = url.replace(ENCODED, encoded => {
    const character = String.fromCharCode(Number.parseInt(encoded.slice(1), 16))
    return UNRESERVED.test(character) ? character : encoded.toUpperCase()
  })
  return new URL(encodedOnlyIfNeeded).href
}
