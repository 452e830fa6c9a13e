// The public types of the options.
import type { FastifyRequest, RouteShorthandOptions } from 'fastify'
import type { Static, TSchema } from '@sinclair/typebox'
import type { DualTokenKey } from '../keys/types.ts'
import type { RemoteKeys } from './remote-keys.ts'
import type { DualTokenSessions } from './sessions.ts'
import type { DualTokenCookies, ExtractToken } from '../access/types.ts'
import type { Awaitable, BodyTokens, DualTokenUser, LoadUser, Nobody } from '../tokens/types.ts'

type PassedOn = Omit<RouteShorthandOptions, 'schema' | 'serializerCompiler' | 'prefixTrailingSlash'>

/** The ready routes. Beside these options, those of any Fastify route are passed on to each of them. */
export interface DualTokenRoutes<Body = unknown> extends PassedOn {
  /** The path of the routes; default `/authorizations`. */
  path?: string | undefined
  /** JSON or TypeBox schema of the credentials, or whatever the application's validator compiler takes; default: any JSON object. */
  body?: Body | undefined
  /** Credentials → the user, or null (or false) to refuse them. What it throws goes to the application's error handler. */
  login (body: LoginBody<Body>, request: FastifyRequest): Awaitable<DualTokenUser | Nobody>
  /** User id → the user as of now, or null when the user no longer exists. Default: only the id. */
  loadUser?: LoadUser | undefined
  /**
   * With sessions: the name of the device, from the credentials; null or undefined for none. It is cut to 64 characters; anything but a string counts
   * as none, because it often comes unchecked from the body.
   */
  label? (body: LoginBody<Body>, request: FastifyRequest): Awaitable<string | Nothing>
  /** The lifetime of this sign-in's refresh tokens ("remember me"), never longer than the option of the same name, which is the default. */
  refreshExpiresIn? (user: DualTokenUser, request: FastifyRequest): Awaitable<number | string | Nothing>
  /** The tokens → the body of the replies to `POST` and `PUT`; default: the tokens. It does not see what went into a cookie. */
  reply?: ShapeReply | undefined
  /** Shorthand for `schema.tags`; default `['authorizations']`. */
  tags?: string[] | undefined
  /** Merged into the routes' schemas: `tags`, `summary`, `security` …; never `body` or `response`. */
  schema?: Record<string, unknown> | undefined
}

type Nothing = null | undefined

/** The tokens for the body of a reply → the body as the application's clients expect it. */
export type ShapeReply = (tokens: BodyTokens, request: FastifyRequest) => Awaitable<object>

/** The schema of Zod, Valibot and others: https://standardschema.dev */
interface StandardSchema<Output> {
  readonly '~standard': { readonly types?: { readonly output: Output } | undefined }
}

type LoginBody<Body> =
  Body extends TSchema ? Static<Body>
    : Body extends StandardSchema<infer Output> ? Output : Record<string, unknown>

/** Where the public keys are served. */
export interface DualTokenJwks {
  /** Default `/.well-known/jwks.json`. */
  path?: string | undefined
  /** How long caches may keep the key set: seconds, or a string such as `'5m'`; default 300. */
  maxAge?: number | string | undefined
}

interface SecretOptions {
  /** HS256 secret of at least 32 bytes, or a list of them: the first signs, all verify. Either this or `keys`. */
  secret: string | Uint8Array | ReadonlyArray<string | Uint8Array>
  keys?: undefined
  jwks?: false | undefined
}

interface KeyOptions {
  /** Named keys instead of a `secret`: the first signs, all verify; if the first one has no private key, this server issues no tokens. */
  keys: readonly DualTokenKey[]
  secret?: undefined
  /** Serves the public keys to everyone; default false. */
  jwks?: boolean | DualTokenJwks | undefined
}

interface RemoteKeyOptions {
  /** Keys that another service publishes: this server issues no tokens. */
  keys: RemoteKeys
  secret?: undefined
  jwks?: false | undefined
  routes?: false | undefined
  oauth?: false | undefined
}

interface OtherOptions<Body> {
  /** Default `'2h'`. */
  accessExpiresIn?: number | string | undefined
  /** Default `'14d'`. */
  refreshExpiresIn?: number | string | undefined
  /** The claim that holds the user's id; default `'user_id'`. */
  userIdClaim?: string | undefined
  /** Set as `iss` on every token and required of every token. */
  issuer?: string | undefined
  /** Set as `aud` on every token and required of every token; of a list, all are set and one is required. */
  audience?: string | readonly string[] | undefined
  /** Seconds, 0 to 60; default 0. */
  clockTolerance?: number | undefined
  /** The realm of the `WWW-Authenticate` challenge. */
  realm?: string | undefined
  /** How many verified tokens the cache holds; default 10,000; 0 turns it off. */
  cache?: number | undefined
  /** The ready routes; absent or false: none. */
  routes?: DualTokenRoutes<Body> | false | undefined
  /** Beside the ready routes, the token and revocation endpoints of OAuth 2.0; default false. */
  oauth?: boolean | undefined
  /** Sessions; absent: none, and refresh tokens cannot be revoked. */
  sessions?: DualTokenSessions | undefined
  /** Tokens in HttpOnly cookies, for browsers; default false. */
  cookies?: boolean | DualTokenCookies | undefined
  /** Where else a token may be, when there is no Bearer token. With it, `PUT` and `DELETE` parse a JSON body. */
  extract?: ExtractToken | undefined
  /**
   * Whether tokens say in `auth_time` when the user signed in, which guards with `maxAge` need; default true with `sessions`, otherwise false. The
   * application must then not set that claim itself. On a server that only verifies: whether the issuer writes the claim.
   */
  authTime?: boolean | undefined
  /** The clock, in milliseconds; default `Date.now`. */
  now?: (() => number) | undefined
}

/** The options of `fastify.register(dualToken, options)`; durations are seconds or strings such as `'15m'`. */
export type DualTokenOptions<Body = unknown> = (SecretOptions | KeyOptions | RemoteKeyOptions) & OtherOptions<Body>
