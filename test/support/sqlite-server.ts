// A process of its own with an SQLite store: makes the calls that it is sent, all at once, or writes until it is killed.
import { sqliteStore, type SessionRecord, type SessionStore } from '../../lib/index.ts'
import { openDatabase } from './sqlite.ts'
import { rotationOf } from './sqlite-process.ts'

const STEP = 2 * 3_600_000

const database = openDatabase(process.env.SQLITE_FILE!)
const store = sqliteStore(database) as Required<SessionStore>
await store.open()

async function make ([method, ...values]: [string, ...unknown[]]): Promise<unknown> {
  const call = store[method as keyof SessionStore] as (...values: unknown[]) => Promise<unknown>
  return await call.apply(store, values).catch(error => `${error.code ?? ''} ${error.message}`)
}

/** Rotates some sessions in turn and ends others, and tells of each when it is done. */
async function stream (rotating: Array<[SessionRecord, number]>, ending: SessionRecord[], from: number): Promise<void> {
  let now = from
  for (const { id } of ending) {
    for (const entry of rotating) {
      now += STEP
      const rotation = await store.rotate(rotationOf(entry[0], entry[1], now))
      entry[1] = Object(rotation).generation
      process.send!({ rotated: entry[0].id, generation: entry[1], now })
    }
    await store.revoke({ sessionId: id, mustExist: true, now, revocationTtl: 2 * STEP })
    process.send!({ revoked: id })
  }
}

process.on('message', async (message: { calls: Array<[string, ...unknown[]]> } | { stream: Parameters<typeof stream> } | 'lock' | 'unlock') => {
  if (message === 'lock' || message === 'unlock') {
    database.exec(message === 'lock' ? 'BEGIN IMMEDIATE' : 'ROLLBACK')
    process.send!(message)
  } else if ('calls' in message) process.send!(await Promise.all(message.calls.map(make)))
  else await stream(...message.stream)
})
process.on('disconnect', () => process.exit())
process.send!('ready')
