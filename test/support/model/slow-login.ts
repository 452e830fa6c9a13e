// A sign-in that checks the password while the user is revoked: it must not leave a session behind.
import fc from 'fast-check'
import { ms, type Game } from './game.ts'
import { createWorld, nextUser, use } from './world.ts'
import type { PairReply } from '../../../lib/tokens/types.ts'

interface Draw {
  /** How long each sign-in checks the password, and when it begins. */
  readonly logins: ReadonlyArray<{ readonly begins: number, readonly check: number, readonly process: number }>
  readonly revokedAt: number
  readonly process: number
}

export const slowLogin: Game<Draw> = {
  // An injected request takes some turns from hook to hook.
  open: createStore => createWorld(createStore, 20),

  draws: fc.record({
    logins: fc.array(fc.record({ begins: ms(0, 30), check: ms(0, 30), process: fc.nat(1) }), { minLength: 1, maxLength: 4 }),
    revokedAt: ms(1, 50),
    process: fc.nat(1)
  }),

  async play (world, { logins, revokedAt, process }) {
    const { time, processes } = world
    const user = nextUser()
    let flaw: string | null = null

    async function login ({ begins, check, process }: Draw['logins'][number]): Promise<void> {
      if (begins === revokedAt || begins + check === revokedAt) return
      await time.sleep(begins)
      const reply = await processes[process]!.inject({
        method: 'POST', url: '/authorizations', payload: { user_id: user, check }
      })
      const refused = reply.statusCode === 401
      const during = begins < revokedAt && revokedAt < begins + check
      if (during && !refused) flaw ??= 'a sign-in that began before its user was revoked left a session'
      if (begins > revokedAt && refused) flaw ??= 'a sign-in that began after its user was revoked was refused'
      if (begins + check < revokedAt && refused) flaw ??= 'a sign-in was refused though nobody was revoked'
      if (begins + check > revokedAt) return
      await time.sleep(60_000)
      for (const each of [0, 1]) {
        const refusal = use(world, each, reply.json<PairReply>().token)
        if (refusal !== 'ACCESS_REVOKED') flaw ??= 'a session outlived the revocation of its user'
      }
    }

    async function revoke (): Promise<void> {
      await time.sleep(revokedAt)
      await processes[process]!.dualToken.revokeUser(user)
    }

    await Promise.all([...logins.map(login), revoke()])
    return flaw
  }
}
