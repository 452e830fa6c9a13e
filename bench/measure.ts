// Cases → what one operation of each costs, run side by side in turns, and the ratios between them.

/** What one operation cost: CPU time in microseconds, user and system, and how many ran in a second. */
export interface Sample {
  readonly cpu: number
  readonly perSecond: number
}

/** Runs `count` operations, throws when one of them does not do what it should, and answers what one cost. */
export type Case = (count: number) => Promise<Sample>

/** By case, one sample per round. */
export type Samples<Name extends string> = Readonly<Record<Name, readonly Sample[]>>

export interface Size {
  readonly rounds: number
  readonly count: number
  /** Operations of each case before the first round, so that all of them are compiled. */
  readonly warmUp: number
}

/** With how many different tokens, which take turns. */
export interface SizeWithTokens extends Size {
  readonly tokens: number
}

/** Every round runs every case, each time beginning with the next one: what disturbs the machine disturbs them alike. */
export async function compare<Name extends string> (cases: Record<Name, Case>, { rounds, count, warmUp }: Size): Promise<Samples<Name>> {
  const names = Object.keys(cases) as Name[]
  const samples = Object.fromEntries(names.map(name => [name, []])) as unknown as Record<Name, Sample[]>
  for (const name of names) await cases[name](warmUp)
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < names.length; turn++) {
      const name = names[(round + turn) % names.length]!
      samples[name].push(await cases[name](count))
    }
  }
  return samples
}

/** An operation of this process, as a case. */
export function inProcess (operation: (index: number) => unknown): Case {
  return async function run (count) {
    const cpuBefore = process.cpuUsage()
    const before = performance.now()
    for (let index = 0; index < count; index++) {
      const pending = operation(index)
      if (pending instanceof Promise) await pending
    }
    return sampleOf(process.cpuUsage(cpuBefore), performance.now() - before, count)
  }
}

/** What one of `count` operations cost; `elapsed` in milliseconds. */
export function sampleOf ({ user, system }: NodeJS.CpuUsage, elapsed: number, count: number): Sample {
  return { cpu: (user + system) / count, perSecond: count / elapsed * 1000 }
}

/** Two cases and, when given, the one whose cost is taken off both. */
export type Ratio<Name extends string> = readonly [over: Name, under: Name, base?: Name]

/** The median of the ratios of CPU time, each between samples of one round. */
export function ratio<Name extends string> (samples: Samples<Name>, [over, under, base]: Ratio<Name>): number {
  return median(samples[over].map((sample, round) => {
    const off = base === undefined ? 0 : samples[base][round]!.cpu
    return (sample.cpu - off) / (samples[under][round]!.cpu - off)
  }))
}

/** The medians as lines of text: a table of the cases, then one line for each ratio. */
export function report<Name extends string> (title: string, samples: Samples<Name>, ratios: Readonly<Record<string, Ratio<Name>>>): string {
  const width = Math.max(...Object.keys({ ...samples, ...ratios }).map(name => name.length))
  const line = (name: string, ...columns: string[]) => `  ${name.padEnd(width)}${columns.map(column => column.padStart(12)).join('')}`
  return [
    title,
    line('', 'CPU µs', 'per second'),
    ...Object.entries<readonly Sample[]>(samples).map(([name, list]) => line(
      name,
      median(list.map(sample => sample.cpu)).toFixed(2),
      Math.round(median(list.map(sample => sample.perSecond))).toLocaleString('en')
    )),
    ...Object.entries(ratios).map(([name, cases]) => line(name, ratio(samples, cases).toFixed(2))),
    ''
  ].join('\n')
}

export function median (values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
