// What do many sessions, processes and revocations ask of each process and of the store, and does the real code agree with the formula?
import { ok } from 'node:assert'
import { simulate } from './fleet.ts'
import { HEAP, predict, REDIS_FEED, SESSION, WIRES, type Figures, type Scale } from './scale-formula.ts'

const TOLERANCE = 0.1

/** What the figures of docs/scale.md are of. */
const USUAL = { accessLifetime: 7200, requests: 20, signedOutAfter: 14 * 86_400, pollInterval: 2, wire: WIRES.Redis }
const HUGE: Scale = { ...USUAL, sessions: 1e9, nodes: 200, wire: { ...WIRES.Redis, shards: 64 } }

export const SIZES: readonly Scale[] = [
  { ...USUAL, sessions: 100_000, nodes: 2 },
  { ...USUAL, sessions: 10_000_000, nodes: 20, wire: { ...WIRES.Redis, shards: 16 } },
  HUGE
]

/** The largest one with one setting turned. */
export const TURNED: Readonly<Record<string, Scale>> = {
  'as above': HUGE,
  '`pollInterval: 30`': { ...HUGE, pollInterval: 30 },
  "`accessExpiresIn: '15m'`": { ...HUGE, accessLifetime: 900 },
  'sticky routing': { ...HUGE, requests: 1 },
  'signed out daily': { ...HUGE, signedOutAfter: 86_400 },
  '10 feeds, 20 processes each': { ...HUGE, sessions: 1e8, nodes: 20, wire: { ...WIRES.Redis, shards: 16 } }
}

/** Small in sessions, so that it takes seconds; the number of processes, the minute that polls read again and all code are real. */
export interface Fleet {
  readonly nodes: number
  readonly sessions: number
  /** How long to count, in virtual seconds. */
  readonly seconds: number
}

/** Throws when a figure of the simulation is off by more than a tenth. */
export async function benchScale ({ nodes, sessions, seconds }: Fleet): Promise<string> {
  const small: Scale = { sessions, nodes, accessLifetime: 30, requests: 5, signedOutAfter: 600, pollInterval: 2, wire: WIRES.Redis }
  const texts: string[] = []
  for (const [name, scale] of Object.entries<Scale>({
    'like Redis': { ...small, wire: { ...WIRES.Redis, shards: 16 } },
    'like Postgres, pollInterval: 10': { ...small, pollInterval: 10, wire: WIRES.Postgres },
    'like SQLite': { ...small, wire: WIRES.SQLite }
  })) texts.push(reportOf(name, scale, predict(scale), await simulate(scale, seconds)))
  return [...texts, tableOfSizes(), tableOfTurned()].join('\n')
}

/** Exported for its test. */
export function reportOf (name: string, { nodes, sessions }: Scale, formula: Figures, simulation: Figures): string {
  const lines = [`${nodes} processes and ${sessions} sessions, ${name}`, line('', 'formula', 'simulation', 'ratio')]
  for (const key of Object.keys(formula) as Array<keyof Figures>) {
    const [expected, found] = [formula[key], simulation[key]]
    const ratio = expected === found ? 1 : found / expected
    ok(Math.abs(ratio - 1) <= TOLERANCE, `${name}, ${key}: the simulation has ${found}, the formula ${expected}`)
    lines.push(line(key, expected.toFixed(1), found.toFixed(1), ratio.toFixed(2)))
  }
  return [...lines, ''].join('\n')
}

function line (name: string, ...columns: string[]): string {
  return `  ${name.padEnd(15)}${columns.map(column => column.padStart(12)).join('')}`
}

/** Of docs/scale.md. */
export function tableOfSizes (): string {
  const row = (name: string, cell: (scale: Scale, figures: Figures) => string): string =>
    cellsOf(name, ...SIZES.map(scale => cell(scale, predict(scale))))
  return [
    row('sessions in use', ({ sessions }) => count(sessions)),
    cellsOf('---', ...SIZES.map(() => '---')),
    row('processes', ({ nodes }) => count(nodes)),
    row('refreshes per second', (_, { refreshes }) => count(refreshes)),
    row('confirmations per second, sticky routing', (_, { refreshes }) => count(refreshes)),
    row('confirmations per second, any process', (_, { confirmations }) => count(confirmations)),
    row('revocations per second', (_, { revocations }) => count(revocations)),
    row('polls per second at the store', (_, { polls }) => count(polls)),
    row('ids that polls bring to each process per second', (_, { ids }) => count(ids)),
    row('feed, per process and second', (_, figures) => bytes(figures.bytes)),
    row('feed, all processes, per second', ({ nodes }, figures) => bytes(nodes * figures.bytes)),
    row('revocations remembered by each process', (_, { remembered }) => count(remembered)),
    row('memory of each process for them', (_, { remembered }) => bytes(remembered * HEAP)),
    row('sessions in Redis', ({ sessions }) => bytes(sessions * SESSION.Redis)),
    row('sessions in Postgres', ({ sessions }) => bytes(sessions * SESSION.Postgres)),
    row('sessions in SQLite', ({ sessions }) => bytes(sessions * SESSION.SQLite)),
    row('revocations in Redis', (_, { kept }) => bytes(kept * REDIS_FEED))
  ].join('\n')
}

/** Of docs/scale.md. */
export function tableOfTurned (): string {
  return [
    cellsOf('1,000 million sessions', 'confirmations per second', 'ids read per process and second', 'feed, all processes, per second', 'memory per process'),
    cellsOf(...Array.from({ length: 5 }, () => '---')),
    ...Object.entries(TURNED).map(([name, scale]) => {
      const figures = predict(scale)
      return cellsOf(
        name, count(figures.confirmations), count(figures.ids), bytes(scale.nodes * figures.bytes), bytes(figures.remembered * HEAP)
      )
    })
  ].join('\n')
}

function cellsOf (...cells: string[]): string {
  return `| ${cells.join(' | ')} |`
}

function count (value: number): string {
  return value.toLocaleString('en', { maximumSignificantDigits: 2 })
}

function bytes (value: number): string {
  const [unit, size] = [['TB', 1e12], ['GB', 1e9], ['MB', 1e6], ['kB', 1e3]].find(([, least]) => value >= Number(least)) ?? ['B', 1]
  return `${count(value / Number(size))} ${unit}`
}
