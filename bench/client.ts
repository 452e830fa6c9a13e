// A process of its own: a load → that many requests over a few keep-alive connections, and the milliseconds they took.
import assert from 'node:assert'
import { connect, type Socket } from 'node:net'

/** `count` requests to a path of a port, each with the next of the tokens; every answer must be 200 and end with `answer`. */
export interface Load {
  readonly port: number
  readonly path: string
  readonly tokens: readonly string[]
  readonly answer: string
  readonly count: number
}

export interface LoadResult {
  readonly elapsed: number
}

const CONNECTIONS = 32

/** A bare socket: node:http would use more CPU time here than the servers do, and they share the machine. */
function run ({ port, path, tokens, answer, count }: Load, done: (result: LoadResult) => void): void {
  const requests = tokens.map(token => `GET ${path} HTTP/1.1\r\nhost: localhost:${port}\r\nauthorization: Bearer ${token}\r\n\r\n`)
  const started = performance.now()
  let sent = 0
  let received = 0

  function drive (socket: Socket): void {
    function next (): void {
      if (sent === count) socket.end()
      else socket.write(requests[sent++ % requests.length]!)
    }
    socket.on('connect', next)
    socket.on('data', (text: string) => {
      // So short an answer comes in one piece.
      assert(text.startsWith('HTTP/1.1 200 ') && text.endsWith(answer), text)
      received++
      if (received === count) done({ elapsed: performance.now() - started })
      next()
    })
  }

  for (let i = 0; i < CONNECTIONS; i++) drive(connect({ port, host: '127.0.0.1', noDelay: true }).setEncoding('latin1'))
}

process.on('message', (load: Load) => run(load, result => process.send!(result)))
