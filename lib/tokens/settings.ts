// The settings that making and verifying tokens need.

/** How long a token may be, in characters, so that browsers keep it: the name of a cookie counts too. */
export interface CookieLimits {
  readonly maxLengths: { readonly access: number, readonly refresh: number }
}

export interface TokenSettings {
  /** Seconds. */
  readonly accessLifetime: number
  /** Seconds. */
  readonly refreshLifetime: number
  readonly userIdClaim: string
  readonly issuer: string | undefined
  readonly audience: string | undefined
  /** Seconds. */
  readonly clockTolerance: number
  /** How far the clocks of two nodes may differ before they refuse each other's fresh tokens. Seconds. */
  readonly skew: number
  /** How many verified tokens are remembered. */
  readonly cache: number
  /** The clock in milliseconds. */
  readonly now: () => number
  /** Null: tokens carry no session. */
  readonly sessions: object | null
  /** Null: tokens go into no cookie. */
  readonly cookies: CookieLimits | null
}
