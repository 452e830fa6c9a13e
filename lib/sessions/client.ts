// A request → where it came from, as the record of a session keeps it.
import type { FastifyRequest } from 'fastify'

const MAX_LENGTH = 256

/** Where a sign-in or a refresh came from. */
export interface Client {
  readonly ip: string | null
  readonly userAgent: string | null
}

/** `request.ip`, so that `trustProxy` is honoured. */
export function clientOf (request: FastifyRequest): Client {
  return readClient({ ip: request.ip, userAgent: request.headers['user-agent'] })
}

/** Cuts each to 256 characters; anything but a string becomes null. */
export function readClient ({ ip, userAgent }: { ip?: unknown, userAgent?: unknown }): Client {
  return { ip: cut(ip), userAgent: cut(userAgent) }
}

function cut (value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value.slice(0, MAX_LENGTH) : null
}
