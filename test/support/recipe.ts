// A fenced block of a page in docs → the server that it makes, run as it stands.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { readPage } from './markdown.ts'
import { SECRET } from './tokens.ts'

/** What the pages take as given: anybody may sign in whose password is `good`. */
const login = async ({ username, password }: Record<string, unknown>) => password === 'good' ? { user_id: String(username) } : null
const given = { secret: SECRET, login, routes: { login }, now: Date.now }

/** The fenced blocks of a language under a heading of any level, without those of headings below it. */
export function blocksOf (path: string, heading: string, language: string): string[] {
  const section = readPage(path).text.split(/^#+ /m).find(section => section.startsWith(`${heading}\n`)) ?? ''
  return [...section.matchAll(new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\`$`, 'gm'))].map(match => match[1]!)
}

let followed = 0

/** Runs a block, from a file in this package, where its own name resolves to what `npm run build` made. The server is closed with the test. */
export async function follow (t: Test, block: string, more: Partial<typeof given> = {}): Promise<FastifyInstance> {
  const lines = block.split('\n')
  const imports = lines.filter(line => line.startsWith('import ')).join('\n')
  const body = lines.filter(line => !line.startsWith('import ')).join('\n')
  // Another name each time: a module is loaded once.
  const name = `recipe-${followed++}.ts`
  const file = join(t.testdir({
    [name]: `
      import type { FastifyReply, FastifyRequest } from 'fastify'
      ${imports.includes('import Fastify') ? '' : "import Fastify from 'fastify'"}
      ${imports.includes('import dualToken') ? '' : "import dualToken from 'fastify-dual-token'"}
      ${imports}
      export async function recipe ({ secret, login, routes, now }) {
        ${body.includes('const fastify =') ? '' : 'const fastify = Fastify()'}
        ${body}
        return fastify
      }`
  }), name)
  const { recipe } = await import(pathToFileURL(file).href) as { recipe (values: typeof given): Promise<FastifyInstance> }
  const fastify = await recipe({ ...given, ...more })
  t.teardown(() => fastify.close())
  return fastify
}
