// The `cookies` and `routes.reply` options → the schema of the reply that gives tokens, for the OpenAPI document.
import { Type } from '@sinclair/typebox'
import type { CookieJar } from '../access/cookie-jar.ts'
import { setCookieHeader } from '../openapi/replies.ts'
import type { RouteSettings } from '../options/routes.ts'

/** Example tokens. */
const ACCESS_TOKEN = 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjo3LCJyZWZyZXNoIjpmYWxzZX0.c2lnbmF0dXJl'
const REFRESH_TOKEN = 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjo3LCJyZWZyZXNoIjp0cnVlfQ.c2lnbmF0dXJl'

const AccessReplySchema = Type.Object({
  token: Type.String({ description: 'The access token: it goes with every request', examples: [ACCESS_TOKEN] }),
  token_type: Type.Literal('Bearer', { examples: ['Bearer'] }),
  expires_in: Type.Integer({ description: 'Seconds until the access token expires', examples: [7200] })
}, { description: 'An access token' })
const PairReplySchema = Type.Object({
  ...AccessReplySchema.properties,
  refresh_token: Type.String({ description: 'It is exchanged for a new access token, and does nothing else', examples: [REFRESH_TOKEN] })
}, { description: 'Both tokens' })

const Proof = Type.String({ description: 'Proves the key that a session is bound to: a JWT with typ dpop+jwt (RFC 9449 section 4.2)' })

/** The header of a route that takes a proof of possession. */
export function proofHeader (mode: 'optional' | 'required' | false): { headers?: object } {
  if (mode === false) return {}
  return { headers: Type.Object({ DPoP: mode === 'required' ? Proof : Type.Optional(Proof) }) }
}

/** @param pair whether a refresh token is among the new tokens */
export function replySchema ({ reply }: RouteSettings, jar: CookieJar | null, pair: boolean): object {
  const tokens = pair ? PairReplySchema : AccessReplySchema
  const schema = reply === undefined ? tokens : Type.Object({}, { description: tokens.description!, additionalProperties: true })
  if (jar === null) return schema
  const inCookies = jar.settings.access ? ['token', 'refresh_token'] : ['refresh_token']
  return {
    ...schema,
    ...(reply === undefined && { required: tokens.required!.filter(name => !inCookies.includes(name)) }),
    description: `${tokens.description}; without what is in cookies`,
    headers: setCookieHeader('The cookies, for a browser: one line for each')
  }
}
