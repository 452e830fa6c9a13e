// Steps that would be in each other's way → the same steps, one behind the other.

/** Takes a step when the one before it with the same key is done, however that ended. */
export type InTurn = <T>(key: string, step: () => Promise<T>) => Promise<T>

export function createInTurn (): InTurn {
  const last = new Map<string, Promise<unknown>>()

  return async function inTurn (key, step) {
    const before = last.get(key)
    const mine = before === undefined ? step() : before.then(step, step)
    last.set(key, mine)
    try {
      return await mine
    } finally {
      if (last.get(key) === mine) last.delete(key)
    }
  }
}
