// The options of @fastify/swagger → the same, so that its document tells what our guards and ready routes ask for and answer.
import type { FastifySchema, RouteOptions } from 'fastify'
import { errorSchema, repliesOf, type DescribedError } from './replies.ts'

/** What documents say of a guard, and so of every route it stands at, or of a ready route. */
export interface Description {
  /** The scheme of the token that is asked for. */
  readonly scheme?: keyof typeof SCHEMES
  readonly errors: readonly DescribedError[]
  /** Members of a route's schema that stand in documents alone. */
  readonly schema?: Readonly<Record<string, unknown>>
}

/** A route → what its guard, or a ready route, says of itself. */
export type Describe = (route: RouteOptions) => Description

/** Where guards and the options of ready routes carry their description: Fastify and its plugins copy it along. */
export const DESCRIPTION = Symbol('fastify-dual-token.description')

const SCHEMES = {
  accessToken: {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
    description: 'The `token` of a sign-in or a refresh. It goes with every request; once it has expired, refresh it.'
  },
  refreshToken: {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
    description: 'The `refresh_token` of a sign-in. It does one thing: it is exchanged for a new access token.'
  }
} as const

/** Where a guard can stand. */
const HOOKS = ['onRequest', 'preValidation', 'preHandler'] as const

type Described = { readonly [DESCRIPTION]?: Describe }
type Schema = FastifySchema | undefined
type Transform = (given: { schema?: Schema, url: string, route: RouteOptions }) => { schema?: Schema, url?: string }

interface SwaggerOptions {
  readonly openapi?: { readonly components?: { readonly schemas?: object, readonly securitySchemes?: object } }
  readonly transform?: Transform
}

/**
 * Completes the options of @fastify/swagger: guarded routes show the token they ask for and the refusals they answer with, the ready
 * routes all there is to know of them. What the application has written itself stands: a `security`, a reply (its status, `4xx`,
 * `5xx` or `default`), a scheme of the same name, a `transform`, which is called first.
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
        securitySchemes: { ...SCHEMES, ...securitySchemes }
      }
    },
    transform: describing(transform)
  }
}

function describing (transform: Transform = given => given): Transform {
  return function describe (given) {
    const { schema = given.schema, url = given.url } = transform(given)
    return { schema: describedSchema(schema, descriptionsOf(given.route)), url }
  }
}

function descriptionsOf (route: RouteOptions): Description[] {
  const carriers: unknown[] = [...HOOKS.flatMap<unknown>(hook => route[hook] ?? []), route]
  return carriers.flatMap(carrier => (carrier as Described)[DESCRIPTION]?.(route) ?? [])
}

/** Of a copy: the schema itself belongs to the application, and Fastify writes replies by it. */
function describedSchema (schema: Schema, descriptions: readonly Description[]): Schema {
  if (descriptions.length === 0) return schema
  const schemes = descriptions.flatMap(({ scheme }) => scheme ?? [])
  const merged: FastifySchema = {
    ...(schemes.length > 0 && { security: [Object.fromEntries(schemes.map(scheme => [scheme, []]))] }),
    ...Object.assign({}, ...descriptions.map(({ schema }) => schema)),
    ...schema
  }
  return {
    ...merged,
    response: withReplies(merged.response, repliesOf(descriptions.flatMap(({ errors }) => errors)))
  }
}

/** A route without replies has the one that @fastify/swagger would give it. */
function withReplies (written: unknown = { 200: { type: 'null', description: 'Default Response' } }, replies: Record<string, object>): object {
  const statuses = new Set(Object.keys(written as object).map(status => status.toLowerCase()))
  const missing = Object.entries(replies).filter(([status]) =>
    ![status, `${status[0]}xx`, 'default'].some(name => statuses.has(name)))
  return { ...written as object, ...Object.fromEntries(missing) }
}
