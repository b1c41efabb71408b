/** What a benchmark asks a server to be. */
export type Mode =
  /** The recipient is online and nothing is stored. */
  | 'relay'
  /** The recipient is online and one copy is stored. */
  | 'stored'
  /** The recipient is absent and the message kept. */
  | 'absent'
  /** Absent first, online later. */
  | 'deferred'
  /** REGISTER with digest; bindings outlive a restart. */
  | 'register'

/** A server under load. */
export interface BenchServer {
  readonly name: string
  /** `host:port` for SIP over UDP. */
  readonly target: string
  /** Its processes; everything below them counts as well. */
  readonly pids: readonly number[]
  /** Bytes that it holds, for the memory case. */
  memory(): Promise<number>
  close(): Promise<void>
}

export type StartServer = (mode: Mode, users: number) => Promise<BenchServer>

export const password = 'secret'
export const domain = 'cpm.test'
