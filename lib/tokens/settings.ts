// The settings that making and verifying tokens need.

export interface TokenSettings {
  /** Seconds. */
  readonly accessLifetime: number
  /** Seconds. */
  readonly refreshLifetime: number
  readonly userIdClaim: string
  readonly issuer: string | undefined
  /** A list has two or more. */
  readonly audience: string | readonly string[] | undefined
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
}
