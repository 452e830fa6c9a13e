// The public types of the client kit. They depend on neither the server nor Node.js, only on fetch.

/** The stored tokens of a sign-in. */
export interface Tokens {
  token: string
  refresh_token: string
  /** Identifies the sign-in, so that the client never repeats a request as another user. */
  sign_in?: number
}

/** The content of a storage: the tokens of a sign-in, or none. */
export type StoredTokens = Tokens | null | undefined

/** Stores the tokens, in one place for all tabs; `null` means signed out. Both methods may return a promise. */
export interface TokenStorage {
  get (): StoredTokens | Promise<StoredTokens>
  set (tokens: Tokens | null): unknown
}

/** The part of `navigator.locks` that the client uses: one callback at a time for each name. */
export interface TokenLocks {
  request (name: string, callback: () => Promise<StoredTokens>): Promise<StoredTokens>
}

/** The members of an `AuthorizationError`. */
export interface AuthorizationFailure extends Error {
  readonly status: number
  /** The server's code, such as `FST_DUAL_TOKEN_LOGIN_REFUSED`; empty if the reply has none. */
  readonly code: string
  /** Whether the tokens are no longer valid, so that the user has to sign in again. */
  readonly signInRequired: boolean
}

export interface TokenClientOptions {
  /** The URL of the API. The client resolves relative URLs against it, and sends tokens only to its origin. */
  baseUrl: string | URL
  /** The path of the ready routes; default `/authorizations`. */
  path?: string | undefined
  storage: TokenStorage
  /** Called when the client has dropped its tokens, because the server refused the refresh token or the session has ended. */
  onSignInRequired?: ((error: AuthorizationFailure) => void) | undefined
  /** Default `globalThis.fetch`. */
  fetch?: typeof globalThis.fetch | undefined
  /**
   * Locks for all clients that share one storage: one refresh and one storage change at a time. Default `navigator.locks` in
   * browsers, none elsewhere; `null` for none.
   */
  locks?: TokenLocks | null | undefined
  /** Milliseconds that a sign-in, a refresh or a sign-out waits for a reply; default 10,000. */
  timeout?: number | undefined
  /** Waits before a retry; default by `setTimeout`. */
  wait?: ((milliseconds: number) => Promise<unknown>) | undefined
}

export interface TokenClient {
  /**
   * Like the global `fetch`, but sends the access token, and refreshes it when it has expired. A request with its own
   * `Authorization` header, or to another origin, stays unchanged. Its `signal` ends every wait.
   *
   * @throws an AuthorizationError when the user has to sign in again, or the server refused to refresh; the error of `fetch`
   * when the reply to a refresh was lost: the client keeps the tokens, and the next request tries again
   */
  fetch: typeof globalThis.fetch
  /**
   * Sends the credentials as JSON, and stores the tokens.
   *
   * @throws an AuthorizationError, with status 401 when the server refuses the credentials; the error of `fetch`
   */
  signIn (credentials: object): Promise<void>
  /**
   * Drops the tokens, then asks the server to end the session, if it has sessions.
   *
   * @throws an AuthorizationError, or the error of `fetch`, when the session may still be live; the client has dropped the tokens anyway
   */
  signOut (): Promise<void>
}
