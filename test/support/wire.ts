// Bytes over a real socket → all that the server said: inject neither trims nor refuses what a socket does.
import { once } from 'node:events'
import { connect, type AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'

export interface WireReply {
  /** Everything received, the Date line apart: two refusals that are alike are equal here. */
  readonly bytes: string
  readonly status: number
  /** By lower-case name; of a name sent twice, both values with a comma between them. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Starts the server on a free port of the loopback. */
export async function listen (app: FastifyInstance): Promise<number> {
  await app.listen({ port: 0, host: '127.0.0.1' })
  return (app.server.address() as AddressInfo).port
}

/** Sends the bytes (a string is taken as Latin-1) and no more, on a connection of their own, and reads to its end. */
export async function sendBytes (port: number, bytes: string | Uint8Array): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let received = ''
  socket.setEncoding('latin1')
  socket.on('data', chunk => { received += chunk })
  socket.end(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
  await once(socket, 'close')
  return received
}

/** One request made of these header lines exactly as they are written; the server is told to close. */
export async function request (port: number, target: string, lines: readonly string[] = [], body = ''): Promise<WireReply> {
  const length = body === '' ? [] : [`Content-Length: ${Buffer.byteLength(body, 'latin1')}`]
  const head = [`${target} HTTP/1.1`, 'Host: localhost', 'Connection: close', ...length, ...lines].join('\r\n')
  return parseReply(await sendBytes(port, `${head}\r\n\r\n${body}`))
}

export function parseReply (text: string): WireReply {
  const end = text.indexOf('\r\n\r\n')
  const [statusLine = '', ...lines] = text.slice(0, end).split('\r\n')
  const headers: Record<string, string> = {}
  for (const line of lines) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).toLowerCase()
    const value = line.slice(colon + 1).trim()
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`
  }
  return {
    bytes: text.replace(/^Date: .*\r\n/m, ''),
    status: Number(statusLine.split(' ')[1]),
    headers,
    body: text.slice(end + 4)
  }
}

/** The challenge to every token that is no good, whatever is wrong with it. */
export const INVALID_CHALLENGE = 'Bearer error="invalid_token", error_description="The access token is not valid"'
