// Where the reading of the feed in Redis stands ⇄ the text of a cursor.

/** A late commit, or a clock that steps, can put a revocation before the moment at which it becomes visible. */
const OVERLAP = 60_000

export interface FeedPosition {
  /** The lowest score to read: a moment of the server's clock, in milliseconds. */
  readonly lowest: string
  /** How many ids of that score to pass over: they were read before. */
  readonly skip: number
  /** The server's clock at the first page of this read; undefined before it. */
  readonly began: string | undefined
}

/** A cursor is where the read before began or, between the pages of one, `lowest:skip:began`; null: from the beginning. */
export function positionOf (cursor: string | null): FeedPosition {
  if (cursor === null) return { lowest: '-inf', skip: 0, began: undefined }
  const [lowest, skip, began] = cursor.split(':') as [string, string?, string?]
  if (skip === undefined) return { lowest: String(Number(lowest) - OVERLAP), skip: 0, began: undefined }
  return { lowest, skip: Number(skip), began }
}

/** The cursor after a full page, whose last id has that score. Many ids can share a score, more than a page holds: so many of them were read. */
export function cursorWithin (score: string, passed: number, began: string): string {
  return `${score}:${passed}:${began}`
}
