// Where the reading of the feed in Redis stands ⇄ the text of a cursor.

/** A late commit, or a clock that steps, can put a revocation before the moment at which it becomes visible. */
const OVERLAP = 60_000

export interface FeedPosition {
  /** The lowest score to read: a moment of the server's clock, in milliseconds. */
  readonly lowest: string
  /** How many ids of that score to pass over: they were read before. */
  readonly skip: number
  /** The server's clock at the first page of this read; undefined before it. */
  readonly startedAt: string | undefined
}

/** A cursor is where the read before began or, between the pages of one, `lowest:skip:startedAt`; null: from the beginning. */
export function positionOf (cursor: string | null): FeedPosition {
  if (cursor === null) return { lowest: '-inf', skip: 0, startedAt: undefined }
  const [lowest, skip, startedAt] = cursor.split(':') as [string, string?, string?]
  if (skip === undefined) return { lowest: String(Number(lowest) - OVERLAP), skip: 0, startedAt: undefined }
  return { lowest, skip: Number(skip), startedAt }
}

/** The cursor after a full page, whose last id has that score. Many ids can share a score, more than a page holds: so many of them were read. */
export function cursorWithin (score: string, passed: number, startedAt: string): string {
  return `${score}:${passed}:${startedAt}`
}
