// What issueTokens answers follows from needRefreshToken.
import Fastify from 'fastify'
import dualToken, { type AccessReply, type DualTokenUser, type PairReply, type TokenReply, type UserId } from 'fastify-dual-token'
import { assert, type Equals } from './equals.ts'

const fastify = Fastify()
await fastify.register(dualToken, { secret: 'x'.repeat(32) })
const { issueTokens } = fastify.dualToken

export const byDefault = await issueTokens({ user_id: 7 })
assert<Equals<typeof byDefault, PairReply>>()

export const withNoChoice = await issueTokens({ user_id: 7 }, {})
assert<Equals<typeof withNoChoice, PairReply>>()

export const pair = await issueTokens({ user_id: 'u-1', role: 'member' }, { needRefreshToken: true })
assert<Equals<typeof pair, PairReply>>()
assert<Equals<typeof pair.refresh_token, string>>()

const alone = await issueTokens({ user_id: 7 }, { needRefreshToken: false })
assert<Equals<typeof alone, AccessReply>>()
// @ts-expect-error there is none
export const { refresh_token: none } = alone

const either = await issueTokens({ user_id: 7 }, { needRefreshToken: Boolean(process.env.PAIR) })
assert<Equals<typeof either, AccessReply | PairReply>>()
assert<Equals<TokenReply<boolean>, AccessReply | PairReply>>()
assert<Equals<typeof either.token_type, 'Bearer'>>()
assert<Equals<typeof either.expires_in, number>>()
export const perhaps: string | undefined = 'refresh_token' in either ? either.refresh_token : undefined

export const users: DualTokenUser[] = [{ user_id: 7 }, { user_id: 'u-1', role: 'member', nested: { a: [1] } }]

declare const objectId: { toJSON (): string, toHexString (): string }
await issueTokens({ user_id: objectId }, { label: 'desk', refreshExpiresIn: '1d' })
await issueTokens({ user_id: 7 }, { label: undefined, refreshExpiresIn: undefined, needRefreshToken: undefined })
const listed: Array<{ userId: UserId, label: string | null }> = await fastify.dualToken.listSessions(objectId)
export const ended: number = await fastify.dualToken.revokeUser(objectId, { except: 'a session', ...listed.length > 9 && { except: undefined } })

// @ts-expect-error a BigInt is no id
await issueTokens({ user_id: 7n })
// @ts-expect-error null is no label
await issueTokens({ user_id: 7 }, { label: null })
// @ts-expect-error no such option
await fastify.dualToken.revokeUser(7, { exept: 'a session' })
// @ts-expect-error a user has an id
await issueTokens({ role: 'member' })
// @ts-expect-error an id is a string or a number
await issueTokens({ user_id: null })
// @ts-expect-error nobody has no tokens
await issueTokens(null)
// @ts-expect-error no such option
await issueTokens({ user_id: 7 }, { needRefresh: true })

export const again = await issueTokens({ user_id: 7 }, { session: 'a session', ip: '192.0.2.1' })
assert<Equals<typeof again, AccessReply>>()
await issueTokens({ user_id: 7 }, { session: 'a session', needRefreshToken: false })
// @ts-expect-error no refresh token comes of it
await issueTokens({ user_id: 7 }, { session: 'a session', needRefreshToken: true })
// @ts-expect-error the session has its label
await issueTokens({ user_id: 7 }, { session: 'a session', label: 'desk' })
