// The options of a store → a pass, or one sentence: they are no object, or one is not known.

/**
 * @param store the function that makes the store
 * @throws TypeError
 */
export function mustKnowOptions (options: unknown, store: string, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null) throw new TypeError(`The options of ${store} must be an object.`)
  const unknown = Object.keys(options).find(name => !known.includes(name))
  if (unknown !== undefined) throw new TypeError(`Option ${unknown} of ${store} is not known.`)
}
