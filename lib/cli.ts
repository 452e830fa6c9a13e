#!/usr/bin/env node
// The command `fastify-dual-token`: its arguments → its output and its exit code.
import { runCommand } from './keygen.ts'

const { output, errors, exitCode } = runCommand(process.argv.slice(2))
for (const line of output) console.log(line)
for (const line of errors) console.error(line)
process.exitCode = exitCode
