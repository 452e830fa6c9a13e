// The `routes` option → the settings of the ready routes, and the route options that are passed on to Fastify.
import type { RouteShorthandOptions } from 'fastify'
import { createFault } from '../errors.ts'
import type { DualTokenRoutes, ShapeReply } from './types.ts'

export interface RouteSettings {
  readonly path: string
  /** The schema of the credentials, for the application's validator; undefined: any JSON object. */
  readonly body: object | undefined
  readonly login: DualTokenRoutes['login']
  readonly loadUser: DualTokenRoutes['loadUser'] | undefined
  readonly label: NonNullable<DualTokenRoutes['label']> | undefined
  readonly refreshExpiresIn: NonNullable<DualTokenRoutes['refreshExpiresIn']> | undefined
  readonly reply: ShapeReply | undefined
  /** Members of a Fastify schema that describe the routes. */
  readonly schema: Readonly<Record<string, unknown>>
  /** Options of a Fastify route, for each of the routes. */
  readonly passedOn: RouteShorthandOptions
}

/** Route options of Fastify and of its official plugins. */
const PASSED_ON: ReadonlySet<string> = new Set([
  'attachValidation', 'bodyLimit', 'childLoggerFactory', 'compress', 'config', 'constraints', 'decompress', 'errorHandler',
  'exposeHeadRoute', 'handlerTimeout', 'helmet', 'logLevel', 'logSerializers', 'onError', 'onRequest', 'onRequestAbort',
  'onResponse', 'onSend', 'onTimeout', 'preHandler', 'preParsing', 'preSerialization', 'preValidation',
  'schemaErrorFormatter', 'validatorCompiler'
])

/** @throws `FST_DUAL_TOKEN_OPTION_INVALID` */
export function readRoutes (options: object): RouteSettings {
  const {
    path = '/authorizations', body, login, loadUser, label, refreshExpiresIn, reply, tags = ['authorizations'], schema, ...rest
  }: Record<string, unknown> = { ...options }

  if (typeof path !== 'string' || !path.startsWith('/')) throw flaw('path', 'must be a string that begins with a slash')
  if (body !== undefined && !isObject(body) && typeof body !== 'function') throw flaw('body', 'must be a schema')
  if (typeof login !== 'function') throw flaw('login', 'must be a function')
  for (const [name, value] of Object.entries({ loadUser, label, refreshExpiresIn, reply })) {
    if (value !== undefined && typeof value !== 'function') throw flaw(name, 'must be a function')
  }
  if (!Array.isArray(tags)) throw flaw('tags', 'must be a list of strings')
  if (schema !== undefined && !isObject(schema)) throw flaw('schema', 'must be an object')
  // A body schema here would also bind the routes that take no credentials.
  for (const name of ['body', 'response']) if (Object.hasOwn(schema ?? {}, name)) throw flaw(`schema.${name}`, 'is not known')
  for (const [name, value] of Object.entries(rest)) {
    if (!PASSED_ON.has(name)) throw flaw(name, 'is not known')
    if (value === null) throw flaw(name, 'must not be null')
  }

  return Object.freeze({
    path,
    body,
    login: login as DualTokenRoutes['login'],
    loadUser: loadUser as DualTokenRoutes['loadUser'],
    label: label as RouteSettings['label'],
    refreshExpiresIn: refreshExpiresIn as RouteSettings['refreshExpiresIn'],
    reply: reply as ShapeReply | undefined,
    schema: Object.freeze({ tags, ...schema }),
    passedOn: Object.freeze(rest)
  })
}

function flaw (name: string, sentenceEnd: string): Error {
  return createFault('OPTION_INVALID', `Option routes.${name} ${sentenceEnd}.`)
}

function isObject (value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
