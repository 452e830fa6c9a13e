// The `routes` option → the same, with the type of `login`'s first argument taken from `body`.
import type { DualTokenRoutes } from './types.ts'

/**
 * Types `login` by its `body` schema; `register` alone cannot infer it.
 *
 * @example
 * ```ts
 * const routes = defineRoutes({
 *   body: Type.Object({ username: Type.String(), password: Type.String() }),
 *   login: async ({ username, password }) => users.check(username, password)
 * })
 * ```
 */
export function defineRoutes<const Body> (routes: DualTokenRoutes<Body>): DualTokenRoutes<Body> {
  return routes
}
