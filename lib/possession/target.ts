// A request → the URL that a proof for it must name (RFC 9449 section 4.3, RFC 3986 section 6.2).
import type { FastifyRequest } from 'fastify'

/** What a proof is made for: any FastifyRequest, whatever its generics. */
export type ProvingRequest = Pick<FastifyRequest, 'headers' | 'method' | 'protocol' | 'host' | 'originalUrl'>

/** @param origin where clients see this server; null: as the request says */
export function targetOf ({ protocol, host, originalUrl }: ProvingRequest, origin: string | null): string {
  const [path] = originalUrl.split(/[?#]/, 1)
  return `${origin ?? `${protocol}://${host}`}${path}`
}

/** Whether a proof names the target: in the same letters, or after both are written in the one way of URLs. */
export function isTarget (htu: unknown, target: string): boolean {
  if (htu === target) return true
  // Characters that URLs do not have, which a parser drops or replaces; a query and a fragment do not belong into a proof.
  if (typeof htu !== 'string' || /[^!-~]|[?#\\]/.test(htu)) return false
  try {
    return new URL(htu).href === new URL(target).href
  } catch {
    // At least one of the two is not a URL.
    return false
  }
}
