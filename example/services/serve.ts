// A server → a process that listens, says where, and ends on a signal or with the process that started it.
import Fastify, { type FastifyInstance } from 'fastify'

const drainTime = 3_000

/** Builds the server on an instance that logs under a name, and listens on a port of 127.0.0.1; 0 is any free one. */
export async function serve (name: string, port: string, build: (fastify: FastifyInstance) => Promise<void>): Promise<void> {
  try {
    const fastify = Fastify({ logger: { name } })
    await build(fastify)
    const url = await fastify.listen({ port: readPort(name, port), host: '127.0.0.1' })

    const end = (): void => {
      // Requests under way may finish; a connection that has sent none by then is cut off.
      setTimeout(() => fastify.server.closeAllConnections(), drainTime).unref()
      fastify.close()
    }
    process.once('SIGINT', end).once('SIGTERM', end).once('disconnect', end)
    // The channel to the starting process must not keep this one alive.
    process.channel?.unref()
    process.send?.(url)
  } catch (error) {
    console.error(`Cannot start the ${name} service: ${(error as Error).message}`)
    process.exit(1) // A client of a database would go on trying to connect.
  }
}

function readPort (name: string, text: string): number {
  const port = Number(text)
  if (!/^\d{1,5}$/.test(text) || port > 65_535) throw new Error(`${name.toUpperCase()}_PORT must be a number from 0 to 65535.`)
  return port
}
