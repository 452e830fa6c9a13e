// The client kit as it is published: its files as scripts that a page imports without a bundler.
import { readdirSync, readFileSync } from 'node:fs'
import type { FastifyInstance } from 'fastify'
import ts from 'typescript'

const FOLDER = 'lib/client/'

const scripts = new Map(readdirSync(FOLDER).map(name => [
  name.replace(/\.ts$/, '.js'),
  ts.transpileModule(readFileSync(FOLDER + name, 'utf8'), {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023, rewriteRelativeImportExtensions: true }
  }).outputText
]))

/** For a page's head: imports `fastify-dual-token/client` from where the files are served. */
export const importMap = '<script type="importmap">{ "imports": { "fastify-dual-token/client": "/client/index.js" } }</script>'

/** Serves them at `/client/`. */
export function serveClient (app: FastifyInstance): void {
  for (const [name, script] of scripts) app.get(`/client/${name}`, async (request, reply) => reply.type('text/javascript').send(script))
}
