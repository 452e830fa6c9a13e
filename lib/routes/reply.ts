// New tokens → a 201: cookies where they are asked for, and the body in the shape that the application gives it.
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { CookieJar } from '../access/cookie-jar.ts'
import type { ShapeReply } from '../options/types.ts'
import type { AccessReply, PairReply } from '../tokens/types.ts'

export interface Asked {
  readonly byCookie: boolean
  /** The expiry of the refresh token that stays as it is, in epoch seconds. */
  readonly signInEnds?: number | undefined
}

/** Writes the cookies first, so that the body never has what went into them. */
export type ReplyTokens = (request: FastifyRequest, reply: FastifyReply, tokens: AccessReply | PairReply, asked: Asked) => Promise<FastifyReply>

export function createReplyTokens (jar: CookieJar | null, shape: ShapeReply | undefined): ReplyTokens {
  return async function replyTokens (request, reply, tokens, { byCookie, signInEnds }) {
    const left = byCookie && jar !== null ? jar.set(reply, tokens, signInEnds) : tokens
    return reply.code(201).send(shape === undefined ? left : await shape(left, request))
  }
}
