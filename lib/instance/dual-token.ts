// The parts → `fastify.dualToken`, the methods for the application.
import type { CookieJar } from '../access/cookie-jar.ts'
import { createFault, type CreateRefusal } from '../errors.ts'
import type { NamedKeyRing } from '../keys/ring.ts'
import type { Refresh } from '../routes/refresh.ts'
import { copyOf } from '../tokens/split.ts'
import { readClient } from '../sessions/client.ts'
import type { Sessions } from '../sessions/sessions.ts'
import type { SetKeys } from '../keys/replace.ts'
import type { SignIn } from '../routes/sign-in.ts'
import type { DualToken, IssueOptions } from './types.ts'
import { mustBeUserId } from '../tokens/user.ts'
import { suffixOf, type Verdict } from '../tokens/verdict.ts'
import type { Verify } from '../tokens/verify.ts'

export interface DualTokenParts {
  readonly userIdClaim: string
  /** Null when there is a secret instead. */
  readonly ring: NamedKeyRing | null
  readonly setKeys: SetKeys
  readonly verify: Verify
  readonly signIn: SignIn
  readonly refresh: Refresh
  readonly sessions: Sessions | null
  readonly jar: CookieJar | null
  readonly createRefusal: CreateRefusal
}

export function createDualToken ({ userIdClaim, ring, setKeys, verify, signIn, refresh, sessions, jar, createRefusal }: DualTokenParts): DualToken {
  /** Copies the token, because a substring would keep its whole source string in memory. */
  function verifyCopy (token: unknown): Verdict {
    return verify(typeof token === 'string' ? copyOf(token) : '')
  }

  function withSessions (name: keyof DualToken): Sessions {
    if (sessions !== null) return sessions
    throw createFault('OPTION_INVALID', `Option sessions is required for ${name}.`)
  }

  function withCookies (name: keyof DualToken): CookieJar {
    if (jar !== null) return jar
    throw createFault('OPTION_INVALID', `Option cookies is required for ${name}.`)
  }

  /** Refuses before anything starts that could not be signed in the end. */
  function mustSign (name: keyof DualToken): void {
    if (ring?.canSign === false) throw createFault('OPTION_INVALID', `Option keys must begin with a private key for ${name}.`)
  }

  return Object.freeze<DualToken>({
    async issueTokens<Need extends boolean = true> (user: unknown, options: IssueOptions<Need> = {}) {
      const now = performance.now()
      const { needRefreshToken, startedAt = now } = options
      mustSign('issueTokens')
      if (typeof startedAt !== 'number' || !(startedAt <= now)) throw createFault('OPTION_INVALID', 'Option startedAt must be a moment of performance.now().')
      return await signIn(user, (needRefreshToken ?? true) as Need, readClient(options), startedAt)
    },

    verifyToken (token) {
      const { claims, refusal } = verifyCopy(token)
      if (claims === null) throw createRefusal(suffixOf('ACCESS', refusal.kind), refusal.reason)
      return claims
    },

    setKeys,

    async refreshTokens (refreshToken, options = {}) {
      withSessions('refreshTokens')
      mustSign('refreshTokens')
      const { claims, refusal } = verifyCopy(refreshToken)
      if (claims === null) throw createRefusal(suffixOf('REFRESH', refusal.kind), refusal.reason)
      if (!claims.refresh) throw createRefusal('REFRESH_IS_ACCESS')
      return await refresh(claims, readClient(options), { loadUser: options.loadUser })
    },

    async listSessions (userId) {
      const sessions = withSessions('listSessions')
      mustBeUserId(userId, userIdClaim)
      const records = await sessions.list(userId)
      return records.map(({ id, createdAt, lastUsedAt, expiresAt, ip, userAgent }) =>
        ({ id, userId, createdAt, lastUsedAt, expiresAt, ip, userAgent }))
    },

    async revokeSession (sessionId) {
      return await withSessions('revokeSession').revoke.session(sessionId, { reason: 'revoked' })
    },

    async revokeUser (userId) {
      const { revoke } = withSessions('revokeUser')
      mustBeUserId(userId, userIdClaim)
      return await revoke.user(userId, { reason: 'user_revoked' })
    },

    setCookies (reply, tokens) {
      return withCookies('setCookies').set(reply, tokens)
    },

    clearCookies (reply) {
      withCookies('clearCookies').clear(reply)
    }
  })
}
