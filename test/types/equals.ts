/** True when A and B are one type, `any` and modifiers included. */
export type Equals<A, B> =
  (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false

/** Compiles only for `true`. */
export function assert<Fact extends true> (..._facts: Fact[]): void {}
