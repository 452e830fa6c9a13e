// A position in the feed ⇄ the text of a cursor.

/** A late commit or a clock step can give a revocation a time before the moment at which it becomes visible. */
const OVERLAP = 60_000

export interface FeedPosition {
  /** The lowest score to read: a moment of the server's clock, in milliseconds. */
  readonly lowest: string
  /** How many ids of that score to skip, because they were read before. */
  readonly skip: number
  /** The server's clock at the first page of this read; undefined before it. */
  readonly startedAt: string | undefined
}

/** A cursor is the start of the previous read or, between the pages of one read, `lowest:skip:startedAt`; null reads from the beginning. */
export function positionOf (cursor: string | null): FeedPosition {
  if (cursor === null) return { lowest: '-inf', skip: 0, startedAt: undefined }
  const [lowest, skip, startedAt] = cursor.split(':') as [string, string?, string?]
  if (skip === undefined) return { lowest: String(Number(lowest) - OVERLAP), skip: 0, startedAt: undefined }
  return { lowest, skip: Number(skip), startedAt }
}

/** The cursor after a full page: the score of its last id, and how many ids of that score were read. Many ids may share a score. */
export function cursorWithin (score: string, passed: number, startedAt: string): string {
  return `${score}:${passed}:${startedAt}`
}
