// The global scope → where the key of a device is kept: in IndexedDB, or in memory where there is none.
import type { ProofKeys, ProofKeyStorage } from './types.ts'

/** The parts of IndexedDB that the client uses; Node.js has no types for it. */
interface DatabaseRequest<T> {
  readonly result: T
  readonly error: unknown
  onsuccess: unknown
  onerror: unknown
}

interface ObjectStore {
  get (name: string): DatabaseRequest<ProofKeys | undefined>
  put (keys: ProofKeys, name: string): DatabaseRequest<unknown>
}

interface Database {
  createObjectStore (name: string): unknown
  transaction (name: string, mode: 'readonly' | 'readwrite'): { objectStore (name: string): ObjectStore }
  close (): void
}

export interface Databases {
  open (name: string): DatabaseRequest<Database> & { onupgradeneeded: unknown }
}

/** @param name of the key, in a database that all pages of the origin share */
export function createKeyStorage (name: string): ProofKeyStorage {
  const { indexedDB } = globalThis as { readonly indexedDB?: Databases }
  return indexedDB ? inDatabase(indexedDB, name) : inMemory()
}

function inDatabase (databases: Databases, name: string): ProofKeyStorage {
  /** Opens the database each time, because a browser that clears the data of a site closes the connections. */
  async function use<T> (mode: 'readonly' | 'readwrite', act: (store: ObjectStore) => DatabaseRequest<T>): Promise<T> {
    const opening = databases.open('fastify-dual-token')
    opening.onupgradeneeded = () => opening.result.createObjectStore('keys')
    const database = await resultOf(opening)
    try {
      return await resultOf(act(database.transaction('keys', mode).objectStore('keys')))
    } finally {
      database.close()
    }
  }

  return {
    get: () => use('readonly', store => store.get(name)),
    set: keys => use('readwrite', store => store.put(keys, name))
  }
}

function resultOf<T> (request: DatabaseRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}

function inMemory (): ProofKeyStorage {
  let kept: ProofKeys | undefined
  return {
    get: async () => kept,
    set: async keys => { kept = keys }
  }
}
