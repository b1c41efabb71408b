export interface Sample {
  /** Seconds since the load began. */
  readonly at: number
  readonly rss: number
  readonly heap: number
  readonly files: number
}

/** What memory grew by in the second half of a run, by linear regression: the saw-tooth of the collector evens out. */
export function growthOf(samples: readonly Sample[]): { readonly rss: number; readonly heap: number } {
  const half = samples.slice(Math.floor(samples.length / 2))
  const time = (half.at(-1)?.at ?? 0) - (half[0]?.at ?? 0)
  return { rss: slopeOf(half, ({ rss }) => rss) * time, heap: slopeOf(half, ({ heap }) => heap) * time }
}

function slopeOf(samples: readonly Sample[], read: (sample: Sample) => number): number {
  const mean = (pick: (sample: Sample) => number) => samples.reduce((sum, each) => sum + pick(each), 0) / samples.length
  const [at, value] = [mean((each) => each.at), mean(read)]
  const covariance = samples.reduce((sum, each) => sum + (each.at - at) * (read(each) - value), 0)
  return covariance / samples.reduce((sum, each) => sum + (each.at - at) ** 2, 0)
}
