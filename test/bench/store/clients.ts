import { percentile, round } from '../bench-results.ts'
import { cpuMicroseconds } from '../process-cpu.ts'

export interface Work {
  readonly clients: number
  readonly seconds: number
  /** One thing that a client does, and again when it is done. */
  act(client: number): Promise<unknown>
  /** The processes of the server that is measured; everything below them counts as well. */
  readonly pids: readonly number[]
  readonly postgresPids?: readonly number[]
}

export interface Measured {
  readonly rate: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly microsecondsEach: number
  readonly postgresMicrosecondsEach?: number
  readonly times: number
}

/** Clients side by side, each with one thing under way at a time; a third of the time first that does not count. */
export async function measureClients(work: Work): Promise<Measured> {
  await runFor(work, Math.min(3, work.seconds / 3))
  const before = cpuOf(work)
  const began = performance.now()
  const times = Float64Array.from(await runFor(work, work.seconds)).sort()
  const seconds = (performance.now() - began) / 1000
  const after = cpuOf(work)
  const each = (spent: number) => Math.round(spent / Math.max(times.length, 1))
  return {
    rate: round(times.length / seconds),
    p50Ms: round(percentile(times, 0.5)),
    p99Ms: round(percentile(times, 0.99)),
    microsecondsEach: each(after.server - before.server),
    ...(work.postgresPids !== undefined && { postgresMicrosecondsEach: each(after.postgres - before.postgres) }),
    times: times.length,
  }
}

async function runFor(work: Work, seconds: number): Promise<number[]> {
  const times: number[] = []
  const until = performance.now() + seconds * 1000
  const client = async (number: number) => {
    for (let began = performance.now(); began < until; ) {
      await work.act(number)
      const now = performance.now()
      times.push(now - began)
      began = now
    }
  }
  await Promise.all(Array.from({ length: work.clients }, (_, number) => client(number)))
  return times
}

const cpuOf = ({ pids, postgresPids = [] }: Work) => ({
  server: cpuMicroseconds(pids),
  postgres: cpuMicroseconds(postgresPids),
})
