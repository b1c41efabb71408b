/** Bounds on what strangers may cost. Each may be 0: no bound. Times are in milliseconds. */
export interface StackLimits {
  /** Bytes of a message, head and body. */
  readonly messageBytes: number
  readonly headerCount: number
  /** Bytes of one header field. */
  readonly headerBytes: number
  readonly connections: number
  readonly connectionsPerSource: number
  /** After this long without a byte from the peer a connection closes. */
  readonly idleMs: number
  /** So long may a connected peer take for its handshake, and for each message it has begun. */
  readonly halfOpenMs: number
  /** So long may the opening of a connection take. */
  readonly connectMs: number
  /** Never applied to trusted peers. */
  readonly requestsPerSecond: number
  /** Bytes that wait for a peer that does not read. */
  readonly queueBytes: number
}

export const defaultLimits: StackLimits = {
  messageBytes: 256 * 1024,
  headerCount: 200,
  headerBytes: 16 * 1024,
  connections: 20_000,
  connectionsPerSource: 1000,
  idleMs: 15 * 60_000,
  halfOpenMs: 30_000,
  connectMs: 3000,
  requestsPerSecond: 200,
  queueBytes: 4 * 1024 * 1024,
}

/** True when there is a bound and `value` is beyond it. */
export const exceeds = (value: number, bound: number) => bound !== 0 && value > bound
