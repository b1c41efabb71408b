import type { SipRequest } from '../../protocols/sip/message.ts'
import type { AnsweredRequests } from './answered-requests.ts'
import type { MachineContext } from './client-transaction.ts'
import type { KeptResponses } from './kept-responses.ts'

/** The way back: the flow of the request, or what RFC 3261 §18.2.2 puts in its place. False when there is none. */
export interface ReturnPath {
  readonly reliable: boolean
  send(bytes: Buffer): boolean
}

/** A request that waits for its answer; let go with the final response, so that only bytes are kept after it. */
export interface Pending {
  /** The bytes of a response that the transaction gives by itself. */
  bytesOf(status: 100 | 487): Buffer
  /** It has waited for too long: no response would be of use any more. */
  expire(): void
  /** A CANCEL has taken it back; 487 is the answer. */
  cancelled?(cancel: SipRequest): void
}

/** A server transaction as the transaction layer sees it. */
export interface ServerMachine {
  readonly key: string
  /** The same request once more. */
  receiveRetransmission(): void
  /** A response of the transaction user. False when it is not sent, because a final one has gone or none may go. */
  respond(status: number, bytes: Buffer): boolean
  /** Ends without a word. */
  terminate(): void
}

export interface ServerContext extends MachineContext<ServerMachine> {
  readonly kept: KeptResponses
  readonly answered: AnsweredRequests
}
