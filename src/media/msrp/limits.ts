/** Bounds on what strangers may cost. Times are in milliseconds. */
export interface MsrpLimits {
  readonly sessions: number
  readonly connections: number
  readonly connectionsPerSource: number
  /** Bytes of a head: start line and fields. */
  readonly headBytes: number
  /** Bytes of one message, when a session is opened without a bound of its own. */
  readonly messageBytes: number
  /** Bytes that a sender may still send of a message that was refused as too large (413); then its connection closes. */
  readonly refusedBytes: number
  /** Bytes that may wait for a peer; beyond, those who send to it are slowed. */
  readonly queueBytes: number
  /** Bytes of one frame over WebSocket, where it comes whole (RFC 7977 §5.3). */
  readonly webSocketBytes: number
  /** Requests of a session that its peer has not answered; beyond, those who send to it are slowed. */
  readonly transactions: number
  /** Messages of a session that are begun and not complete. */
  readonly messagesAtOnce: number
  /** So long may a peer be connected without belonging to a session. */
  readonly silentMs: number
  readonly connectMs: number
  /** After this long without reading while something waits for it, a peer is given up. */
  readonly stallMs: number
  /** So long may a session be without its connection, before it ends. */
  readonly returnMs: number
  /** So long may a response take (RFC 4975 §7.1). */
  readonly transactionMs: number
}

export const defaultLimits: MsrpLimits = {
  sessions: 20_000,
  connections: 20_000,
  connectionsPerSource: 1000,
  headBytes: 16 * 1024,
  messageBytes: 1024 ** 3,
  refusedBytes: 4 * 1024 ** 2,
  queueBytes: 32 * 1024,
  webSocketBytes: 1024 ** 2,
  transactions: 1000,
  messagesAtOnce: 64,
  silentMs: 10_000,
  connectMs: 5000,
  stallMs: 30_000,
  returnMs: 30_000,
  transactionMs: 30_000,
}
