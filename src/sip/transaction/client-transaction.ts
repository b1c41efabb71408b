import type { SipResponse } from '../../protocols/sip/message.ts'
import type { Counters } from '../counters.ts'
import type { TimerWheel } from '../timer-wheel.ts'

/** The transaction user of a client transaction: what RFC 3261 §17.1 says that it is told. */
export interface ClientUser {
  /** A response that is not a retransmission. */
  onResponse(response: SipResponse): void
  /** Timer B or F: no final response. */
  onTimeout(): void
  /** The request could not be sent, or its connection closed before the answer. */
  onTransportError(): void
}

/** A client transaction as the transaction layer sees it. */
export interface ClientMachine {
  readonly key: string
  start(): void
  receive(response: SipResponse): void
  /** The user wants to hear no more. A response that comes is absorbed. */
  abandon(): void
}

/** What the machines share. */
export interface MachineContext<Machine> {
  readonly wheel: TimerWheel
  readonly counters: Counters
  onTerminated(machine: Machine): void
}

export type ClientContext = MachineContext<ClientMachine>
