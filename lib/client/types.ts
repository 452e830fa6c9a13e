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

/** The part of `navigator.locks` that the clients use: one callback at a time for each name. */
export interface TokenLocks {
  request<T> (name: string, callback: () => Promise<T>): Promise<T>
}

/** The part of a `BroadcastChannel` that the cookie client uses. No token is ever sent on it. */
export interface TokenChannel {
  postMessage (message: string): void
  addEventListener (type: 'message', listener: (event: { readonly data: unknown }) => void): void
}

/** The members of an `AuthorizationError`. */
export interface AuthorizationFailure extends Error {
  readonly status: number
  /** The server's code, such as `FST_DUAL_TOKEN_LOGIN_REFUSED`; empty if the reply has none. */
  readonly code: string
  /** Whether the tokens are no longer valid, so that the user has to sign in again. */
  readonly signInRequired: boolean
}

/** Credentials, or whether the user has already given them again. */
export type Proof = object | boolean | null | undefined

/** A `CryptoKey`. */
export type ProofKey = Parameters<typeof globalThis.crypto.subtle.sign>[1]

/** A `CryptoKeyPair` for ES256, whose private key need not be extractable. */
export interface ProofKeys {
  readonly privateKey: ProofKey
  readonly publicKey: ProofKey
}

/** Keeps the key of a device, in one place for all clients that share a sign-in. */
export interface ProofKeyStorage {
  get (): Promise<ProofKeys | null | undefined>
  set (keys: ProofKeys): Promise<unknown>
}

/** The options of both clients. */
export interface ClientOptions {
  /** The URL of the API. The client resolves relative URLs against it, and sends tokens only to its origin. */
  baseUrl: string | URL
  /** The path of the ready routes; default `/authorizations`. */
  path?: string | undefined
  /** Called when the server has refused the refresh token, or the session has ended. */
  onSignInRequired?: ((error: AuthorizationFailure) => void) | undefined
  /**
   * Called once for all requests that a guard has refused with `ACCESS_NOT_FRESH`. Credentials: the client reauthenticates with them, and sends the
   * requests once more. True: the application has done so itself. Anything else: the 401 is the reply.
   *
   * @param maxAge how many seconds ago the user may have proved who they are; undefined where the page cannot read the challenge
   */
  onReauthenticationRequired?: ((maxAge: number | undefined) => Proof | Promise<Proof>) | undefined
  /**
   * Binds each sign-in to a key of this device (proof of possession), so that nobody else can use its refresh token. True: the key is kept in IndexedDB, which
   * all tabs share, or in memory where there is none, as in Node.js. Or the storage of the key. Default false.
   */
  dpop?: boolean | ProofKeyStorage | undefined
  /** Default `globalThis.fetch`. */
  fetch?: typeof globalThis.fetch | undefined
  /** Lets one tab at a time change the tokens; default `navigator.locks` in browsers, none elsewhere; `null` for none. */
  locks?: TokenLocks | null | undefined
  /** Milliseconds that a sign-in, a refresh or a sign-out waits for a reply; default 10,000. */
  timeout?: number | undefined
  /** Waits before a retry; default by `setTimeout`. */
  wait?: ((milliseconds: number) => Promise<unknown>) | undefined
}

export interface TokenClientOptions extends ClientOptions {
  storage: TokenStorage
}

export interface CookieClientOptions extends ClientOptions {
  /** The server's option `cookies.access`: whether the access token is in a cookie, too; default false. */
  access?: boolean | undefined
  /** The channel on which tabs hear of each other's sign-ins and sign-outs; default a `BroadcastChannel` in browsers, none elsewhere; `null` for none. */
  channel?: TokenChannel | null | undefined
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
   * Sends the credentials of the signed-in user once more, for routes that ask for a recent sign-in. The sign-in goes on.
   *
   * @throws an AuthorizationError, with status 401 when the server refuses the credentials, or they are another user's; the error of `fetch`
   */
  reauthenticate (credentials: object): Promise<void>
  /**
   * Drops the tokens, then asks the server to end the session, if it has sessions.
   *
   * @throws an AuthorizationError, or the error of `fetch`, when the session may still be live; the client has dropped the tokens anyway
   */
  signOut (): Promise<void>
}

export interface CookieClient {
  /**
   * Like the global `fetch`, but sends the cookies of the API, and the access token if the page has it. Refreshes expired tokens. A request with its
   * own `Authorization` header, or to another origin, stays unchanged. Its `signal` ends every wait.
   *
   * @throws an AuthorizationError when the user has to sign in again, when the server refused to refresh, or when it does not know the page's origin;
   * the error of `fetch` when the reply to a refresh was lost: the cookies stay, and the next request tries again
   */
  fetch: typeof globalThis.fetch
  /**
   * Sends the credentials as JSON; the browser keeps the cookies.
   *
   * @throws an AuthorizationError, with status 401 when the server refuses the credentials; the error of `fetch`
   */
  signIn (credentials: object): Promise<void>
  /**
   * Sends the credentials of the signed-in user once more, for routes that ask for a recent sign-in. The sign-in goes on.
   *
   * @throws an AuthorizationError, with status 401 when the server refuses the credentials, or they are another user's; the error of `fetch`
   */
  reauthenticate (credentials: object): Promise<void>
  /**
   * Asks the server to end the session and to delete the cookies, which no script can do.
   *
   * @throws an AuthorizationError, or the error of `fetch`: the user may still be signed in
   */
  signOut (): Promise<void>
  /**
   * Refreshes now: for a page that wants to know whether somebody is signed in, or after a sign-in that the client did not make.
   *
   * @returns whether somebody is signed in
   * @throws as `fetch` does
   */
  refresh (): Promise<boolean>
}
