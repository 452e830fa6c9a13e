// The public types of the client kit. They depend on neither the server nor Node.js, only on fetch.

/** The stored tokens of a sign-in. */
export interface Tokens {
  token: string
  refresh_token: string
  /** Marks the sign-in, so that no request is tried again as somebody else. */
  sign_in?: number
}

/** What a storage holds: a sign-in's tokens, or nobody's. */
export type StoredTokens = Tokens | null | undefined

/** Where the tokens are kept, one place for all tabs; `null` is nobody. It may answer at once or later. */
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
  /** The server's code, such as `FST_DUAL_TOKEN_LOGIN_REFUSED`; empty when there is none. */
  readonly code: string
  /** Whether the tokens are good for nothing any more: the user has to sign in again. */
  readonly signInRequired: boolean
}

export interface TokenClientOptions {
  /** Where the API is. Relative URLs are resolved against it, and no other origin is ever sent a token. */
  baseUrl: string | URL
  /** Of the ready routes; default `/authorizations`. */
  path?: string | undefined
  storage: TokenStorage
  /** Called when the client has given up its tokens, because the server refused the refresh token or the session has ended. */
  onSignInRequired?: ((error: AuthorizationFailure) => void) | undefined
  /** Default `globalThis.fetch`. */
  fetch?: typeof globalThis.fetch | undefined
  /** One refresh, and one change of the storage, at a time among all that share them; default `navigator.locks` in browsers, none elsewhere; `null` for none. */
  locks?: TokenLocks | null | undefined
  /** Milliseconds that a sign-in, a refresh or a sign-out waits for a reply; default 10,000. */
  timeout?: number | undefined
  /** Waits before a busy server is asked again; default by `setTimeout`. */
  wait?: ((milliseconds: number) => Promise<unknown>) | undefined
}

export interface TokenClient {
  /**
   * As the global one, with the access token, which is refreshed when it has expired. A request that brings its own
   * `Authorization`, or goes to another origin, is passed on as it is. Its `signal` ends every wait.
   *
   * @throws an AuthorizationError when the user has to sign in again, or the server would not refresh; what `fetch` rejects
   * with, when the reply to a refresh was lost: the tokens are kept, and the next request tries again
   */
  fetch: typeof globalThis.fetch
  /**
   * Sends the credentials, as JSON, and keeps the tokens.
   *
   * @throws an AuthorizationError, of status 401 when they are refused; what `fetch` rejects with
   */
  signIn (credentials: object): Promise<void>
  /**
   * Forgets the tokens, then has the server end the session, if it has sessions.
   *
   * @throws an AuthorizationError or what `fetch` rejects with, when the session may live on; the tokens are forgotten all the same
   */
  signOut (): Promise<void>
}
