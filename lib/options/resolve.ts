// What the application passes to register → frozen settings, or one clear sentence. The only file with defaults.
import { Type, type TSchema } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import type { CookieSettings } from '../access/settings.ts'
import type { ExtractToken } from '../access/types.ts'
import { readCookies } from './cookies.ts'
import { readDuration } from './durations.ts'
import { createFault } from '../errors.ts'
import { readJwks, type JwksSettings } from './jwks.ts'
import { canSign, isSymmetric, readKeys, type RingKeys } from '../keys/check.ts'
import type { KeySetSettings } from '../keys/fetch-key-set.ts'
import { keySetSettingsOf } from './remote-keys.ts'
import { readRoutes, type RouteSettings } from './routes.ts'
import { readSecret, secretFlaw } from '../keys/secret.ts'
import { mustHaveDuty } from '../sessions/duties.ts'
import type { SessionSettings } from '../sessions/settings.ts'
import { readSessions } from './sessions.ts'
import { reservedClaimsOf } from '../tokens/user.ts'

/** The options, validated and complete; durations in seconds. */
export interface Settings {
  /** Empty when there are keys. */
  readonly secrets: readonly Buffer[]
  /** Null with a secret; empty until a followed key set has been read. */
  readonly keys: RingKeys | null
  /** The followed key set; null without `remoteKeys`. */
  readonly keySet: KeySetSettings | null
  readonly accessLifetime: number
  readonly refreshLifetime: number
  readonly userIdClaim: string
  readonly issuer: string | undefined
  /** A list has two or more. */
  readonly audience: string | readonly string[] | undefined
  readonly clockTolerance: number
  /** How far the clocks of two nodes may differ before they refuse each other's fresh tokens. */
  readonly skew: number
  readonly realm: string | undefined
  readonly cache: number
  readonly routes: RouteSettings | null
  readonly jwks: JwksSettings | null
  readonly oauth: boolean
  readonly sessions: SessionSettings | null
  readonly cookies: CookieSettings | null
  readonly extract: ExtractToken | null
  /** Whether tokens say when the user signed in. */
  readonly authTime: boolean
  /** The claims that an application may not set. */
  readonly reservedClaims: ReadonlySet<string>
  /** The clock in milliseconds. */
  readonly now: () => number
}

const MIN_SKEW = 60

const Secret = Type.Union([Type.String(), Type.Uint8Array()])
const Text = (description: string) => Type.String({ minLength: 1, description })
const Duration = Type.Union([Type.Number(), Type.String()], {
  description: "whole seconds, or a string with a unit such as '15m', '2h' or '14d'"
})

/** Every option; each description ends the sentence "Option x must be …". */
export const OptionSchemas: Readonly<Record<string, TSchema>> = {
  secret: Type.Union([Secret, Type.Array(Secret, { minItems: 1 })], { description: 'a string or a Buffer, or a list of them' }),
  keys: Type.Union([Type.Array(Type.Any(), { minItems: 1 }), Type.Object({})], { description: 'a list of at least one key, or remoteKeys(url, options)' }),
  accessExpiresIn: Duration,
  refreshExpiresIn: Duration,
  userIdClaim: Text('the name of a claim'),
  issuer: Text('a non-empty string'),
  audience: Type.Union([Type.String({ minLength: 1 }), Type.Array(Type.String({ minLength: 1 }), { minItems: 1, uniqueItems: true })], {
    description: 'a non-empty string, or a list of different ones'
  }),
  clockTolerance: Type.Number({ minimum: 0, maximum: 60, description: 'a number of seconds from 0 to 60' }),
  realm: Type.String({ pattern: '^[\\x20-\\x7e]+$', description: 'printable ASCII' }),
  cache: Type.Integer({ minimum: 0, maximum: 1_000_000, description: 'a whole number from 0 to 1000000' }),
  routes: Type.Union([Type.Literal(false), Type.Object({})], { description: 'an object or false' }),
  jwks: Type.Union([Type.Boolean(), Type.Object({})], { description: 'true, false or an object' }),
  oauth: Type.Boolean({ description: 'true or false' }),
  sessions: Type.Object({}, { description: 'an object' }),
  cookies: Type.Union([Type.Boolean(), Type.Object({})], { description: 'true, false or an object' }),
  authTime: Type.Boolean({ description: 'true or false' }),
  extract: Type.Function([], Type.Any(), { description: 'a function that returns the text of a token, or null' }),
  now: Type.Function([], Type.Number(), { description: 'a function that returns milliseconds' })
}

/** @throws `FST_DUAL_TOKEN_OPTION_INVALID` */
export function resolveOptions (options: unknown): Settings {
  const given = checked(options)
  const accessLifetime = lifetime(given, 'accessExpiresIn', '2h')
  const refreshLifetime = lifetime(given, 'refreshExpiresIn', '14d')
  if (accessLifetime >= refreshLifetime) {
    throw createFault('OPTION_INVALID', 'Option accessExpiresIn must be shorter than refreshExpiresIn.')
  }
  const clockTolerance = given.clockTolerance as number | undefined ?? 0
  const keySet = keySetSettingsOf(given.keys)
  const keys = given.keys === undefined ? null : keysOf(given, keySet)
  const jwks = given.jwks === undefined || given.jwks === false ? null : readJwks(given.jwks as true | object)
  if (jwks !== null && keySet !== null) {
    throw createFault('OPTION_INVALID', 'Option jwks needs keys of this service: a key set that is followed is served by its publisher.')
  }
  if (jwks !== null && (keys === null || keys.some(isSymmetric))) {
    throw createFault('OPTION_INVALID', 'Option jwks needs asymmetric keys: a secret has no public part.')
  }

  const routes = given.routes === undefined || given.routes === false ? null : readRoutes(given.routes as object)
  const sessions = given.sessions === undefined ? null : readSessions(given.sessions as object, accessLifetime, refreshLifetime, clockTolerance)
  if (routes !== null) mustServe(routes, sessions)
  else if (given.oauth === true) throw createFault('OPTION_INVALID', 'Option oauth needs routes.')
  const authTime = given.authTime as boolean | undefined ?? sessions !== null
  const reservedClaims = reservedClaimsOf({ authTime, sessions: sessions !== null })

  return Object.freeze({
    secrets: keys === null ? secretsOf(given.secret) : [],
    keys,
    keySet,
    accessLifetime,
    refreshLifetime,
    userIdClaim: userIdClaimOf(given.userIdClaim as string | undefined ?? 'user_id', reservedClaims),
    issuer: given.issuer as string | undefined,
    audience: audienceOf(given.audience as string | string[] | undefined),
    clockTolerance,
    skew: Math.max(clockTolerance, MIN_SKEW),
    realm: given.realm as string | undefined,
    cache: given.cache as number | undefined ?? 10_000,
    routes,
    jwks,
    oauth: given.oauth === true,
    sessions,
    cookies: given.cookies === undefined || given.cookies === false ? null : readCookies(given.cookies as true | object),
    extract: given.extract as ExtractToken | undefined ?? null,
    authTime,
    reservedClaims,
    now: given.now as (() => number) | undefined ?? Date.now
  })
}

/** Copies the options; refuses unknown members and values that do not match their schema. `undefined` means absent. */
function checked (options: unknown): Record<string, unknown> {
  const given: Record<string, unknown> = { ...options as object }
  for (const [name, value] of Object.entries(given)) {
    const schema = Object.hasOwn(OptionSchemas, name) ? OptionSchemas[name] : undefined
    const hint = name === 'prefix' ? ': routes.path says where the ready routes stand' : ''
    if (schema === undefined) throw createFault('OPTION_INVALID', `Option ${name} is not known${hint}.`)
    if (value !== undefined && !Value.Check(schema, value)) {
      throw createFault('OPTION_INVALID', `Option ${name} must be ${schema.description}.`)
    }
  }
  return given
}

function lifetime (given: Record<string, unknown>, name: string, fallback: string): number {
  const seconds = readDuration(given[name] ?? fallback)
  if (seconds === null || seconds === 0) {
    throw createFault('OPTION_INVALID', `Option ${name} must be ${Duration.description}, and more than 0.`)
  }
  return seconds
}

/** Refuses members of `routes` that need sessions, or a duty of their store, when these are missing. */
function mustServe ({ label, refreshExpiresIn }: RouteSettings, sessions: SessionSettings | null): void {
  if (label !== undefined) {
    if (sessions === null) throw createFault('OPTION_INVALID', 'Option routes.label needs sessions.')
    mustHaveDuty(sessions.store, 'label', 'routes.label')
  }
  if (refreshExpiresIn !== undefined && sessions !== null && sessions.sliding !== null) {
    mustHaveDuty(sessions.store, 'lifetime', 'routes.refreshExpiresIn')
  }
}

function userIdClaimOf (name: string, reserved: ReadonlySet<string>): string {
  if (!reserved.has(name)) return name
  throw createFault('OPTION_INVALID', `Option userIdClaim must not be the reserved claim ${name}; of the registered names only sub will do.`)
}

/** Turns a list of one into its string, because both make the same tokens. */
function audienceOf (audience: string | readonly string[] | undefined): Settings['audience'] {
  if (!Array.isArray(audience)) return audience as string | undefined
  return audience.length === 1 ? audience[0] : Object.freeze([...audience])
}

function keysOf ({ keys, secret, routes }: Record<string, unknown>, keySet: KeySetSettings | null): RingKeys {
  if (secret !== undefined) throw createFault('OPTION_INVALID', 'Option secret must not be set beside keys.')
  const ring = keySet === null ? readKeys(keys) : Object.freeze([])
  if (canSign(ring) || routes === undefined || routes === false) return ring
  throw createFault('OPTION_INVALID', 'Option routes needs keys that begin with a private one: these can only verify.')
}

function secretsOf (secret: unknown): readonly Buffer[] {
  if (secret === undefined) throw createFault('OPTION_INVALID', 'Option secret is required: at least 32 random bytes.')
  const list = (Array.isArray(secret) ? secret : [secret]) as Array<string | Uint8Array>
  return Object.freeze(list.map((one, index) => {
    const flaw = secretFlaw(one)
    if (flaw === null) return readSecret(one)
    throw createFault('OPTION_INVALID', `Option ${Array.isArray(secret) ? `secret[${index}]` : 'secret'} ${flaw}.`)
  }))
}
