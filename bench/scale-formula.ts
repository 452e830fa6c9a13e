// A number of sessions, processes and seconds → what they ask of each process and of the store, by formula.

/** How much longer than an access token lives its revocation is remembered, in seconds. */
export const SKEW = 60
/** What one read of the feed takes, in seconds; the next one begins `pollInterval` after its end. */
export const READ_TIME = 0.005
/** Bytes of one remembered revocation: on the heap of a process, and in Redis. */
export const HEAP = 70
export const REDIS_FEED = 118
/** Bytes of one session in each store, with its indexes: docs/stores.md. */
export const SESSION = { Redis: 583, Postgres: 591, SQLite: 398 }

/** How a store tells of revocations. */
export interface Wire {
  /** Seconds before its cursor from which each poll reads. */
  readonly overlap: number
  readonly shards: number
  /** Bytes of a poll of one shard that has nothing to tell, both ways. */
  readonly poll: number
  /** Bytes of one id in a poll. */
  readonly id: number
  /** Bytes of one pushed revocation; 0: nothing is pushed. */
  readonly push: number
}

/** With the names and the protocols as they are by default. */
export const WIRES = {
  Redis: { overlap: 60, shards: 1, poll: 363, id: 29, push: 71 },
  Postgres: { overlap: 60, shards: 1, poll: 1091, id: 23, push: 58 },
  /** It is in the process: nothing is sent, and nothing is read twice. */
  SQLite: { overlap: 0, shards: 1, poll: 0, id: 0, push: 0 }
} as const satisfies Readonly<Record<string, Wire>>

export interface Scale {
  /** Sessions in use: each has an access token, and renews it when it has expired. */
  readonly sessions: number
  readonly nodes: number
  /** Seconds, as the others. */
  readonly accessLifetime: number
  /** How many requests are made with one access token; each reaches any process. 1 is as good as sticky routing. */
  readonly requests: number
  /** After how long a session is signed out, on average. */
  readonly signedOutAfter: number
  readonly pollInterval: number
  readonly wire: Wire
}

export interface Figures {
  /** Per second, in all. */
  readonly refreshes: number
  readonly confirmations: number
  readonly revocations: number
  /** Reads of the feed at the store per second, each of all shards. */
  readonly polls: number
  /** Per process and second: what polls bring, and with them and pushes the bytes. */
  readonly ids: number
  readonly bytes: number
  /** Revocations in the map of a process, and in the store. */
  readonly remembered: number
  readonly kept: number
}

export function predict ({ sessions, nodes, accessLifetime, requests, signedOutAfter, pollInterval, wire }: Scale): Figures {
  const refreshes = sessions / accessLifetime
  const revocations = sessions / signedOutAfter
  const period = pollInterval + READ_TIME
  const ids = revocations * (1 + wire.overlap / period)
  return {
    refreshes,
    // How many processes a token meets.
    confirmations: refreshes * nodes * (1 - (1 - 1 / nodes) ** requests),
    revocations,
    polls: nodes / period,
    ids,
    bytes: wire.shards * wire.poll / period + ids * wire.id + revocations * wire.push,
    // It is remembered anew at each read that repeats it, and swept by the poll after its time.
    remembered: revocations * (accessLifetime + SKEW + wire.overlap + period),
    kept: revocations * (accessLifetime + SKEW)
  }
}
