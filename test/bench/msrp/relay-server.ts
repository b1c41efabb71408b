/** A server between pairs of MSRP clients. */
export interface RelayServer {
  readonly name: string
  /** Its processes; everything below them counts as well. */
  readonly pids: readonly number[]
  readonly pairs: readonly Pair[]
  /** Milliseconds that its event loop was busy at a stretch since this was last asked; of those that can tell. */
  longestTurn?(): Promise<number>
  close(): Promise<void>
}

export interface Pair {
  readonly a: End
  readonly b: End
}

export interface End {
  /** Where the client connects to; without it the server connects to the client, whose port stands in its To-Path. */
  readonly port?: number
  readonly toPath: string
  /** Where the client listens. */
  readonly listen?: number
}

export type StartRelay = (pairs: number) => Promise<RelayServer>
