// What the services agree on, beside the store: who signs, for whom, and how long a copy of the key set may be kept.

/** In every token as `iss`. Where it is deployed, the identity service has its own address here. */
export const ISSUER = 'https://id.example'

/** Whom tokens are for, in `aud`: each service accepts only those that name it. */
export const AUDIENCES = ['identity', 'orders'] as const

export const REFRESH_DAYS = 14

/** Seconds: `KEY_SET_MAX_AGE`, or 5 minutes. */
export function readKeySetMaxAge (): number {
  const text = process.env.KEY_SET_MAX_AGE ?? '300'
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new Error('KEY_SET_MAX_AGE must be whole seconds, from 1 to 999999.')
  return Number(text)
}
