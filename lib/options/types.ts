// The public types of the options.
import type { FastifyRequest, RouteShorthandOptions } from 'fastify'
import type { Static, TSchema } from '@sinclair/typebox'
import type { DualTokenKey } from '../keys/types.ts'
import type { RemoteKeys } from './remote-keys.ts'
import type { SessionEvent } from '../sessions/events.ts'
import type { SessionStore } from '../sessions/store.ts'
import type { Awaitable, DualTokenUser, LoadUser, Nobody } from '../tokens/types.ts'

type PassedOn = Omit<RouteShorthandOptions, 'schema' | 'serializerCompiler' | 'prefixTrailingSlash'>

/** The ready routes. Beside these options, those of any Fastify route are passed on to each of them. */
export interface DualTokenRoutes<Body = unknown> extends PassedOn {
  /** The path of the routes; default `/authorizations`. */
  path?: string | undefined
  /** JSON or TypeBox schema of the credentials, or whatever the application's validator compiler takes; default: any JSON object. */
  body?: Body | undefined
  /** Credentials → the user, or null (or false) to refuse them. What it throws goes to the application's error handler. */
  login (body: LoginBody<Body>, request: FastifyRequest): Awaitable<DualTokenUser | Nobody>
  /** User id → the user as of now, or null when there is none any more. Default: the id alone. */
  loadUser?: LoadUser | undefined
  /** Shorthand for `schema.tags`; default `['authorizations']`. */
  tags?: string[] | undefined
  /** Merged into the routes' schemas: `tags`, `summary`, `security` …; never `body` or `response`. */
  schema?: Record<string, unknown> | undefined
}

/** The schema of Zod, Valibot and others: https://standardschema.dev */
interface StandardSchema<Output> {
  readonly '~standard': { readonly types?: { readonly output: Output } | undefined }
}

type LoginBody<Body> =
  Body extends TSchema ? Static<Body>
    : Body extends StandardSchema<infer Output> ? Output : Record<string, unknown>

/** The `sessions` option. Durations are seconds, fractions included, or strings such as `'15m'`. */
export interface DualTokenSessions {
  /** `memoryStore()`, `redisStore(client)` or a store of your own. */
  store: SessionStore
  /** Renew the refresh token at each refresh; default true. False: it serves its whole life, but can be revoked. */
  rotate?: boolean | undefined
  /** How long a refresh token still serves after its successor was made; default 10. */
  grace?: number | string | undefined
  /** How long it still serves when its successor was never used, because the reply was lost; default `'24h'`. */
  recovery?: number | string | undefined
  /** Each refresh renews the refresh token's life; default false: it ends at a fixed time after sign-in. */
  sliding?: boolean | undefined
  /** The longest life of a sliding session, from sign-in; default `'90d'`. */
  maxLifetime?: number | string | undefined
  /** How often the feed of revoked sessions is read; default 2. */
  pollInterval?: number | string | undefined
  /** How long the feed may be unreadable before `onStale` counts; default `'5m'`. */
  maxStaleness?: number | string | undefined
  /** Then guards answer 503 (`'deny'`, default), or go on (`'allow'`). */
  onStale?: 'deny' | 'allow' | undefined
  /** How long the store may take before a sign-in, refresh or logout answers 503; default 1. */
  storeTimeout?: number | string | undefined
  /** Called with every event of a session. The plugin logs what it throws and continues. */
  onEvent?: ((event: SessionEvent) => unknown) | undefined
}

/** Where the public keys are served. */
export interface DualTokenJwks {
  /** Default `/.well-known/jwks.json`. */
  path?: string | undefined
  /** How long others may keep it: seconds, or a string such as `'5m'`; default 300. */
  maxAge?: number | string | undefined
}

interface SecretOptions {
  /** HS256 secret of at least 32 bytes, or a list of them: the first signs, all verify. Either this or `keys`. */
  secret: string | Uint8Array | ReadonlyArray<string | Uint8Array>
  keys?: undefined
  jwks?: false | undefined
}

interface KeyOptions {
  /** Named keys instead of a `secret`: the first signs, all verify; without a private key first, nothing is issued here. */
  keys: readonly DualTokenKey[]
  secret?: undefined
  /** Serves the public keys, to all; default false. */
  jwks?: boolean | DualTokenJwks | undefined
}

interface RemoteKeyOptions {
  /** Keys that another service publishes: nothing is issued here. */
  keys: RemoteKeys
  secret?: undefined
  jwks?: false | undefined
  routes?: false | undefined
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
  /** Named in the `WWW-Authenticate` challenge. */
  realm?: string | undefined
  /** How many verified tokens are remembered; default 10,000; 0 turns it off. */
  cache?: number | undefined
  /** The ready routes; absent or false: none. */
  routes?: DualTokenRoutes<Body> | false | undefined
  /** Sessions; absent: none, and refresh tokens cannot be revoked. */
  sessions?: DualTokenSessions | undefined
  /** The clock, in milliseconds; default `Date.now`. */
  now?: (() => number) | undefined
}

/** The options of `fastify.register(dualToken, options)`; durations are seconds or strings such as `'15m'`. */
export type DualTokenOptions<Body = unknown> = (SecretOptions | KeyOptions | RemoteKeyOptions) & OtherOptions<Body>
