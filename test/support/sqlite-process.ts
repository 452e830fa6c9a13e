// Processes of their own with an SQLite store → their answers to the calls that a test sends them.
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Test } from 'tap'
import type { RotationAttempt, SessionRecord, SessionStore } from '../../lib/index.ts'
import { forkFile } from './server-process.ts'

const HOUR = 3_600_000

type Method = Exclude<{ [Name in keyof SessionStore]-?: NonNullable<SessionStore[Name]> extends (...values: infer _) => unknown ? Name : never }[keyof SessionStore], 'subscribe'>

/** A call of a store: the method and what it is given. */
export type StoreCall = { [Name in Method]: [Name, ...Parameters<NonNullable<SessionStore[Name]>>] }[Method]

export interface SqliteProcess {
  readonly child: ChildProcess
  /** Makes calls at once; what each resolves to, or the message that it rejects with. */
  call<T> (...calls: StoreCall[]): Promise<T[]>
  /** Sends any message; the next answer. */
  ask (message: object | string): Promise<unknown>
}

/** Starts one; it ends with the test. */
export async function startSqliteProcess (t: Test, file: string): Promise<SqliteProcess> {
  const child = forkFile(t, new URL('sqlite-server.ts', import.meta.url).pathname, { SQLITE_FILE: file })
  await once(child, 'message')
  async function ask (message: object | string): Promise<unknown> {
    const answered = once(child, 'message')
    child.send(message)
    return (await answered)[0]
  }
  return { child, ask, call: async <T>(...calls: StoreCall[]) => await ask({ calls }) as T[] }
}

/** What a refresh with a generation's token asks, proved where the session is bound. A session is beyond the grace of an hour only when `now` has moved on. */
export function rotationOf ({ id, userId, nonceHash, jkt }: SessionRecord, generation: number, now: number): RotationAttempt {
  return {
    sessionId: id,
    userId,
    generation,
    nonceHash,
    rotate: true,
    grace: HOUR,
    recovery: 24 * HOUR,
    clockTolerance: 0,
    sliding: null,
    jkt,
    ip: null,
    userAgent: null,
    now,
    revocationTtl: 4 * HOUR
  }
}
