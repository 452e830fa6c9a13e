// The global scope → what the tabs of a browser share: locks, and a channel on which they hear of each other.
import type { TokenChannel, TokenLocks } from './types.ts'

/** `isSecureContext` is what browsers alone define, in pages and workers. Node.js and Deno have locks and channels, too. */
interface Scope {
  readonly isSecureContext?: boolean
  readonly navigator?: { readonly locks?: TokenLocks }
  readonly BroadcastChannel?: unknown
}

type Channels = new (name: string) => TokenChannel

/** Browsers offer locks where the context is secure. With those of Node.js and Deno, all clients of a process would wait for each other. */
export function locksOfBrowser (): TokenLocks | undefined {
  const scope = globalThis as Scope
  return scope.isSecureContext ? scope.navigator?.locks : undefined
}

/** Pages loaded by http have channels, too. With those of Node.js, the clients of all users of a process would hear of each other. */
export function channelOfBrowser (name: string): TokenChannel | undefined {
  const { isSecureContext, BroadcastChannel } = globalThis as Scope
  return isSecureContext === undefined || !BroadcastChannel ? undefined : new (BroadcastChannel as Channels)(name)
}
