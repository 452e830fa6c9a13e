// The front door: the plugin and every public name.
export { dualToken, dualToken as default } from './plugin.ts'
export { defineRoutes } from './define-routes.ts'
export type { DualTokenError, DualTokenErrorCode } from './errors.ts'
export type * from './types.ts'
