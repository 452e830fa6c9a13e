// What follows `fastify-dual-token` on a command line → what its command prints.
import { runCommand, type Printed } from './keygen.ts'
import { printSchema } from './schema.ts'

/** Never throws. */
export function run (args: readonly string[]): Printed {
  const [command, ...rest] = args
  if (command !== 'schema' || rest.includes('--help') || rest.includes('-h')) return runCommand(args)
  try {
    return { output: [printSchema(rest)], errors: [], exitCode: 0 }
  } catch (error) {
    const [sentence] = (error as Error).message.split(/\.(?:\s|$)/, 1)
    return { output: [], errors: [`fastify-dual-token: ${sentence}. See --help.`], exitCode: 2 }
  }
}
