// The options of @fastify/swagger → the same, completed so that the document describes guards and ready routes.
import type { FastifySchema, RouteOptions } from 'fastify'
import { errorSchema, repliesOf, type DescribedError } from './replies.ts'
import { TOKEN_SCHEMES, type Schemes } from './schemes.ts'

/** The description of a guard, and so of every route that it guards, or of a ready route. */
export interface Description {
  /** Where the token may be that is asked for. */
  readonly schemes?: Schemes
  /** The scopes that the token must have. */
  readonly scopes?: readonly string[]
  readonly errors: readonly DescribedError[]
  /** Members of a route's schema for the document only. */
  readonly schema?: Readonly<Record<string, unknown>>
}

/** A route → the description of its guard or of the ready route. */
export type Describe = (route: RouteOptions) => Description

/** Where guards and the options of ready routes carry their description: Fastify and its plugins copy it along. */
export const DESCRIPTION = Symbol('fastify-dual-token.description')

/** The hooks that can be guards. */
const HOOKS = ['onRequest', 'preValidation', 'preHandler'] as const

type Described = { readonly [DESCRIPTION]?: Describe }
type Schema = FastifySchema | undefined
type Document = { readonly components: { securitySchemes: object } }
type Transform = (given: { schema?: Schema, url: string, route: RouteOptions, openapiObject: Document }) => { schema?: Schema, url?: string }

interface SwaggerOptions {
  readonly openapi?: { readonly components?: { readonly schemas?: object, readonly securitySchemes?: object } }
  readonly transform?: Transform
}

/**
 * Completes the options of @fastify/swagger: guarded routes show the token they need and their refusals, ready routes are described in full.
 * What the application has written itself takes precedence: a `security`, a reply (its status, `4xx`, `5xx` or `default`), a scheme of the
 * same name. A `transform` of the application is called first.
 *
 * @param options left as they are; the document is OpenAPI 3
 * @example
 * ```ts
 * await fastify.register(swagger, withDualToken({ openapi: { info: { title: 'Notes', version: '1.0.0' } } }))
 * ```
 */
export function withDualToken<Options extends object> (options: Options): Options {
  const { openapi, transform } = options as SwaggerOptions
  const { schemas, securitySchemes, ...components } = openapi?.components ?? {}
  return {
    ...options,
    openapi: {
      ...openapi,
      components: {
        ...components,
        schemas: { DualTokenError: errorSchema, ...schemas },
        securitySchemes: { ...TOKEN_SCHEMES, ...securitySchemes }
      }
    },
    transform: describing(transform)
  }
}

function describing (transform: Transform = given => given): Transform {
  return function describe (given) {
    const { schema = given.schema, url = given.url } = transform(given)
    const descriptions = descriptionsOf(given.route)
    for (const { schemes } of descriptions) addSchemes(given.openapiObject, schemes ?? {})
    return { schema: describedSchema(schema, descriptions), url }
  }
}

/**
 * Adds the schemes that a route asks for, unless the application has written them itself: only the route knows the names of its cookies, and
 * @fastify/swagger looks its schemes up before it calls `transformObject`.
 */
function addSchemes ({ components }: Document, schemes: Schemes): void {
  const own = components.securitySchemes
  components.securitySchemes = { ...own, ...schemes, ...own }
}

function descriptionsOf (route: RouteOptions): Description[] {
  const carriers: unknown[] = [...HOOKS.flatMap<unknown>(hook => route[hook] ?? []), route]
  return carriers.flatMap(carrier => (carrier as Described)[DESCRIPTION]?.(route) ?? [])
}

/** Works on a copy: Fastify serializes replies with the application's schema. */
function describedSchema (schema: Schema, descriptions: readonly Description[]): Schema {
  if (descriptions.length === 0) return schema
  const security = securityOf(descriptions)
  const merged: FastifySchema = {
    ...(security.length > 0 && { security }),
    ...Object.assign({}, ...descriptions.map(({ schema }) => schema)),
    ...schema
  }
  return {
    ...merged,
    response: withReplies(merged.response, repliesOf(descriptions.flatMap(({ errors }) => errors)))
  }
}

/** Every guard asks for one of its schemes: the document lists each combination. Guards that ask for the same token are one. */
function securityOf (descriptions: readonly Description[]): object[] {
  const asked = new Map<string, { names: readonly string[], scopes: Set<string> }>()
  for (const { schemes, scopes = [] } of descriptions) {
    if (schemes === undefined) continue
    const names = Object.keys(schemes)
    const same = asked.get(names.join())
    asked.set(names.join(), { names, scopes: new Set([...same?.scopes ?? [], ...scopes]) })
  }
  if (asked.size === 0) return []
  return [...asked.values()].reduce<object[]>((combined, { names, scopes }) =>
    combined.flatMap(one => names.map(name => ({ ...one, [name]: [...scopes] }))), [{}])
}

/** A route without replies gets the default reply of @fastify/swagger. */
function withReplies (written: unknown = { 200: { type: 'null', description: 'Default Response' } }, replies: Record<string, object>): object {
  const statuses = new Set(Object.keys(written as object).map(status => status.toLowerCase()))
  const missing = Object.entries(replies).filter(([status]) =>
    ![status, `${status[0]}xx`, 'default'].some(name => statuses.has(name)))
  return { ...written as object, ...Object.fromEntries(missing) }
}
