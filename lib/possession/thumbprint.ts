// The members of a public key → its thumbprint (RFC 7638).
import { createHash } from 'node:crypto'

/** The required members of a public key, each written in its one way. */
export type KeyMembers =
  | { readonly kty: 'EC', readonly crv: 'P-256', readonly x: string, readonly y: string }
  | { readonly kty: 'OKP', readonly crv: 'Ed25519', readonly x: string }

/** SHA-256, base64url. */
export function thumbprintOf (members: KeyMembers): string {
  const { kty, crv, x } = members
  const inOrder = kty === 'EC' ? { crv, kty, x, y: members.y } : { crv, kty, x }
  return createHash('sha256').update(JSON.stringify(inOrder)).digest('base64url')
}
