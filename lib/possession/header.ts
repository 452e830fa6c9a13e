// The header of a proof → the key in it, ready to verify (RFC 9449 section 4.3); keys that have proved themselves are remembered.
import { LRUCache } from 'lru-cache'
import { parseSegment } from '../keys/segment.ts'
import { createVerifySignature, type VerifySignature } from '../keys/signature.ts'
import { copyOf } from '../tokens/split.ts'
import { readProofKey } from './key.ts'

export interface Prover {
  readonly thumbprint: string
  readonly verifySignature: VerifySignature
}

export interface Headers {
  /** Returns a string that says what is wrong with a bad header. Throws a SyntaxError when the segment is not JSON. */
  read (segment: string): Prover | string
  /** Remembers a key whose signature was good, so that nobody fills the memory with others. */
  remember (segment: string, prover: Prover): void
}

/** Header members that change how a signature is verified, or where a key is found (RFC 7515 section 4.1, RFC 7797). */
const FORBIDDEN = /^(?:crit|b64|jku|x5.*)$/s

/** A longer header is not remembered; a usual one has half as many characters. */
const MAX_LENGTH = 512

/** @param max how many keys are remembered, because on Node.js 20 reading a P-256 key costs as much as a signature */
export function createHeaders (max = 5000): Headers {
  const known = new LRUCache<string, Prover>({ max })

  return {
    read (segment) {
      const prover = known.get(segment)
      if (prover !== undefined) return prover
      const header = parseSegment(segment)
      if (header === null || header.typ !== 'dpop+jwt') return 'typ'
      if (Object.keys(header).some(name => FORBIDDEN.test(name))) return 'header'
      const key = readProofKey(header.alg, header.jwk)
      return key === null ? 'alg or jwk' : { thumbprint: key.thumbprint, verifySignature: createVerifySignature(key) }
    },

    remember (segment, prover) {
      if (segment.length <= MAX_LENGTH && !known.has(segment)) known.set(copyOf(segment), prover)
    }
  }
}
