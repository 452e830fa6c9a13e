import { test } from 'tap'
import { decideLimit, decideRotation, isDisplaced } from '../../lib/sessions/decide.ts'
import type { RotationAttempt, SessionRecord } from '../../lib/index.ts'

const GRACE = 10_000
const RECOVERY = 86_400_000
const REVOCATION_TTL = 7_260_000
/** The store's clock and the plugin's differ: no decision may take one for the other. */
const ROTATED_AT = 5_000_000
const NOW = 1_750_000_000_000
const EXPIRES_AT = NOW + 1_000_000

/** A session at generation 5 that was rotated from 3: a recovery displaced 4. */
const RECORD: SessionRecord = {
  id: 'session',
  userId: 7,
  generation: 5,
  parentGeneration: 3,
  confirmed: false,
  rotatedAt: ROTATED_AT,
  displacedAt: ROTATED_AT - 1000,
  issuedAt: NOW - 60_000,
  nonceHash: 'nonce hash',
  createdAt: NOW - 100_000,
  authenticatedAt: NOW - 70_000,
  expiresAt: EXPIRES_AT,
  lastUsedAt: NOW - 50_000,
  ip: '192.0.2.1',
  userAgent: 'old',
  label: null,
  lifetime: null,
  jkt: null
}

/** A session as sign-in made it. */
const NEW: SessionRecord = { ...RECORD, generation: 0, parentGeneration: -1, rotatedAt: 0, displacedAt: 0 }

const ATTEMPT: RotationAttempt = {
  sessionId: 'session',
  userId: 7,
  generation: 5,
  nonceHash: 'nonce hash',
  rotate: true,
  grace: GRACE,
  recovery: RECOVERY,
  sliding: null,
  clockTolerance: 0,
  jkt: null,
  ip: '198.51.100.2',
  userAgent: 'new',
  now: NOW,
  revocationTtl: REVOCATION_TTL
}

function decide (record: Partial<SessionRecord>, attempt: Partial<RotationAttempt>, sinceRotation: number) {
  return decideRotation({ ...RECORD, ...record }, { ...ATTEMPT, ...attempt }, ROTATED_AT + sinceRotation)
}

function denied (outcome: string, sinceRotation: number | null) {
  return { rotation: { outcome, sinceRotation }, write: outcome === 'reused' ? 'revoke' : null }
}

function repeated (sinceRotation: number) {
  const { generation, issuedAt, expiresAt, authenticatedAt } = RECORD
  return { rotation: { outcome: 'repeated', generation, issuedAt, expiresAt, authenticatedAt, sinceRotation }, write: null }
}

function written (generation: number, rotatedAt: number, moves: Partial<SessionRecord>) {
  return {
    generation, confirmed: false, rotatedAt, issuedAt: NOW, expiresAt: EXPIRES_AT, lastUsedAt: NOW, ip: '198.51.100.2', userAgent: 'new', ...moves
  }
}

function rotated (from: number, sinceRotation: number | null, clock = ROTATED_AT + (sinceRotation ?? 0)) {
  return {
    rotation: { outcome: 'rotated', generation: from + 1, issuedAt: NOW, expiresAt: EXPIRES_AT, authenticatedAt: NOW - 70_000, sinceRotation },
    write: written(from + 1, clock, { parentGeneration: from, displacedAt: clock })
  }
}

function recovered (sinceRotation: number) {
  return {
    rotation: { outcome: 'recovered', generation: 6, issuedAt: NOW, expiresAt: EXPIRES_AT, authenticatedAt: NOW - 70_000, sinceRotation },
    write: written(6, ROTATED_AT + sinceRotation, {})
  }
}

const EVERY_GENERATION = [0, 1, 2, 3, 4, 5, 6, 7, 2 ** 31]

test('a missing record is an unknown session', async t => {
  for (const generation of EVERY_GENERATION) {
    t.strictSame(decideRotation(null, { ...ATTEMPT, generation }, 0), denied('unknown', null))
    t.strictSame(decideRotation(null, { ...ATTEMPT, generation, rotate: false }, 0), denied('unknown', null))
  }
})

test("a session is expired from its end on, by the plugin's clock, whatever else is wrong", async t => {
  for (const generation of EVERY_GENERATION) {
    for (const more of [{}, { nonceHash: '' }, { userId: 8 }, { rotate: false }]) {
      for (const now of [EXPIRES_AT, EXPIRES_AT + 1, EXPIRES_AT + REVOCATION_TTL]) {
        t.strictSame(decide({}, { generation, now, ...more }, 0), denied('expired', 0))
      }
    }
  }
  t.strictSame(decide({}, { now: EXPIRES_AT - 1 }, 0), repeated(0))
})

test('a wrong nonce or the id of another user ends the session, whatever the generation', async t => {
  for (const generation of EVERY_GENERATION) {
    for (const rotate of [true, false]) {
      for (const more of [{ nonceHash: 'nonce hasH' }, { nonceHash: '' }, { userId: '7' }, { userId: 8 }, { userId: '' }]) {
        for (const since of [0, GRACE, GRACE + 1]) t.strictSame(decide({}, { generation, rotate, ...more }, since), denied('reused', since))
      }
    }
  }
})

test('the current generation is repeated within grace, and rotated after it, confirmed or not', async t => {
  for (const confirmed of [true, false]) {
    for (const since of [0, 1, GRACE - 1, GRACE]) t.strictSame(decide({ confirmed }, {}, since), repeated(since), `after ${since} ms`)
    for (const since of [GRACE + 1, RECOVERY, RECOVERY + 1]) t.strictSame(decide({ confirmed }, {}, since), rotated(5, since), `after ${since} ms`)
  }
})

test("the login's own token is rotated, never repeated", async t => {
  for (const clock of [0, 1, GRACE, GRACE + 1, ROTATED_AT]) {
    for (const grace of [0, GRACE, Number.MAX_SAFE_INTEGER]) {
      t.strictSame(decideRotation(NEW, { ...ATTEMPT, generation: 0, grace }, clock), rotated(0, null, clock))
    }
  }
})

test('a generation above the current one is adopted, grace or not', async t => {
  for (const since of [0, GRACE, GRACE + 1]) {
    for (const generation of [6, 7, 2 ** 31 - 1]) t.strictSame(decide({}, { generation }, since), rotated(generation, since))
  }
  t.strictSame(decideRotation(NEW, { ...ATTEMPT, generation: 4 }, 9), rotated(4, null, 9))
})

test('below the current generation, an attempt sent before it was made is late: nothing happens', async t => {
  const now = RECORD.issuedAt - 1
  for (const confirmed of [true, false]) {
    for (const since of [GRACE + 1, RECOVERY, RECOVERY + 1]) {
      for (const generation of [0, 1, 2, 3, 4]) t.strictSame(decide({ confirmed }, { generation, now }, since), denied('late', since))
    }
    for (const generation of [0, 1, 2, 4]) t.strictSame(decide({ confirmed }, { generation, now }, GRACE), denied('late', GRACE))
    t.strictSame(decide({ confirmed }, { generation: 3, now }, GRACE), repeated(GRACE))
    t.strictSame(decide({ confirmed }, { generation: 3, now, nonceHash: '' }, GRACE + 1), denied('reused', GRACE + 1))
  }
  t.strictSame(decide({ confirmed: true }, { generation: 3, now: RECORD.issuedAt }, GRACE + 1), denied('reused', GRACE + 1))
})

test('the parent is repeated within grace, confirmed or not', async t => {
  for (const confirmed of [true, false]) {
    for (const recovery of [0, RECOVERY]) {
      for (const since of [0, GRACE - 1, GRACE]) t.strictSame(decide({ confirmed }, { generation: 3, recovery }, since), repeated(since))
    }
  }
})

test('the parent is recovered after grace, within recovery of its own rotation, when its successor was not seen in use', async t => {
  for (const since of [GRACE + 1, RECOVERY - 1000 - 1, RECOVERY - 1000]) {
    t.strictSame(decide({}, { generation: 3 }, since), recovered(since), `after ${since} ms`)
  }
  for (const since of [RECOVERY - 1000 + 1, RECOVERY + 1]) t.strictSame(decide({}, { generation: 3 }, since), denied('reused', since), `after ${since} ms`)
})

test('the parent after grace ends the session when its successor was seen in use, or without recovery', async t => {
  for (const since of [GRACE + 1, RECOVERY]) {
    t.strictSame(decide({ confirmed: true }, { generation: 3 }, since), denied('reused', since))
    t.strictSame(decide({}, { generation: 3, recovery: 0 }, since), denied('reused', since))
  }
})

test('any other generation ends the session, grace or not: one below the parent, one that a recovery displaced', async t => {
  for (const generation of [0, 1, 2, 4]) {
    for (const confirmed of [true, false]) {
      for (const since of [0, GRACE, GRACE + 1]) t.strictSame(decide({ confirmed }, { generation }, since), denied('reused', since))
    }
  }
})

test('a clock that was set back by less than grace does not end it', async t => {
  t.strictSame(decide({}, {}, -5000), repeated(0))
  t.strictSame(decide({}, { generation: 3 }, -5000), repeated(0))
})

test('a clock that was set back by more than grace gives no displaced token its grace again', async t => {
  for (const back of [GRACE + 1, 3_600_000]) {
    t.match(decide({ confirmed: true }, { generation: 3 }, -back), denied('reused', 0))
    t.match(decide({}, {}, -back), { rotation: { outcome: 'rotated', generation: 6 } }, 'the current one is renewed')
    t.match(decide({}, { generation: 3 }, -back), { rotation: { outcome: 'recovered', generation: 6 } }, 'a lost reply is')
  }
  t.match(decide({}, { generation: 3 }, -RECOVERY - 1001), denied('reused', 0))
})

test('without rotation, the current generation always works, and only its client is written', async t => {
  const used = { lastUsedAt: NOW, ip: '198.51.100.2', userAgent: 'new' }
  for (const since of [0, GRACE, GRACE + 1, RECOVERY + 1]) {
    for (const generation of [5, 6]) t.strictSame(decide({}, { generation, rotate: false }, since), { ...repeated(since), write: used })
    for (const generation of [0, 3, 4]) t.strictSame(decide({}, { generation, rotate: false }, since), denied('reused', since))
  }
})

test('a sliding end moves with each step, and never beyond its absolute end', async t => {
  const cases: Array<[Partial<RotationAttempt>, number, number]> = [
    [{ generation: 5 }, GRACE + 1, NOW + 3_000_000],
    [{ generation: 3 }, GRACE + 1, NOW + 3_000_000],
    [{ generation: 9 }, 0, NOW + 3_000_000],
    [{ generation: 5, sliding: { lifetime: 3_000_000, maxLifetime: 3_100_000 } }, GRACE + 1, RECORD.createdAt + 3_100_000],
    [{ generation: 5, sliding: { lifetime: 3_000_000, maxLifetime: 3_099_999 } }, GRACE + 1, RECORD.createdAt + 3_099_999]
  ]
  for (const [attempt, since, expiresAt] of cases) {
    const decision = decide({}, { sliding: { lifetime: 3_000_000, maxLifetime: 4_000_000 }, ...attempt }, since)
    t.match(decision, { rotation: { expiresAt }, write: { expiresAt } })
  }
  t.strictSame(decide({}, { sliding: { lifetime: 3_000_000, maxLifetime: 4_000_000 } }, GRACE), repeated(GRACE))
})

const KEY = 'thumbprint'

test('a bound session is served to its key alone, and what is wrong ends nothing', async t => {
  for (const generation of EVERY_GENERATION) {
    for (const rotate of [true, false]) {
      for (const more of [{ jkt: null }, { jkt: 'another' }, { jkt: KEY, nonceHash: '' }, { jkt: KEY, userId: 8 }]) {
        t.strictSame(decide({ jkt: KEY }, { generation, rotate, ...more }, 0), denied('unproven', 0))
      }
    }
  }
})

test('with its key an older generation is repeated within grace, and recovered after it, confirmed or not, however late', async t => {
  for (const confirmed of [true, false]) {
    for (const generation of [0, 1, 2, 3, 4]) {
      t.strictSame(decide({ jkt: KEY, confirmed }, { jkt: KEY, generation }, GRACE).rotation, repeated(GRACE).rotation)
      t.strictSame(decide({ jkt: KEY, confirmed }, { jkt: KEY, generation, rotate: false }, GRACE).rotation, repeated(GRACE).rotation)
      t.strictSame(decide({ jkt: KEY, confirmed }, { jkt: KEY, generation }, 9 * RECOVERY), recovered(9 * RECOVERY))
      t.strictSame(decide({ jkt: KEY, confirmed }, { jkt: KEY, generation, now: RECORD.issuedAt - 1 }, GRACE + 1), denied('late', GRACE + 1))
    }
    t.strictSame(decide({ jkt: KEY, confirmed }, { jkt: KEY }, GRACE + 1), rotated(5, GRACE + 1))
  }
})

test('an access token is of a displaced generation between the parent and the current one, unless the session is bound', async t => {
  for (const seen of EVERY_GENERATION) {
    t.equal(isDisplaced(RECORD, seen), seen === 4)
    t.equal(isDisplaced({ ...RECORD, jkt: KEY }, seen), false)
  }
})

test('a sliding session is renewed by the shorter of its own lifetime and that of the option', async t => {
  const sliding = { lifetime: 1000, maxLifetime: 1_000_000 }
  for (const [lifetime, renewedBy] of [[null, 1000], [999, 999], [1001, 1000]] as const) {
    t.match(decide({ lifetime }, { sliding }, GRACE + 1), { rotation: { expiresAt: NOW + renewedBy } })
  }
})

test('a limit ends the least recently used sessions that live, or refuses', async t => {
  const sessions = [5, 1, 3].map((ago, i) => ({ ...RECORD, id: `${ago}`, lastUsedAt: NOW - ago, createdAt: NOW - i }))
  const all = [...sessions, { ...RECORD, id: 'expired', expiresAt: NOW }]
  const decideAt = (max: number, whenFull: 'end_oldest' | 'refuse') => decideLimit(all, { max, whenFull }, NOW)
  t.equal(decideAt(4, 'refuse'), null)
  t.equal(decideAt(4, 'end_oldest'), null)
  t.strictSame(decideAt(3, 'refuse'), { kept: false, ended: [] })
  t.strictSame(decideAt(3, 'end_oldest'), { kept: true, ended: ['5'] })
  t.strictSame(decideAt(1, 'end_oldest'), { kept: true, ended: ['5', '3', '1'] })
  const twins = [1, 2].map(age => ({ ...RECORD, id: `${age}`, createdAt: NOW - age }))
  t.strictSame(decideLimit(twins, { max: 2, whenFull: 'end_oldest' }, NOW), { kept: true, ended: ['2'] })
})
