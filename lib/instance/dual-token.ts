// The parts → `fastify.dualToken`, the methods for the application.
import type { Authentication } from '../access/authenticate.ts'
import type { CookieJar } from '../access/cookie-jar.ts'
import type { GuardedRequest } from '../access/types.ts'
import { createFault, type CreateRefusal } from '../errors.ts'
import type { NamedKeyRing } from '../keys/ring.ts'
import type { Possession } from '../possession/possession.ts'
import type { ProvingRequest } from '../possession/target.ts'
import type { Reauthenticate } from '../routes/reauthenticate.ts'
import type { Refresh } from '../routes/refresh.ts'
import type { AccessReply, PairReply } from '../tokens/types.ts'
import { copyOf } from '../tokens/split.ts'
import { readClient } from '../sessions/client.ts'
import { readLabel } from '../sessions/label.ts'
import type { Sessions } from '../sessions/sessions.ts'
import type { SetKeys } from '../keys/replace.ts'
import type { SignIn } from '../routes/sign-in.ts'
import { mustKnowMembers } from './members.ts'
import type { DualToken, IssueOptions, SessionTokenOptions } from './types.ts'
import { mustHaveDuty } from '../sessions/duties.ts'
import { isSessionId } from '../tokens/session-claims.ts'
import { readUserId } from '../tokens/user.ts'
import { suffixOf, type AcceptedRefresh, type Verdict } from '../tokens/verdict.ts'
import type { Verify } from '../tokens/verify.ts'

export interface DualTokenParts {
  readonly userIdClaim: string
  /** Null with a `secret`. */
  readonly ring: NamedKeyRing | null
  readonly setKeys: SetKeys
  readonly guard: DualToken['guard']
  readonly verify: Verify
  readonly signIn: SignIn
  readonly refresh: Refresh
  /** Null without `authTime`, and when the session store lacks the method `reauthenticate`. */
  readonly reauthenticate: Reauthenticate | null
  readonly sessions: Sessions | null
  /** Null without sessions. */
  readonly possession: Possession | null
  readonly jar: CookieJar | null
  readonly signInEnds: Authentication['signInEnds']
  readonly createRefusal: CreateRefusal
}

const CLIENT_OPTIONS = ['ip', 'userAgent']
const ISSUE_OPTIONS = [...CLIENT_OPTIONS, 'needRefreshToken', 'startedAt', 'label', 'refreshExpiresIn', 'session', 'proof']
const SESSION_TOKEN_OPTIONS = ['session', 'ip', 'needRefreshToken']
const REFRESH_OPTIONS = [...CLIENT_OPTIONS, 'loadUser', 'proof']

export function createDualToken (parts: DualTokenParts): DualToken {
  const { userIdClaim, ring, setKeys, guard, verify, signIn, refresh, reauthenticate, sessions, possession, jar, signInEnds, createRefusal } = parts

  /** Copies the token, because a substring would keep its whole source string in memory. */
  function verifyCopy (token: unknown): Verdict {
    return verify(typeof token === 'string' ? copyOf(token) : '')
  }

  function withSessions (name: string): Sessions {
    if (sessions !== null) return sessions
    throw createFault('OPTION_INVALID', `Option sessions is required for ${name}.`)
  }

  function mustBeRequest (proof: ProvingRequest | undefined, name: string): void {
    if (proof === undefined) return
    withSessions(`the proof of ${name}`)
    if (typeof proof !== 'object' || proof === null || typeof proof.headers !== 'object' || typeof proof.originalUrl !== 'string') {
      throw createFault('OPTION_INVALID', `Option proof of ${name} must be a request.`)
    }
  }

  function withCookies (name: keyof DualToken): CookieJar {
    if (jar !== null) return jar
    throw createFault('OPTION_INVALID', `Option cookies is required for ${name}.`)
  }

  /** Refuses early, before a call does work for tokens that this server cannot sign. */
  function mustSign (name: keyof DualToken): void {
    if (ring?.canSign === false) throw createFault('OPTION_INVALID', `Option keys must begin with a private key for ${name}.`)
  }

  async function issueInSession (user: unknown, options: SessionTokenOptions): Promise<AccessReply> {
    const { session, ip, needRefreshToken = false } = options
    withSessions('the session of issueTokens')
    mustKnowMembers(options, 'issueTokens with session', SESSION_TOKEN_OPTIONS)
    if (!isSessionId(session)) throw createFault('OPTION_INVALID', 'Option session must be the id of a session.')
    if (needRefreshToken) throw createFault('OPTION_INVALID', 'Option needRefreshToken must not be true beside session.')
    if (reauthenticate === null) {
      throw createFault('OPTION_INVALID', 'Option session of issueTokens needs authTime, and a session store with the method reauthenticate.')
    }
    const reply = await reauthenticate(user, { sid: session, ip: readClient({ ip }).ip })
    if (typeof reply === 'string') throw createRefusal('SESSION_UNKNOWN')
    return reply
  }

  return Object.freeze<DualToken>({
    guard,

    async issueTokens (user: unknown, options: IssueOptions | SessionTokenOptions = {}): Promise<PairReply> {
      const now = performance.now()
      mustSign('issueTokens')
      if (isInSession(options)) return await issueInSession(user, options) as PairReply
      mustKnowMembers(options, 'issueTokens', ISSUE_OPTIONS)
      const { needRefreshToken, startedAt = now, label, refreshExpiresIn, proof } = options
      mustBeRequest(proof, 'issueTokens')
      if (typeof startedAt !== 'number' || !(startedAt <= now)) throw createFault('OPTION_INVALID', 'Option startedAt must be a moment of performance.now().')
      if (label !== undefined) {
        withSessions('the label of issueTokens')
        if (typeof label !== 'string') throw createFault('OPTION_INVALID', 'Option label must be a string.')
      }
      const jkt = proof === undefined ? null : await possession!.atSignIn(proof)
      const details = { client: readClient(options), startedAt, label: readLabel(label), refreshExpiresIn, jkt }
      return await signIn(user, needRefreshToken ?? true, details) as PairReply
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
      mustKnowMembers(options, 'refreshTokens', REFRESH_OPTIONS)
      const { loadUser, proof } = options
      mustBeRequest(proof, 'refreshTokens')
      if (loadUser !== undefined && typeof loadUser !== 'function') throw createFault('OPTION_INVALID', 'Option loadUser must be a function.')
      const verdict = verifyCopy(refreshToken)
      const { claims, refusal } = verdict
      if (claims === null) throw createRefusal(suffixOf('REFRESH', refusal.kind), refusal.reason)
      if (!claims.refresh) throw createRefusal('REFRESH_IS_ACCESS')
      return await refresh(verdict as AcceptedRefresh, readClient(options), { loadUser, proof })
    },

    async listSessions (id) {
      const sessions = withSessions('listSessions')
      const userId = readUserId(id, userIdClaim)
      const records = await sessions.list(userId)
      return records.map(({ id, createdAt, lastUsedAt, expiresAt, ip, userAgent, label }) =>
        ({ id, userId, createdAt, lastUsedAt, expiresAt, ip, userAgent, label }))
    },

    async revokeSession (sessionId) {
      return await withSessions('revokeSession').revoke.session(sessionId, { reason: 'revoked' })
    },

    async revokeUser (id, options = {}) {
      const { revoke, settings } = withSessions('revokeUser')
      const userId = readUserId(id, userIdClaim)
      mustKnowMembers(options, 'revokeUser', ['except'])
      const { except } = options
      if (except === undefined) return await revoke.user(userId, { reason: 'user_revoked' })
      if (!isSessionId(except)) throw createFault('OPTION_INVALID', 'Option except must be the id of a session.')
      mustHaveDuty(settings.store, 'except', 'except of revokeUser')
      return await revoke.user(userId, { except, reason: 'user_revoked' })
    },

    setCookies (reply, tokens) {
      const jar = withCookies('setCookies')
      // Fastify passes its whole request; the type of the reply leaves out what depends on its generics.
      return jar.set(reply, tokens, reply.request && signInEnds(reply.request as GuardedRequest))
    },

    clearCookies (reply) {
      withCookies('clearCookies').clear(reply)
    }
  })
}

function isInSession (options: unknown): options is SessionTokenOptions {
  return (options as SessionTokenOptions | null)?.session !== undefined
}
