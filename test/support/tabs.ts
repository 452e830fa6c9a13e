// What the tabs of a browser share, in one process: a jar of cookies, locks, channels between them, and a database of keys.
import type { Databases } from '../../lib/client/key-storage.ts'
import type { ProofKeys, TokenChannel, TokenLocks } from '../../lib/client/index.ts'

export interface Jar {
  readonly cookies: Map<string, string>
  /** `Sec-Fetch-Site` of what it sends. */
  site: string
  /** Sends and keeps cookies as a browser does for a page of the API's own origin; only with `credentials: 'include'`. */
  readonly fetch: typeof fetch
  /** The claims of a token in it. */
  claimsOf (kind: 'access' | 'refresh'): Record<string, unknown> | null
}

export function createJar (): Jar {
  const cookies = new Map<string, string>()
  const jar: Jar = {
    cookies,
    site: 'same-origin',
    async fetch (input, init) {
      const request = new Request(input, init)
      const isIncluded = request.credentials === 'include'
      request.headers.set('sec-fetch-site', jar.site)
      if (isIncluded && cookies.size > 0) request.headers.set('cookie', [...cookies].map(pair => pair.join('=')).join('; '))
      const reply = await fetch(request)
      if (isIncluded) for (const line of reply.headers.getSetCookie()) keep(line)
      return reply
    },
    claimsOf (kind) {
      const token = cookies.get(`__Host-Http-${kind}_token`)
      return token === undefined ? null : JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as Record<string, unknown>
    }
  }

  function keep (line: string): void {
    const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!
    if (/; Max-Age=0;/.test(line)) cookies.delete(name!)
    else cookies.set(name!, value!)
  }

  return jar
}

/** The locks of `navigator.locks`. */
export interface SharedLocks extends TokenLocks {
  readonly names: Set<string>
  /** Resolves when somebody waits for a lock. */
  readonly queued: Promise<void>
}

export function createLocks (): SharedLocks {
  const names = new Set<string>()
  const last = new Map<string, Promise<unknown>>()
  const held = new Map<string, number>()
  let tell!: () => void
  const queued = new Promise<void>(resolve => { tell = resolve })
  return {
    names,
    queued,
    request (name, callback) {
      const count = held.get(name) ?? 0
      if (count > 0) tell()
      names.add(name)
      held.set(name, count + 1)
      const turn = Promise.resolve(last.get(name)).then(callback)
      last.set(name, turn.catch(() => {}).then(() => held.set(name, held.get(name)! - 1)))
      return turn
    }
  }
}

/** One channel a tab: what one posts, the others hear later, in order. */
export function createChannels (): { open: () => TokenChannel, posted: string[] } {
  type Listener = Parameters<TokenChannel['addEventListener']>[1]
  const tabs: Listener[][] = []
  const posted: string[] = []
  return {
    posted,
    open () {
      const own: Listener[] = []
      tabs.push(own)
      return {
        postMessage (message) {
          posted.push(message)
          const others = tabs.filter(listeners => listeners !== own).flat()
          setImmediate(() => { for (const listener of others) listener({ data: message }) })
        },
        addEventListener: (_type, listener) => own.push(listener)
      }
    }
  }
}

/** As much of IndexedDB as the client uses. Each request is answered later; with `broken`, by an error. */
export interface KeyDatabase extends Databases {
  readonly keys: Map<string, ProofKeys>
  /** How many connections are open. */
  readonly connections: number
  broken: boolean
}

export function createKeyDatabase (): KeyDatabase {
  const keys = new Map<string, ProofKeys>()
  const stores = new Set<string>()
  let connections = 0

  function answer<T> (result: T, before = (_request: { onupgradeneeded: unknown }) => {}): ReturnType<Databases['open']> & { readonly result: T } {
    const request = { result, error: new Error('broken'), onsuccess: null, onerror: null, onupgradeneeded: null }
    setImmediate(() => {
      if (!database.broken) before(request)
      ;(database.broken ? request.onerror : request.onsuccess as unknown as () => void)!()
    })
    return request as never
  }

  const connection = {
    createObjectStore: (name: string) => stores.add(name),
    transaction (name: string) {
      if (!stores.has(name)) throw new Error('NotFoundError')
      return { objectStore: () => ({ get: (key: string) => answer(keys.get(key)), put: (value: ProofKeys, key: string) => answer(keys.set(key, value)) }) }
    },
    close () { connections-- }
  }

  const database: KeyDatabase = {
    keys,
    broken: false,
    get connections () { return connections },
    open: () => answer(connection, ({ onupgradeneeded }) => {
      connections++
      if (stores.size === 0) (onupgradeneeded as () => void)()
    })
  }
  return database
}
