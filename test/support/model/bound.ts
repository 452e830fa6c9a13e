// A session bound to a key: an owner whose device holds several copies, stores that lose and restore, and thieves with and without the key.
import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import type { SessionRecord } from '../../../lib/sessions/store.ts'
import type { PairReply } from '../../../lib/tokens/types.ts'
import { createClientKey, proofBy, type ClientKey } from '../proofs.ts'
import { ms, PAUSE, step, type Game, type Step } from './game.ts'
import { divergence } from './live.ts'
import { createFallibleWorld, generationIn, refresh, sessionIn, signIn, use, type FallibleWorld, type Prove } from './world.ts'

/** What a part of the owner's device does at a step. */
interface Deed extends Step {
  /** Takes the token from the keychain first, or goes on with its own frozen copy. */
  readonly reads: boolean
  /** Writes what it gets to the keychain, or fails to: the keychain is locked. */
  readonly writes: boolean
  /** First the keychain is restored from a backup: it holds the token of so many writes ago. */
  readonly restored: number | null
}

interface StoreDeed {
  readonly wait: number
  readonly does: 'loses its last write' | 'is restored from a backup' | 'makes a backup'
}

interface ThiefDeed extends Step {
  readonly proof: 'none' | 'own key' | 'claims the key' | 'replay'
}

interface Draw {
  /** Of the app, and of an extension that has its own memory. */
  readonly parts: ReadonlyArray<readonly Deed[]>
  readonly store: readonly StoreDeed[]
  readonly stranger: readonly ThiefDeed[]
  /** Runs in the owner's page: it can use the key. */
  readonly script: readonly Step[]
  readonly copiesAfter: number
  /** How wrong the owner's clock is, in seconds. */
  readonly skew: number
  readonly pace: readonly number[]
}

const WAIT = fc.oneof({ weight: 3, arbitrary: PAUSE }, ms(3600, 30 * 3600))
const DEED = fc.tuple(step({ wait: WAIT }), fc.boolean(), fc.boolean(), fc.option(fc.nat(5), { freq: 4 }))
  .map(([step, reads, writes, restored]): Deed => ({ ...step, reads, writes, restored }))

const draws: fc.Arbitrary<Draw> = fc.record({
  parts: fc.array(fc.array(DEED, { minLength: 2, maxLength: 7 }), { minLength: 2, maxLength: 2 }),
  store: fc.array(fc.record<StoreDeed>({
    wait: WAIT, does: fc.constantFrom('loses its last write', 'is restored from a backup', 'makes a backup')
  }), { maxLength: 5 }),
  stranger: fc.array(fc.tuple(step({ wait: WAIT }), fc.constantFrom<ThiefDeed['proof']>('none', 'own key', 'claims the key', 'replay'))
    .map(([step, proof]): ThiefDeed => ({ ...step, proof })), { minLength: 1, maxLength: 6 }),
  script: fc.array(step({ wait: WAIT }), { maxLength: 3 }),
  copiesAfter: fc.oneof(ms(0, 20), ms(0, 7200)),
  skew: fc.constantFrom(0, 0, -299, 86_400, -1e9),
  pace: fc.array(ms(0, 0.9), { maxLength: 5 })
})

const owner = createClientKey()
const stranger = createClientKey()

const PROMPT = { process: 0, request: 0, load: 0, reply: 0, lost: null }

async function play (world: FallibleWorld, draw: Draw, bound: boolean): Promise<string | null> {
  const { time, store, fallible } = world
  store.pace = draw.pace
  /** The owner's last proof that each process has seen. */
  const seen: string[] = []

  function proverOf (key: ClientKey, skew: number, process = 0): Prove {
    return (method, nonce) => {
      const iat = Math.floor(time.now() / 1000) + skew
      const proof = proofBy(key, { claims: { htm: method, iat, jti: randomUUID(), ...(nonce !== undefined && { nonce }) } })
      if (key === owner) seen[process] = proof
      return proof
    }
  }

  const first = await signIn(world, bound ? proverOf(owner, draw.skew) : undefined)
  const sid = sessionIn(first.token)
  const keychain: PairReply[] = [first]
  const backups: SessionRecord[] = [fallible.peek(sid)!]
  let flaw: string | null = null

  function mustGoOn (): void {
    const record = fallible.peek(sid)
    if (record === null) flaw ??= 'the owner was refused: the session is ended'
    else if (bound) flaw ??= divergence(record, store.turnsOf(sid), time.now())
  }

  async function act (step: Step, held: PairReply): Promise<PairReply | null> {
    const answer = await refresh(world, step, held.refresh_token, bound ? proverOf(owner, draw.skew, step.process) : undefined)
    if (typeof answer === 'string') flaw ??= `the owner was refused: ${answer}`
    mustGoOn()
    if (answer === null || typeof answer === 'string') return null
    if (step.use !== null) useLater(step, answer.token)
    return answer
  }

  async function useLater ({ use: delay, process }: Step, token: string): Promise<void> {
    await time.sleep(delay!)
    const refusal = use(world, process, token)
    if (refusal !== null) flaw ??= `the owner was refused: ${refusal}`
  }

  async function live (deeds: readonly Deed[]): Promise<PairReply> {
    let memory = first
    for (const deed of deeds) {
      await time.sleep(deed.wait)
      if (flaw !== null) return memory
      if (deed.restored !== null) keychain.length = Math.max(1, keychain.length - deed.restored)
      if (deed.reads) memory = keychain.at(-1)!
      const answer = await act(deed, memory)
      if (answer === null) continue
      memory = answer
      if (deed.writes) keychain.push(answer)
    }
    return memory
  }

  async function steal (): Promise<void> {
    await time.sleep(draw.copiesAfter)
    let stolen = keychain.at(-1)!
    for (const deed of draw.stranger) {
      await time.sleep(deed.wait)
      if (flaw !== null) return
      const own = proverOf(stranger, 0)
      const proofs: Record<ThiefDeed['proof'], Prove | undefined> = {
        none: undefined,
        'own key': own,
        'claims the key': () => proofBy({ ...stranger, jwk: owner.jwk }, { claims: { iat: Math.floor(time.now() / 1000) } }),
        replay: () => seen[deed.process] ?? 'none yet'
      }
      const answer = await refresh(world, deed, stolen.refresh_token, proofs[deed.proof])
      if (answer !== null && typeof answer !== 'string') flaw ??= 'a thief without the key was served'
      mustGoOn()
      stolen = keychain.at(-1)!
    }
  }

  /** What it gets is the owner's session; it must neither end it nor split it. */
  async function runScript (): Promise<void> {
    let memory = first
    for (const step of draw.script) {
      await time.sleep(step.wait)
      if (flaw !== null) return
      memory = await act(step, memory) ?? memory
    }
  }

  async function failAsStores (): Promise<void> {
    for (const { wait, does } of draw.store) {
      await time.sleep(wait)
      const record = fallible.peek(sid)
      if (flaw !== null || record === null) return
      if (does === 'makes a backup') backups.push(record)
      else if (does === 'loses its last write') fallible.loseLastWrite(sid)
      else fallible.restore(backups.at(-1)!)
    }
  }

  const [app, extension] = await Promise.all([...draw.parts.map(live), steal(), runScript(), failAsStores()])
  if (flaw !== null) return flaw

  // In the end every copy is presented, twice: all lead to one token.
  store.pace = []
  const copies = [...keychain, app as PairReply, extension as PairReply]
  await time.sleep(60_000)
  for (const copy of copies) await act({ ...PROMPT, wait: 0, use: null }, copy)
  const ends = new Set<number>()
  for (const copy of copies) {
    const answer = await act({ ...PROMPT, wait: 0, use: 0 }, copy)
    ends.add(answer === null ? -1 : generationIn(answer.refresh_token))
  }
  if (ends.has(-1)) flaw ??= 'the owner was refused: no answer in the end'
  if (ends.size !== 1) flaw ??= `the copies lead apart: ${[...ends].join(', ')}`
  return flaw
}

export const boundOwner: Game<Draw, FallibleWorld> = { open: () => createFallibleWorld(), draws, play: async (world, draw) => await play(world, draw, true) }

/** The same without a key: the attack with the defence switched off. */
export const unboundOwner: Game<Draw, FallibleWorld> = { open: () => createFallibleWorld(), draws, play: async (world, draw) => await play(world, draw, false) }
