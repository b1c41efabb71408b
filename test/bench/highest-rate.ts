export interface Trial {
  readonly held: boolean
}

/**
 * The highest rate that `run` holds: up by half in short probes until one fails, then whole trials, down by a sixth after
 * a failure, and up by a tenth while they hold. At most `most` whole trials. After a failure it rests: what an overload has
 * left behind (retransmissions, transactions in their last state) is no part of the next trial.
 */
export async function highestRate<T extends Trial>(
  first: number,
  probe: (rate: number) => Promise<Trial>,
  run: (rate: number) => Promise<T>,
  rest: () => Promise<void>,
  most = 6,
): Promise<{ rate: number; trial: T } | undefined> {
  let rate = await climb(first, probe)
  await rest()
  let best: { rate: number; trial: T } | undefined
  let failed = false
  for (let trials = 0; trials < most; trials++) {
    const trial = await run(rate)
    if (!trial.held) failed = true
    else if (rate > (best?.rate ?? 0)) best = { rate, trial }
    if (trial.held && failed) return best
    if (!trial.held) await rest()
    rate = Math.round(rate * (trial.held ? 1.1 : 5 / 6))
  }
  return best
}

async function climb(first: number, probe: (rate: number) => Promise<Trial>): Promise<number> {
  let held = first
  for (let rate = first; rate < 40_000; rate = Math.round(rate * 1.5)) {
    if (!(await probe(rate)).held) return Math.max(Math.round(held * 1.15), 50)
    held = rate
  }
  return held
}
