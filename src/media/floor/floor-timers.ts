/** The timers of the server (OMA PoC User Plane §6.4.2, by their names there), in milliseconds. */
export interface FloorTimers {
  /** T1, end of RTP: the burst is over when no packet came for so long. */
  readonly endOfRtp: number
  /** T2, stop talking: the longest burst. */
  readonly stopTalking: number
  /** T3, stop talking grace: what the speaker may still say after the revoke. */
  readonly grace: number
  /** T7: idle is sent again, `idleTimes` in all, with twice the time between each. */
  readonly idle: number
  readonly idleTimes: number
  /** T8: revoke is sent again until the burst is over. */
  readonly revoke: number
  /** T9, retry after: who talked too long waits so long. */
  readonly retryAfter: number
}

/** `maxTalk` is configured; the others are of the size that the specification gives as examples. */
export const floorTimers = (maxTalk: number): FloorTimers => ({
  endOfRtp: 4_000,
  stopTalking: maxTalk,
  grace: 3_000,
  idle: 1_000,
  idleTimes: 3,
  revoke: 1_000,
  retryAfter: 3_000,
})

/** Time for a state machine. */
export interface Clock {
  /** Milliseconds. */
  now(): number
  /** Runs it once after `ms`; what is returned takes it back. */
  after(ms: number, run: () => void): () => void
}

export const systemClock: Clock = {
  now: Date.now,
  after: (ms, run) => {
    const timer = setTimeout(run, ms).unref()
    return () => clearTimeout(timer)
  },
}
