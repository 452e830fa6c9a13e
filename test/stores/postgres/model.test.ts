// The games of the model over Postgres, in PGlite, whose clock is virtual like all others.
import type { PGlite } from '@electric-sql/pglite'
import fc from 'fast-check'
import t from 'tap'
import { postgresStore, type PostgresClient, type SessionStore } from '../../../lib/index.ts'
import { bursts } from '../../support/model/bursts.ts'
import type { Game } from '../../support/model/game.ts'
import { logout } from '../../support/model/logout.ts'
import { slowLogin } from '../../support/model/slow-login.ts'
import { promptTabs } from '../../support/model/tabs.ts'
import { createTime, type Time } from '../../support/model/time.ts'
import { open } from '../../support/model/world.ts'
import { newPrefix, openPGlite } from '../../support/pglite.ts'

const SEED = Number(process.env.MODEL_SEED ?? 1)
/** Fewer than in memory, because each call takes a hundred times as long. */
const RUNS = Number(process.env.MODEL_RUNS ?? 8)
const TURNS = 20

const { db } = await openPGlite(t)
await db.exec(`CREATE FUNCTION public.model_now() RETURNS timestamptz LANGUAGE sql VOLATILE
  AS $$ SELECT to_timestamp(current_setting('model.now')::float8) $$`)

/** The server's clock is read from the time of the game. */
function onTime (db: PGlite, time: Time): PostgresClient {
  return {
    async query (text, values) {
      await db.query("SELECT set_config('model.now', $1, false)", [String(time.now() / 1000)])
      return await db.query(text.replaceAll(/(?:clock|statement)_timestamp\(\)/g, 'public.model_now()'), values)
    }
  }
}

/** PGlite has no second connection, and can listen on its only one. It goes on until the database is closed. */
function listenOn (channel: string): NonNullable<SessionStore['subscribe']> {
  return onRevoked => {
    db.listen(channel, ids => onRevoked(ids.split(' ')))
    return () => {}
  }
}

function rule<Draw> (name: string, { draws, play }: Omit<Game<Draw>, 'open'>): void {
  t.test(name, async t => {
    const time = createTime(TURNS)
    const tablePrefix = newPrefix()
    const store = postgresStore(onTime(db, time), { tablePrefix })
    await store.open!()
    const world = await open(time, { ...store, subscribe: listenOn(`"public.${tablePrefix}revoked"`) }, {})
    t.teardown(() => world.close())
    const property = fc.asyncProperty(draws, async draw => {
      const flaw = await time.run(() => play(world, draw))
      if (flaw !== null) throw new Error(flaw)
    })
    const details = await fc.check(property, { seed: SEED, numRuns: RUNS })
    t.notOk(details.failed, fc.defaultReportMessage(details) ?? 'in every game')
  })
}

rule('tabs on one jar stay signed in when no exchange is under way as grace runs out', bursts)
rule('tabs that ask only when the access token has run out stay signed in while a request and a reply take less than grace', promptTabs)
rule('a logout is final, amid refreshes too', logout)
rule('a sign-in that began before its user was revoked is refused', slowLogin)
