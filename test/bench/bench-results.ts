import { loadavg } from 'node:os'

/** A line of the results. */
export type Result = Readonly<Record<string, string | number | boolean>>

export const print = (line: object): boolean => process.stdout.write(`${JSON.stringify(line)}\n`)

export const round = (value: number): number => Math.round(value * 100) / 100

/** One number of a result, in parts of that of a peer. */
export const ratio = (result: Result, peer: Result, key: string): number =>
  round(Number(result[key]) / Number(peer[key]))

/** Processes that wanted to run in the last minute. */
export const machineLoad = (): number => Math.round(10 * (loadavg()[0] ?? 0)) / 10

/** Of sorted numbers. */
export const percentile = (sorted: readonly number[] | Float64Array, share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
