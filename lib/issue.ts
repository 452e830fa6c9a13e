// A user's claims → the tokens of one sign-in, both from one reading of the clock.
import { createFault } from './errors.ts'
import type { KeyRing } from './keys.ts'
import type { Settings } from './options.ts'
import { MAX_TOKEN_LENGTH } from './segments.ts'
import type { TokenReply } from './types.ts'
import type { UserClaims } from './user.ts'

/** Makes a pair, or an access token alone; throws `FST_DUAL_TOKEN_USER_INVALID` when the claims do not fit a token. */
export type Issue = <Need extends boolean>(claims: UserClaims, needRefreshToken: Need) => TokenReply<Need>

export function createIssue (settings: Settings, ring: KeyRing): Issue {
  const { accessLifetime, refreshLifetime, issuer, audience } = settings
  const addressed = {
    ...(issuer !== undefined && { iss: issuer }),
    ...(audience !== undefined && { aud: audience })
  }

  return function issue<Need extends boolean> (claims: UserClaims, needRefreshToken: Need) {
    const iat = Math.floor(settings.now() / 1000)
    const sign = (refresh: boolean, lifetime: number): string => {
      const token = ring.sign({ ...claims, ...addressed, refresh, iat, exp: iat + lifetime })
      if (token.length > MAX_TOKEN_LENGTH) {
        throw createFault('USER_INVALID', `A user's claims must fit a token of ${MAX_TOKEN_LENGTH} characters.`)
      }
      return token
    }
    return {
      token: sign(false, accessLifetime),
      ...(needRefreshToken && { refresh_token: sign(true, refreshLifetime) }),
      token_type: 'Bearer',
      expires_in: accessLifetime
    } as TokenReply<Need>
  }
}
