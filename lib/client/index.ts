// The front door of `fastify-dual-token/client`, for browsers and Node.js: every public name, no logic.
export { createCookieClient } from './cookie-client.ts'
export { AuthorizationError } from './error.ts'
export { createTokenClient } from './token-client.ts'
export type * from './types.ts'
