#!/usr/bin/env node
// The command `fastify-dual-token`: its arguments → its output and its exit code.
import { run } from './command.ts'

const { output, errors, exitCode } = run(process.argv.slice(2))
process.stdout.on('error', error => {
  // The reader has closed the pipe, or the disk is full.
  process.stderr.write(`fastify-dual-token: ${error.message}\n`)
  process.exitCode = 1
})
process.stdout.write(textOf(output))
process.stderr.write(textOf(errors))
process.exitCode = exitCode

function textOf (lines: readonly string[]): string {
  return lines.map(line => `${line}\n`).join('')
}
