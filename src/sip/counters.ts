import type { Transport } from './addresses.ts'

/** Why something that came in was not handed on. */
export type DropReason =
  | 'malformed'
  | 'over-limit'
  | 'stray-response'
  | 'stray-ack'
  | 'not-sip'
  | 'connection-refused'
  | 'not-reading'

/** What the stack tells of itself, for metrics. */
export interface Counters {
  received(transport: Transport, kind: 'request' | 'response'): void
  sent(transport: Transport): void
  retransmitted(): void
  dropped(reason: DropReason): void
}

export const noCounters: Counters = {
  received() {},
  sent() {},
  retransmitted() {},
  dropped() {},
}
