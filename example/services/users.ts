// Credentials → a user with scopes: two users in memory, their passwords hashed.
import { randomBytes, scrypt, scryptSync, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import type { DualTokenUser } from '../../lib/index.ts'

interface Account {
  readonly salt: Buffer
  readonly key: Buffer
  readonly scope: string
}

const cost = { N: 2 ** 14, r: 8, p: 5 } // scrypt as OWASP asks for it, in 16 MiB
const hash = promisify<string, Buffer, number, object, Buffer>(scrypt)

const accounts = new Map<string, Account>([
  ['demo', createAccount('demo-password', 'orders:read orders:write')],
  ['admin', createAccount('admin-password', 'keys:roll')]
])
const nobody = createAccount(randomBytes(32).toString('hex'), '') // so that an unknown user takes as long as a known one

/** A service that strangers can reach also limits how often a password may be guessed: docs/recipes.md. */
export async function findUser ({ username, password }: { username: string, password: string }): Promise<DualTokenUser | null> {
  const { salt, key } = accounts.get(username) ?? nobody
  return timingSafeEqual(await hash(password, salt, 32, cost), key) ? loadUser(username) : null
}

/** The user as of now: a refresh brings the scopes that the account has by then. */
export function loadUser (userId: string | number): DualTokenUser | null {
  const account = accounts.get(String(userId))
  return account ? { user_id: userId, scope: account.scope } : null
}

function createAccount (password: string, scope: string): Account {
  const salt = randomBytes(16)
  return { salt, key: scryptSync(password, salt, 32, cost), scope }
}
