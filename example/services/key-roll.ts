// A request of an administrator → the next step from the current key to a new one: publish it, sign with it, retire the old one.
import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { Type, type Static } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import type { AsymmetricKey } from '../../lib/index.ts'
import { REFRESH_DAYS } from './agreed.ts'

interface KeyRollOptions {
  /** The key that signs at first. */
  readonly key: AsymmetricKey
  /** Seconds that a copy of the key set may be kept. */
  readonly keySetMaxAge: number
}

const StepSchema = Type.Object({ step: Type.Union([Type.Literal('publish'), Type.Literal('sign'), Type.Literal('retire')]) })

const NEXT = { publish: 'sign', sign: 'retire', retire: 'publish' } as const

/** Made anew by each process: a service of several processes, or one that restarts, reads its keys from a secrets manager. */
export function createKey (): AsymmetricKey {
  return { kid: randomUUID(), algorithm: 'EdDSA', privateKey: generateKeyPairSync('ed25519').privateKey }
}

/** Adds `POST /key-roll`. The steps come in their order; the reply says how long to wait before the next one. */
export async function keyRoll (fastify: FastifyInstance, { key, keySetMaxAge }: KeyRollOptions): Promise<void> {
  const { guard, setKeys } = fastify.dualToken
  /** Seconds: docs/keys.md says why. The minute is for clocks that differ, and for slow reads of the key set. */
  const waits = { publish: keySetMaxAge + 60, sign: REFRESH_DAYS * 86_400 + 60, retire: 0 }
  let ring = [key]
  let next: Static<typeof StepSchema>['step'] = 'publish'

  fastify.post<{ Body: Static<typeof StepSchema> }>('/key-roll', {
    schema: { body: StepSchema },
    onRequest: guard({ scope: 'keys:roll', maxAge: '10m' })
  }, async (request, reply) => {
    const { step } = request.body
    if (step !== next) return await reply.code(409).send({ statusCode: 409, error: 'Conflict', message: `The next step is ${next}.` })
    if (step === 'publish') ring = [...ring, createKey()]
    if (step === 'sign') ring = ring.toReversed()
    if (step === 'retire') ring = ring.slice(0, 1)
    setKeys(ring)
    next = NEXT[step]
    request.log.info({ step, kids: ring.map(({ kid }) => kid) }, 'The keys have changed')
    return { step, kids: ring.map(({ kid }) => kid), next, wait: waits[step] }
  })
}
