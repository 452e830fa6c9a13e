// A step of the store → one transaction, in which nothing is awaited. When the database is busy, the step is tried again on a timer.
import { setTimeout as delay } from 'node:timers/promises'
import { isBusy, reasonOf } from './database.ts'
import type { Connection } from './connection.ts'

/** How long a call goes on trying while the database is busy. Milliseconds. */
const PATIENCE = 5000
/** Each process waits a time of its own, so that they do not meet again. Milliseconds. */
const PAUSE = { least: 2, spread: 20 }

export interface Steps {
  write<T> (work: (connection: Connection) => T): Promise<T>
  /** Several reads of the same moment. */
  read<T> (work: (connection: Connection) => T): Promise<T>
  /** Called in a `write` that ends a session: if the database is full, the write may use the reserved room. */
  mayUseReserve (): void
  close (): void
}

/** @param connect called at the first step, and again until it succeeds */
export function createSteps (connect: () => Connection): Steps {
  let connection: Connection | undefined
  let isClosed = false
  /** Set while the database is known to be busy: one call tries, and all others wait with it. */
  let pause: Promise<void> | undefined
  let ending = false

  function transact<T> (kind: 'beginWrite' | 'beginRead', work: (connection: Connection) => T): T {
    const open = connection!
    open[kind]()
    try {
      const result = work(open)
      open.commit()
      return result
    } catch (error) {
      try {
        open.rollback()
      } catch {
        // After some errors SQLite has rolled back by itself.
      }
      throw error
    }
  }

  function write<T> (work: (connection: Connection) => T): T {
    ending = false
    try {
      return transact('beginWrite', work)
    } catch (error) {
      if (!ending || reasonOf(error) !== 'full') throw error
      // When all of the log is in the file, SQLite writes the log from its start again, which needs no more of the disk.
      connection!.checkpoint()
      return transact('beginWrite', open => {
        open.reserve.take()
        return work(open)
      })
    }
  }

  async function patiently<T> (step: () => T): Promise<T> {
    const giveUpAt = performance.now() + PATIENCE
    let busy: unknown
    for (;;) {
      if (pause === undefined) {
        if (isClosed) throw new Error('the SQLite store is closed')
        try {
          connection ??= connect()
          return step()
        } catch (error) {
          if (!isBusy(error)) throw error
          busy = error
          pause = delay(PAUSE.least + Math.random() * PAUSE.spread).then(() => { pause = undefined })
        }
      }
      if (performance.now() >= giveUpAt) throw busy ?? new Error('the SQLite database is busy')
      await pause
    }
  }

  return {
    write: work => patiently(() => write(work)),
    read: work => patiently(() => transact('beginRead', work)),
    mayUseReserve () { ending = true },

    close () {
      isClosed = true
      connection?.close()
    }
  }
}
