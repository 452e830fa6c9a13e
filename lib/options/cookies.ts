// The `cookies` option → frozen settings.
import type { CookieSettings } from '../access/settings.ts'
import { createFault } from '../errors.ts'

/** Browsers drop a cookie whose name and value are longer together (RFC 6265bis section 5.6). */
const MAX_COOKIE_LENGTH = 4096
/** Accepted only with Secure, HttpOnly and `Path=/`, without Domain and from a server: neither siblings nor scripts can write it. */
const PREFIX = '__Host-Http-'
const NAME = /^[\w.-]{1,64}$/
/** Without `secure`, browsers drop such names. */
const RESERVED_NAME = /^__(?:Secure|Host|Http)-/i

/** @throws `FST_DUAL_TOKEN_OPTION_INVALID` */
export function readCookies (option: true | object): CookieSettings {
  const { access = false, origins = [], name, secure = true, ...rest }: Record<string, unknown> = option === true ? {} : { ...option }
  const [unknown] = Object.keys(rest)
  if (unknown !== undefined) throw flaw(unknown, 'is not known')
  if (typeof access !== 'boolean') throw flaw('access', 'must be true or false')
  if (!Array.isArray(origins)) throw flaw('origins', 'must be a list of origins')
  for (const [index, origin] of origins.entries()) {
    if (!isOrigin(origin)) throw flaw(`origins[${index}]`, "must be an origin as browsers write it, such as 'https://app.example'")
  }
  if (name !== undefined && !isCookieName(name)) {
    throw flaw('name', 'must be 1 to 64 letters, digits, dots, hyphens and underscores, without a prefix of browsers')
  }
  if (typeof secure !== 'boolean') throw flaw('secure', 'must be true or false')

  const start = `${secure ? PREFIX : ''}${name === undefined ? '' : `${name}_`}`
  const names = Object.freeze({ access: `${start}access_token`, refresh: `${start}refresh_token` })
  return Object.freeze({
    names,
    label: name ?? '',
    access,
    origins: new Set<string>(origins),
    secure,
    maxLengths: Object.freeze({
      access: access ? MAX_COOKIE_LENGTH - names.access.length : MAX_COOKIE_LENGTH,
      refresh: MAX_COOKIE_LENGTH - names.refresh.length
    })
  })
}

/** The origin of a page. A wildcard would match no page, since browsers send none. */
function isOrigin (value: unknown): value is string {
  return typeof value === 'string' && /^https?:[^*]*$/.test(value) && URL.canParse(value) && new URL(value).origin === value
}

function isCookieName (value: unknown): value is string {
  return typeof value === 'string' && NAME.test(value) && !RESERVED_NAME.test(value)
}

function flaw (name: string, sentenceEnd: string): Error {
  return createFault('OPTION_INVALID', `Option cookies.${name} ${sentenceEnd}.`)
}
